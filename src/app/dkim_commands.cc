// `thurn dkim`: makes keys, lets new ones take over from old ones, and deletes those nobody needs. What it changes is decided and done while it
// holds the keyring, so that two commands at a time cannot both take over.
#include "admin/control_server.h"
#include "app/check_signing.h"
#include "app/command.h"
#include "app/dkim_listing.h"
#include "app/privileges.h"
#include "app/system.h"
#include "config/duration.h"
#include "mail/mailbox.h"
#include "mailauth/dkim_sign.h"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace thurn::app {
namespace {

using base::ErrorKind;
using base::Result;
using base::Time;
using mailauth::KeyState;
using mailauth::KeyType;
using mailauth::ListedKey;
using mailauth::PrivateKey;
using storage::DkimKeyring;

constexpr std::chrono::hours kPrepublish{48};  // of keys beside others: negative answers of DNS are forgotten by then

Result<std::string> parse_domain(const std::string& text) {
    const auto domain = mail::parse_domain(text, mail::Charset::utf8);
    if (!domain || domain->is_literal()) return base::fail(ErrorKind::invalid, fmt::format("{} is no domain", text));
    return domain->text();
}

Result<std::string> parse_selector(const std::string& text) {
    const auto names = mailauth::parse_signer("example.com", text);
    if (!names) return base::fail(ErrorKind::invalid, fmt::format("{} is no selector: one word of letters, digits and hyphens", text));
    if (names->selector.contains('.'))
        return base::fail(ErrorKind::invalid, fmt::format("{} is no selector of one word: leave the dots out", text));
    return names->selector;
}

std::vector<KeyType> kinds_of(DkimAlgorithm algorithm) {
    switch (algorithm) {
        case DkimAlgorithm::rsa:
            return {KeyType::rsa};
        case DkimAlgorithm::ed25519:
            return {KeyType::ed25519};
        case DkimAlgorithm::both:
            break;
    }
    return {KeyType::rsa, KeyType::ed25519};
}

/// Two kinds have two selectors: a receiver that knows RSA only would stumble over two records of one name (RFC 8463 §3).
std::string selector_for(const std::string& selector, KeyType type, std::size_t kinds) {
    return kinds > 1 && type == KeyType::ed25519 ? selector + "-ed25519" : selector;
}

/// The keyring, held, and what is in it.
struct Work {
    const config::Config& config;
    const DkimCommand& command;
    std::string domain;
    DkimKeyring& keyring;
    std::shared_ptr<const PrivateKey> given{};  // to import
    Time now{};
    std::vector<DkimKeyring::Entry> entries{};  // of the domain
    std::vector<ListedKey> keys{};              // likewise
};

/// What does not depend on the domain's keys is told before anything is made.
Result<std::chrono::seconds> start_of(const Work& work) {
    if (!work.command.active_in.empty()) return config::parse_duration(work.command.active_in);
    return std::ranges::any_of(work.keys, [&](const ListedKey& key) { return key.until > work.now; }) ? kPrepublish
                                                                                                      : std::chrono::seconds(0);
}

void tell_when(const Work& work, std::chrono::seconds start) {
    if (start == std::chrono::seconds(0))
        fmt::print(stderr,
                   "The keys sign from now on. Publish the records above at once, as receivers take mail whose key they do not find for "
                   "unsigned; then: thurn dkim check {}\n",
                   work.domain);
    else
        fmt::print(stderr, "The keys sign from {} on. Publish the records above until then, and make sure: thurn dkim check {}\n",
                   render_moment(work.now + start), work.domain);
}

/// Keys of a domain sign for those below it too, as Signatory has it.
bool is_of_use(const config::Config& config, const std::string& domain) {
    return domain == config.signing.fallback_domain || domain == config.signing.third_party_domain ||
           std::ranges::any_of(our_domains(config),
                               [&](const std::string& ours) { return ours == domain || ours.ends_with("." + domain); });
}

/// What is lawful, but seldom meant.
void tell_doubts(const Work& work, const DkimKeyring::Edit& edit) {
    for (const auto& [listed, key] : edit.added)
        if (const auto weakness = weakness_of(*key); !weakness.empty())
            fmt::print(stderr, "Mind: {} is {}.\n", record_name(listed), weakness);
    if (!is_of_use(work.config, work.domain))
        fmt::print(
            stderr,
            "Mind: {} is not a domain of this server (thurn domain list); its keys sign only what users and relay.networks send as it.\n",
            work.domain);
}

int finish_adding(Work& work, const DkimKeyring::Edit& edit) {
    if (auto done = work.keyring.apply(edit); !done) return complain(done.error());
    for (const auto& [listed, key] : edit.added) {
        fmt::print(stderr, "made {}\n", work.keyring.file_of(listed).string());
        print_zone_line(listed, *key, work.now);
    }
    std::fflush(stdout);  // what is said to standard error comes behind
    tell_doubts(work, edit);
    return exit_ok;
}

std::shared_ptr<const PrivateKey> make_key(KeyType kind) { return std::make_shared<const PrivateKey>(PrivateKey::generate(kind)); }

DkimKeyring::NewKey new_key(const Work& work, const std::string& selector, std::chrono::seconds start,
                            std::shared_ptr<const PrivateKey> key) {
    ListedKey listed{.domain = work.domain, .selector = selector, .made = work.now};
    if (start > std::chrono::seconds(0)) listed.from = work.now + start;
    return {.listed = std::move(listed), .key = std::move(key)};
}

Result<void> expect_no_key(const Work& work, const std::string& selector) {
    const ListedKey wanted{.domain = work.domain, .selector = selector};
    if (std::ranges::find(work.keys, selector, &ListedKey::selector) == work.keys.end() &&
        !std::filesystem::exists(work.keyring.file_of(wanted)))
        return {};
    return base::fail(ErrorKind::exists, fmt::format("there is a key {} already; choose another --selector for a new one",
                                                     work.keyring.file_of(wanted).string()));
}

int generate(Work& work) {
    const auto selector = parse_selector(work.command.selector.empty() ? "s1" : work.command.selector);
    if (!selector) return complain(selector.error());
    const auto start = start_of(work);
    if (!start) return complain(start.error());
    const auto kinds = kinds_of(work.command.algorithm.value_or(DkimAlgorithm::both));
    DkimKeyring::Edit edit;
    for (const auto kind : kinds) {
        const auto name = parse_selector(selector_for(*selector, kind, kinds.size()));
        if (!name) return complain(name.error());
        if (auto free = expect_no_key(work, *name); !free) return complain(free.error());
        edit.added.push_back(new_key(work, *name, *start, make_key(kind)));
    }
    if (const int code = finish_adding(work, edit); code != exit_ok) return code;
    tell_when(work, *start);
    announce_keys(work.config);
    return exit_ok;
}

int import(Work& work) {
    const auto selector = parse_selector(work.command.selector);
    if (!selector) return complain(selector.error());
    const auto start = start_of(work);
    if (!start) return complain(start.error());
    const DkimKeyring::Edit edit{.added = {new_key(work, *selector, *start, work.given)}};
    if (const int code = finish_adding(work, edit); code != exit_ok) return code;
    tell_when(work, *start);
    announce_keys(work.config);
    return exit_ok;
}

/// A rotation is asked for again while one is under way, perhaps by a timer: the same records, and no more keys.
int tell_of_rotation(const Work& work, const std::vector<ListedKey>& waiting) {
    for (const auto& entry : work.entries)
        if (entry.key && std::ranges::find(waiting, entry.listed) != waiting.end()) print_zone_line(entry.listed, *entry.key, work.now);
    std::fflush(stdout);
    fmt::print(stderr, "Nothing was changed: new keys of {} wait already, to sign from {} on.\n", work.domain,
               render_moment(waiting.front().from));
    return exit_ok;
}

/// The kinds of key that the domain signs with until something else is said.
std::vector<KeyType> kinds_now(const Work& work, const std::vector<ListedKey>& ending) {
    std::set<KeyType> kinds;
    for (const auto& entry : work.entries) {
        const bool ends = std::ranges::find(ending, entry.listed.selector, &ListedKey::selector) != ending.end();
        if (ends && entry.key) kinds.insert(entry.key->type());
    }
    return {kinds.begin(), kinds.end()};
}

int rotate(Work& work) {
    const auto prepublish = config::parse_duration(work.command.prepublish);
    if (!prepublish) return complain(prepublish.error());
    const auto keep = config::parse_duration(work.command.keep);
    if (!keep) return complain(keep.error());
    if (const auto waiting = mailauth::waiting_keys(work.keys, work.domain, work.now); !waiting.empty())
        return tell_of_rotation(work, waiting);
    const auto ending =
        mailauth::retire_keys(work.keys, {.domain = work.domain, .now = work.now, .prepublish = *prepublish, .keep = *keep});
    if (ending.empty())
        return complain({ErrorKind::not_found,
                         fmt::format("{0} has no key to take over from; make its first with: thurn dkim generate {0}", work.domain)});
    const auto kinds = work.command.algorithm ? kinds_of(*work.command.algorithm) : kinds_now(work, ending);
    if (kinds.empty())
        return complain(
            {ErrorKind::corrupt, fmt::format("no key of {} can be read; choose the kind of new ones with --algorithm", work.domain)});

    std::vector<std::string> taken;
    for (const auto& key : work.keys) taken.push_back(key.selector);
    const mailauth::FreshSelectors fresh(work.now, taken);
    DkimKeyring::Edit edit{.changed = ending};
    for (const auto kind : kinds) {
        const auto name = work.command.selector.empty() ? Result<std::string>(fresh.of(kind))
                                                        : parse_selector(selector_for(work.command.selector, kind, kinds.size()));
        if (!name) return complain(name.error());
        if (auto free = expect_no_key(work, *name); !free) return complain(free.error());
        edit.added.push_back(new_key(work, *name, *prepublish, make_key(kind)));
    }
    if (const int code = finish_adding(work, edit); code != exit_ok) return code;
    tell_when(work, *prepublish);
    for (const auto& key : ending)
        fmt::print(stderr, "{} signs until {}; leave its record in DNS until {}.\n", record_name(key), render_moment(key.until),
                   render_moment(key.record_until));
    announce_keys(work.config);
    return exit_ok;
}

/// Which keys to remove: those named, if they may be, or all that are removable.
Result<std::vector<ListedKey>> choose_removed(const Work& work) {
    std::vector<ListedKey> chosen;
    if (work.command.selectors.empty()) {
        std::ranges::copy_if(work.keys, std::back_inserter(chosen),
                             [&](const ListedKey& key) { return phase_at(key, work.now).state == KeyState::removable; });
        return chosen;
    }
    for (const auto& selector : std::set(work.command.selectors.begin(), work.command.selectors.end())) {
        const auto key = std::ranges::find(work.keys, selector, &ListedKey::selector);
        if (key == work.keys.end()) return base::fail(ErrorKind::not_found, fmt::format("there is no key {} of {}", selector, work.domain));
        if (!work.command.force && phase_at(*key, work.now).state != KeyState::removable)
            return base::fail(ErrorKind::exists, fmt::format("{} is {}; nothing was changed, --force removes it all the same",
                                                             record_name(*key), describe_phase(*key, work.now)));
        chosen.push_back(*key);
    }
    return chosen;
}

std::vector<ListedKey> remaining(std::vector<ListedKey> keys, const std::vector<ListedKey>& removed) {
    std::erase_if(keys, [&](const ListedKey& key) { return std::ranges::find(removed, key) != removed.end(); });
    return keys;
}

int remove(Work& work) {
    const auto chosen = choose_removed(work);
    if (!chosen) return complain(chosen.error());
    if (chosen->empty()) {
        print_line(fmt::format("no key of {} is removable", work.domain));
        return exit_ok;
    }
    const auto resumed = mailauth::resume_keys(remaining(work.keys, *chosen), work.now);
    if (auto done = work.keyring.apply({.changed = resumed, .removed = *chosen}); !done) return complain(done.error());
    for (const auto& key : *chosen)
        print_line(fmt::format("removed {}; take {} out of DNS", work.keyring.file_of(key).string(), record_name(key)));
    for (const auto& key : resumed)
        print_line(fmt::format("{} goes on signing, as nothing takes over from it; leave its record in DNS", record_name(key)));
    std::fflush(stdout);
    announce_keys(work.config);
    return exit_ok;
}

/// Holds the keyring for a verb that changes it.
int change(Work work) {
    if (auto made = prepare_folder(work.config.data_dir, nullptr); !made) return complain(made.error());
    const auto claim = work.keyring.claim();
    if (!claim) return complain(claim.error());
    auto contents = work.keyring.load();
    if (!contents) return complain(contents.error());
    work.now = SystemClock().now();
    for (auto& entry : contents->entries) {
        if (entry.listed.domain != work.domain) continue;
        work.keys.push_back(entry.listed);
        work.entries.push_back(std::move(entry));
    }
    const auto& verb = work.command.verb;
    if (verb == "generate") return generate(work);
    if (verb == "import") return import(work);
    if (verb == "rotate") return rotate(work);
    return remove(work);
}

}  // namespace

void announce_keys(const config::Config& config) {
    const auto taken = admin::ask_server(config.data_dir / "control.sock", {{"command", "keys.reload"}});
    if (taken)
        fmt::print(stderr, "The running server has taken it up.\n");
    else if (taken.error().kind != ErrorKind::peer_gone)
        fmt::print(stderr, "thurn: the running server goes on with what it had: {}\n", taken.error().detail);
}

int dkim_command(const CommandContext& context, const DkimCommand& command) {
    const auto loaded = load_configuration(context);
    if (!loaded) return complain(loaded.error());
    const auto domain = command.domain.empty() ? Result<std::string>("") : parse_domain(command.domain);
    if (!domain) return complain(domain.error());
    std::shared_ptr<const PrivateKey> given;
    if (command.verb == "import") {  // while root still is root: the key may be another program's
        ToolOptions options;
        options.key_file = command.file;
        auto key = read_key(options);
        if (!key) return complain(key.error());
        given = std::make_shared<const PrivateKey>(*std::move(key));
    }
    if (auto done = act_as_owner(loaded->config); !done) return complain(done.error());
    DkimKeyring keyring(loaded->config.data_dir / "keys");
    if (command.verb == "list") return list_keys(context, loaded->config, keyring, *domain);
    if (command.verb == "dns") return print_records(context, loaded->config, keyring, *domain);
    if (command.verb != "check")
        return change({.config = loaded->config, .command = command, .domain = *domain, .keyring = keyring, .given = given});
    const auto& servers = loaded->config.dns_servers;
    return check_keys(context, loaded->config, keyring, *domain,
                      command.resolver.empty() && !servers.empty() ? servers.front() : command.resolver);
}

}  // namespace thurn::app
