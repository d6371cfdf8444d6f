#include "mailauth/srs.h"

#include "base/ascii.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace thurn::mailauth {
namespace {

using base::ErrorKind;
using base::fail;
using base::Result;

constexpr std::string_view kFirst = "SRS0=";
constexpr std::string_view kSecond = "SRS1=";
constexpr std::string_view kBase32 = "abcdefghijklmnopqrstuvwxyz234567";  // RFC 4648 §6, in lower case
constexpr std::size_t kHashLength = 8;
constexpr std::size_t kStampLength = 2;
constexpr unsigned kStamps = 1024;
constexpr std::size_t kLongestLocal = 64;  // RFC 5321 §4.5.3.1.1
constexpr std::chrono::days kLongestLifetime{500};

std::string lower(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(), base::to_lower);
    return result;
}

bool begins_with(std::string_view text, std::string_view what) { return base::equal_ignoring_case(text.substr(0, what.size()), what); }

/// What stands before the first `=`, which must be there; `text` keeps what stands behind it.
std::optional<std::string_view> take_part(std::string_view& text) {
    const auto end = text.find('=');
    if (end == std::string_view::npos) return std::nullopt;
    const auto part = text.substr(0, end);
    text.remove_prefix(end + 1);
    return part;
}

unsigned day_of(base::Time now) {
    const auto days = std::chrono::floor<std::chrono::days>(now).time_since_epoch().count() % static_cast<int>(kStamps);
    return static_cast<unsigned>(days < 0 ? days + static_cast<int>(kStamps) : days);
}

std::string stamp_of(base::Time now) {
    const unsigned day = day_of(now);
    return {kBase32[day >> 5U], kBase32[day & 31U]};
}

std::optional<unsigned> day_of_stamp(std::string_view stamp) {
    if (stamp.size() != kStampLength) return std::nullopt;
    const auto high = kBase32.find(base::to_lower(stamp[0]));
    const auto low = kBase32.find(base::to_lower(stamp[1]));
    if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
    return static_cast<unsigned>(high * 32 + low);
}

std::string hash_of(std::string_view key, std::string_view text) {
    const std::string signed_text = lower(text);
    std::array<unsigned char, EVP_MAX_MD_SIZE> octets{};
    unsigned size = 0;
    ::HMAC(::EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(signed_text.data()),
           signed_text.size(), octets.data(), &size);
    std::string hash;
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < kHashLength * 5 / 8; ++i) bits = bits << 8U | octets[i];
    for (std::size_t i = 0; i < kHashLength; ++i) hash.push_back(kBase32[bits >> (5 * (kHashLength - 1 - i)) & 31U]);
    return hash;
}

/// Of an address that another host rewrote: the host that did it first, and what it needs, with the separator it chose.
struct Rewritten {
    std::string_view first_forwarder;
    std::string_view rest;
};

std::optional<Rewritten> parse_rewritten(const mail::Mailbox& sender) {
    std::string_view local = sender.local;
    if (local.size() > kFirst.size() && begins_with(local, "SRS0") && std::string_view("=+-").contains(local[4]))
        return Rewritten{sender.domain.text(), local.substr(4)};
    if (local.size() <= kSecond.size() || !begins_with(local, "SRS1") || !std::string_view("=+-").contains(local[4])) return std::nullopt;
    local.remove_prefix(kSecond.size());
    if (!take_part(local)) return std::nullopt;  // that host's hash
    const auto forwarder = take_part(local);
    if (!forwarder || local.empty() || !mail::parse_domain(*forwarder)) return std::nullopt;
    return Rewritten{*forwarder, local};
}

std::unexpected<base::Error> damaged() { return fail(ErrorKind::invalid, "a rewritten sender that is damaged"); }
std::unexpected<base::Error> forged() { return fail(ErrorKind::invalid, "a rewritten sender that is not signed by us"); }

}  // namespace

Result<Srs> Srs::make(Options options) {
    if (options.domain.empty() || options.domain.is_literal()) return fail(ErrorKind::invalid, "rewriting senders needs a domain");
    const bool lacks_key = options.keys.empty() || std::ranges::any_of(options.keys, &std::string::empty);
    if (lacks_key) return fail(ErrorKind::invalid, "rewriting senders needs a key, and no empty one");
    if (options.lifetime < std::chrono::days(1) || options.lifetime > kLongestLifetime)
        return fail(ErrorKind::invalid, "rewritten senders hold for 1 to 500 days");
    return Srs(std::move(options));
}

bool Srs::is_signed(std::string_view hash, std::string_view text) const {
    const std::string given = lower(hash);
    if (given.size() != kHashLength) return false;
    return std::ranges::any_of(options_.keys, [&](const std::string& key) {
        const std::string expected = hash_of(key, text);
        return ::CRYPTO_memcmp(given.data(), expected.data(), kHashLength) == 0;
    });
}

Result<mail::Mailbox> Srs::make_address(std::string local) const {
    if (local.size() > kLongestLocal) return fail(ErrorKind::too_long, "the rewritten sender has over 64 octets before the '@'");
    return mail::Mailbox{std::move(local), options_.domain};
}

Result<mail::Mailbox> Srs::rewrite(const mail::Mailbox& sender, base::Time now) const {
    if (sender.domain == options_.domain || sender.domain.empty()) return sender;
    if (const auto rewritten = parse_rewritten(sender)) {
        const std::string text = std::string(rewritten->first_forwarder).append("=").append(rewritten->rest);
        return make_address(std::string(kSecond) + hash_of(options_.keys.front(), std::string(kSecond) + text) + "=" + text);
    }
    const std::string text = stamp_of(now) + "=" + sender.domain.text() + "=" + sender.local;
    return make_address(std::string(kFirst) + hash_of(options_.keys.front(), std::string(kFirst) + text) + "=" + text);
}

bool Srs::is_ours(const mail::Mailbox& recipient) const {
    return recipient.domain == options_.domain && (begins_with(recipient.local, kFirst) || begins_with(recipient.local, kSecond));
}

Result<mail::Mailbox> Srs::restore(const mail::Mailbox& recipient, base::Time now) const {
    if (!is_ours(recipient)) return fail(ErrorKind::not_found, "not a sender that we rewrote");
    const std::string_view rest = std::string_view(recipient.local).substr(kFirst.size());
    return begins_with(recipient.local, kFirst) ? restore_first(rest, now) : restore_second(rest);
}

/// `hash=stamp=domain=local`
Result<mail::Mailbox> Srs::restore_first(std::string_view rest, base::Time now) const {
    const auto hash = take_part(rest);
    if (!hash) return damaged();
    if (!is_signed(*hash, std::string(kFirst).append(rest))) return forged();
    const auto stamp = take_part(rest);
    const auto domain = take_part(rest);
    const auto day = day_of_stamp(stamp.value_or(""));
    if (!day || !domain || rest.empty()) return damaged();
    // A day ahead: a node whose clock is a little before ours, around midnight.
    const unsigned age = (day_of(now) + kStamps - *day) % kStamps;
    if (age > static_cast<unsigned>(options_.lifetime.count()) && age != kStamps - 1)
        return fail(ErrorKind::invalid, "a rewritten sender that is too old");
    auto parsed = mail::parse_domain(*domain);
    if (!parsed) return damaged();
    return mail::Mailbox{std::string(rest), *std::move(parsed)};
}

/// `hash=forwarder=` and what stood behind `SRS0` there. Its age is for that host to judge.
Result<mail::Mailbox> Srs::restore_second(std::string_view rest) const {
    const auto hash = take_part(rest);
    if (!hash) return damaged();
    if (!is_signed(*hash, std::string(kSecond).append(rest))) return forged();
    const auto forwarder = take_part(rest);
    auto parsed = mail::parse_domain(forwarder.value_or(""));
    if (!parsed || rest.empty()) return damaged();
    return mail::Mailbox{"SRS0" + std::string(rest), *std::move(parsed)};
}

}  // namespace thurn::mailauth
