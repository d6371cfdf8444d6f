#pragma once

#include "base/clock.h"
#include "base/guarded.h"
#include "base/result.h"
#include "policy/snapshot.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace thurn::policy {

/// Whom a ban is about: `192.0.2.1`, `192.0.2.0/24`, `2001:db8::/64`, or a login such as `anna@example.com`.
struct BanSubject {
    enum class Of { network, account } of = Of::network;
    std::string text;  // one form for one subject: an account in lower case
    friend bool operator==(const BanSubject&, const BanSubject&) = default;
};
/// What does not look like an address or network is a login: up to 320 octets of UTF-8 without control characters.
/// Errors   `syntax`, `invalid`, `too_long`: none of these; saying what a network was perhaps meant to be.
[[nodiscard]] base::Result<BanSubject> parse_ban_subject(std::string_view text);

struct Ban {
    enum class By { hand, failures };
    BanSubject subject;
    By by = By::hand;
    std::string reason{};
    base::Time since{};
    std::optional<base::Time> until{};  // without: until it is lifted
    std::uint32_t failures = 0;         // that led to it
    [[nodiscard]] bool holds(base::Time now) const { return !until || now < *until; }
    friend bool operator==(const Ban&, const Ban&) = default;
};

/// Who is turned away for now, by hand or for failed logins; at most one ban for each subject.
///
/// Cost     A look-up parses the address and looks once for each length of prefix there is; with no ban it does nothing.
/// Memory   Bounded: of bans for failures those that end soonest are forgotten, further ones by hand are refused.
/// Threads  Any.
class Bans {
public:
    static constexpr std::size_t kMost = 100'000;
    static constexpr std::size_t kMostByHand = 10'000;
    static constexpr std::size_t kLongestReason = 200;

    /// In place of the subject's ban, if there is one; but none by hand gives way to one for failures.
    /// Errors   `full`; `too_long`: the reason.
    [[nodiscard]] base::Result<void> put(const Ban& ban, base::Time now);
    /// False when there is none.
    [[nodiscard]] bool lift(const BanSubject& subject);
    /// A ban of an address or of a network that it is in, one by hand before others.
    [[nodiscard]] std::optional<Ban> find_network(std::string_view address, base::Time now) const;
    [[nodiscard]] std::optional<Ban> find_account(std::string_view login, base::Time now) const;
    /// The latest first.
    [[nodiscard]] std::vector<Ban> list(base::Time now) const;

    void write(SnapshotWriter& out, base::Time now) const;
    /// Errors   `corrupt`.
    [[nodiscard]] static base::Result<std::vector<Ban>> read(SnapshotReader& in);
    /// In place of all there were.
    void fill(const std::vector<Ban>& bans, base::Time now);

private:
    struct Held {
        std::unordered_map<std::string, Ban> all;
        std::array<std::uint32_t, 129> of_length{};  // bans of networks with that many bits
        std::size_t by_hand = 0;
        void add(const Ban& ban);
        bool remove(const std::string& key);
    };
    [[nodiscard]] static base::Result<void> put(Held& held, const Ban& ban, base::Time now);
    static void make_room(Held& held, base::Time now);
    void note_size(const Held& held) { size_.store(held.all.size(), std::memory_order_relaxed); }

    base::Guarded<Held> held_;
    std::atomic<std::size_t> size_{0};  // spares the lock where there is none
};

}  // namespace thurn::policy
