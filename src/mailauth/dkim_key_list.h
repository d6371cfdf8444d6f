#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "mailauth/dkim_crypto.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace thurn::mailauth {

/// Where a key is in its life. Its DNS record must be there in all of them but the last.
enum class KeyState {
    prepublished,  // made, and signs later: receivers and their caches learn of it first
    active,        // signs
    retired,       // signs no more, but mail it signed is still under way
    removable,     // nobody needs it
};
[[nodiscard]] std::string_view name_of(KeyState state);

/// What is known of a key beside the key itself.
///
/// Shape    `domain` and `selector` as in SigningKey, the selector of one label. `from` <= `until` <= `record_until`.
struct ListedKey {
    std::string domain;
    std::string selector;
    base::Time made{};
    std::optional<base::Time> published{};        // when its record was first seen in DNS
    base::Time from = base::Time::min();          // it signs from then on
    base::Time until = base::Time::max();         // and no more at this moment
    base::Time record_until = base::Time::max();  // from then on its record may go
    friend bool operator==(const ListedKey&, const ListedKey&) = default;
};

/// A state, when it began and when it will end, where that is known.
struct KeyPhase {
    KeyState state = KeyState::active;
    base::Time since{};
    std::optional<base::Time> until{};
};
[[nodiscard]] KeyPhase phase_at(const ListedKey& key, base::Time now);
/// `s1._domainkey.example.com`
[[nodiscard]] std::string record_name(const ListedKey& key);

/// The list of a keyring, as text: a line for each key, `example.com s1 made=2026-11-22T15:00:00.000Z until=…`; lines that begin with `#`
/// are comments, a time that is not set is left out.
///
/// Errors   A line that is not right, or names a key a second time, is a problem that names it; the others count.
struct KeyList {
    std::vector<ListedKey> keys;
    std::vector<base::Error> problems;
};
[[nodiscard]] KeyList parse_key_list(std::string_view text);
/// By domain, then by when they sign.
[[nodiscard]] std::string render_key_list(std::vector<ListedKey> keys);

/// A planned change of a domain's keys: new ones sign after `prepublish`, and then those there are stop. Mail they signed finds their records
/// for `keep` from then on: it may wait in queues for days (RFC 6376 §3.1, RFC 5321 §4.5.4.1).
struct Rotation {
    std::string domain;
    base::Time now{};
    base::Duration prepublish{};
    base::Duration keep{};
};
/// The keys of the domain that would sign for ever, as they are with their end.
[[nodiscard]] std::vector<ListedKey> retire_keys(const std::vector<ListedKey>& keys, const Rotation& rotation);
/// What becomes of a domain when the keys that were to take over are removed: those that still sign go on, here without their end, unless
/// others sign after them. `keys`: all of one domain that remain.
[[nodiscard]] std::vector<ListedKey> resume_keys(const std::vector<ListedKey>& keys, base::Time now);
/// Those of the domain that do not sign yet: while there are any, a rotation is under way.
[[nodiscard]] std::vector<ListedKey> waiting_keys(const std::vector<ListedKey>& keys, std::string_view domain, base::Time now);
/// The selectors of a rotation's keys: the day, a number if it is not the day's first, a letter for the kind: `20261122r`, `20261122-2e`.
class FreshSelectors {
public:
    FreshSelectors(base::Time now, const std::vector<std::string>& taken);
    [[nodiscard]] std::string of(KeyType type) const { return prefix_ + letter(type); }

private:
    static char letter(KeyType type) { return type == KeyType::rsa ? 'r' : 'e'; }
    std::string prefix_;
};

}  // namespace thurn::mailauth
