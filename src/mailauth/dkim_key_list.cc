#include "mailauth/dkim_key_list.h"

#include "mail/date.h"
#include "mailauth/dkim_sign.h"

#include <algorithm>
#include <array>
#include <tuple>

namespace thurn::mailauth {
namespace {

using base::ErrorKind;
using base::fail;
using base::Result;
using base::Time;

constexpr std::string_view kHeading =
    "# The keys beside this file, and when they sign; written by `thurn dkim`, which is the way to change it.\n";

bool holds(const auto& range, const auto& value) { return std::ranges::find(range, value) != range.end(); }

/// Takes the next of the words, which single spaces separate; empty at the end.
std::string_view take_word(std::string_view& line) {
    const auto end = std::min(line.find(' '), line.size());
    const auto word = line.substr(0, end);
    line.remove_prefix(std::min(end + 1, line.size()));
    return word;
}

Result<ListedKey> parse_names(std::string_view& line) {
    const auto domain = take_word(line);
    const auto selector = take_word(line);
    const auto names = parse_signer(domain, selector);
    // The names become a file's, so they must be those that were written, and nothing that leads elsewhere.
    if (!names || names->domain != domain || names->selector != selector || selector.contains('.') || domain.starts_with('['))
        return fail(ErrorKind::corrupt, "no domain and selector");
    return ListedKey{.domain = names->domain, .selector = names->selector};
}

Result<void> set_time(ListedKey& key, std::string_view name, Time time) {
    if (name == "made")
        key.made = time;
    else if (name == "published")
        key.published = time;
    else if (name == "from")
        key.from = time;
    else if (name == "until")
        key.until = time;
    else if (name == "record-until")
        key.record_until = time;
    else
        return fail(ErrorKind::corrupt, "a time of an unknown name");
    return {};
}

Result<ListedKey> parse_line(std::string_view line) {
    auto key = parse_names(line);
    if (!key) return key;
    std::vector<std::string_view> seen;
    while (!line.empty()) {
        const auto word = take_word(line);
        const auto name = word.substr(0, word.find('='));
        const auto time = mail::parse_timestamp(word.substr(std::min(name.size() + 1, word.size())));
        if (!time) return fail(ErrorKind::corrupt, "no time such as until=2026-11-22T15:00:00Z");
        if (holds(seen, name)) return fail(ErrorKind::corrupt, "a time twice");
        seen.push_back(name);
        if (auto set = set_time(*key, name, *time); !set) return base::pass_on(set);
    }
    if (!holds(seen, "made")) return fail(ErrorKind::corrupt, "not when the key was made");
    if (key->from > key->until || key->until > key->record_until) return fail(ErrorKind::corrupt, "times that are not in order");
    return key;
}

bool same_name(const ListedKey& one, const ListedKey& other) { return one.domain == other.domain && one.selector == other.selector; }

std::string render_line(const ListedKey& key) {
    std::string line = key.domain + " " + key.selector;
    const auto put = [&line](std::string_view name, Time time) {
        if (time != Time::min() && time != Time::max()) line.append(" ").append(name).append("=").append(mail::render_timestamp(time));
    };
    put("made", key.made);
    if (key.published) put("published", *key.published);
    put("from", key.from);
    put("until", key.until);
    put("record-until", key.record_until);
    return line + "\n";
}

}  // namespace

std::string_view name_of(KeyState state) {
    constexpr std::array kNames{"prepublished", "active", "retired", "removable"};
    return kNames.at(static_cast<std::size_t>(state));
}

KeyPhase phase_at(const ListedKey& key, Time now) {
    const auto unless_never = [](Time time) { return time == Time::max() ? std::nullopt : std::optional(time); };
    if (now >= key.record_until) return {.state = KeyState::removable, .since = key.record_until};
    if (now >= key.until) return {.state = KeyState::retired, .since = key.until, .until = unless_never(key.record_until)};
    if (now >= key.from) return {.state = KeyState::active, .since = std::max(key.made, key.from), .until = unless_never(key.until)};
    return {.state = KeyState::prepublished, .since = key.made, .until = key.from};
}

std::string record_name(const ListedKey& key) { return key.selector + "._domainkey." + key.domain; }

KeyList parse_key_list(std::string_view text) {
    KeyList list;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const auto end = std::min(text.find('\n'), text.size());
        const auto line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.empty() || line.starts_with('#')) continue;
        auto key = parse_line(line);
        if (key && std::ranges::any_of(list.keys, [&](const ListedKey& other) { return same_name(*key, other); }))
            key = fail(ErrorKind::corrupt, "a key that is in the list already");
        if (key)
            list.keys.push_back(*std::move(key));
        else
            list.problems.push_back({key.error().kind, "line " + std::to_string(number) + ": " + key.error().detail});
    }
    return list;
}

std::string render_key_list(std::vector<ListedKey> keys) {
    std::ranges::sort(keys, {}, [](const ListedKey& key) { return std::tie(key.domain, key.from, key.selector); });
    std::string text(kHeading);
    for (const auto& key : keys) text += render_line(key);
    return text;
}

std::vector<ListedKey> retire_keys(const std::vector<ListedKey>& keys, const Rotation& rotation) {
    std::vector<ListedKey> ending;
    for (auto key : keys) {
        if (key.domain != rotation.domain || key.until != Time::max()) continue;
        key.until = rotation.now + rotation.prepublish;
        key.record_until = key.until + rotation.keep;
        ending.push_back(std::move(key));
    }
    return ending;
}

std::vector<ListedKey> resume_keys(const std::vector<ListedKey>& keys, Time now) {
    const bool others_sign = std::ranges::any_of(keys, [](const ListedKey& key) { return key.until == Time::max(); });
    std::vector<ListedKey> resumed;
    for (auto key : keys) {
        if (others_sign || key.until <= now) continue;
        key.until = key.record_until = Time::max();
        resumed.push_back(std::move(key));
    }
    return resumed;
}

std::vector<ListedKey> waiting_keys(const std::vector<ListedKey>& keys, std::string_view domain, Time now) {
    std::vector<ListedKey> waiting;
    std::ranges::copy_if(keys, std::back_inserter(waiting), [&](const ListedKey& key) { return key.domain == domain && key.from > now; });
    return waiting;
}

FreshSelectors::FreshSelectors(Time now, const std::vector<std::string>& taken) {
    std::string day = mail::render_timestamp(now).substr(0, 10);
    std::erase(day, '-');
    const auto is_taken = [&](KeyType type) { return holds(taken, of(type)); };
    prefix_ = day;
    for (int number = 2; is_taken(KeyType::rsa) || is_taken(KeyType::ed25519); ++number) prefix_ = day + "-" + std::to_string(number);
}

}  // namespace thurn::mailauth
