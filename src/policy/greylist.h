#pragma once

#include "policy/hashed_table.h"
#include "policy/kept_state.h"
#include "policy/situation.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace thurn::policy {

/// How unknown triplets are treated; what the configuration says.
struct GreylistRules {
    std::chrono::seconds delay{300};                           // a triplet tried again after that long passes
    std::chrono::seconds retry_window = std::chrono::days(2);  // and not later than that; then it begins anew
    std::chrono::seconds keep = std::chrono::days(36);  // how long what passed is remembered, since it was last seen: over a month's bill
    unsigned known_after = 5;                           // triplets that have passed from one network, and it is not asked to wait any more
    /// Nothing waits that SPF says comes from one of these or from below: they send from many hosts, and try again from another.
    std::vector<std::string> known{"amazon.com",   "amazonses.com", "aol.com",    "apple.com",      "facebookmail.com", "fastmail.com",
                                   "freenet.de",   "github.com",    "gmail.com",  "gmx.at",         "gmx.ch",           "gmx.com",
                                   "gmx.de",       "gmx.net",       "google.com", "googlemail.com", "hotmail.com",      "icloud.com",
                                   "linkedin.com", "live.com",      "mac.com",    "me.com",         "microsoft.com",    "msn.com",
                                   "outlook.com",  "paypal.com",    "proton.me",  "protonmail.com", "t-online.de",      "web.de",
                                   "yahoo.com",    "ymail.com"};
};

/// What greylisting goes by (RFC 6647 §2.2.3).
///
/// Shape    `network`: the client's IPv4 /24 or IPv6 /64, as greylist_network() has it: big senders try again from another host. `sender` and
///          `recipient`: the envelope's addresses; empty for the null path.
struct Triplet {
    std::string network;
    std::string sender;
    std::string recipient;
};
/// Precondition: there is a recipient.
[[nodiscard]] Triplet triplet_of(const Situation& now);
[[nodiscard]] std::string greylist_network(std::string_view address);
/// A sender as it is compared: lower case, without a tag behind `+`, without what bounce addresses put in new for each message: the tag
/// of BATV and the hash of SRS, and any run of digits as one `#`.
[[nodiscard]] std::string greylist_sender(std::string_view sender);

/// Greylisting (RFC 6647): mail from somebody new is put off once. Mail servers try again, programs that only send do not.
///
/// States   new → waiting, from the first attempt until the delay is over → passed, until `keep` after it was last seen. A network from which enough
///          different triplets have passed is known: nothing from there waits.
/// Memory   32 octets a triplet, bounded, see HashedTable; hashes only. What was seen longest ago is forgotten first, waiting ones
///          before those that passed.
/// Threads  Any; restore() before anybody uses it.
/// Source   RFC 6647 §2.3, §4.
class Greylist final : public KeptState {
public:
    struct Options {
        std::size_t capacity = 500'000;
        std::uint64_t seed = 0;  // see KeyHasher
    };
    explicit Greylist(Options options) : seed_(options.seed), triplets_(options.capacity), networks_(options.capacity / 5) {}

    struct Verdict {
        enum class State { fresh, waiting, passed, known } state = State::fresh;
        std::chrono::seconds left{0};  // until it would pass
        /// Whether the answer is 450 4.7.1.
        [[nodiscard]] bool defers() const { return state == State::fresh || state == State::waiting; }
        /// As rules have it: `greylist_wait`.
        [[nodiscard]] FactValue wait() const;
        friend bool operator==(const Verdict&, const Verdict&) = default;
    };
    /// Notes the attempt.
    Verdict judge(const Triplet& triplet, const GreylistRules& rules, base::Time now);
    /// What judge() would say; nothing is noted. For `thurn explain`.
    [[nodiscard]] Verdict peek(const Triplet& triplet, const GreylistRules& rules, base::Time now) const;

    [[nodiscard]] std::size_t size() const { return triplets_.size(); }
    [[nodiscard]] std::string snapshot(base::Time now) const override;
    [[nodiscard]] base::Result<void> restore(std::string_view octets) override;
    [[nodiscard]] std::uint64_t changes() const override { return changes_.load(std::memory_order_relaxed); }

private:
    struct Seen {
        std::uint32_t first = 0;   // seconds since 1970; 0: it has passed
        std::uint32_t unused = 0;  // so that all octets mean something
        std::int64_t until = 0;    // milliseconds: when it is forgotten
        [[nodiscard]] base::Time kept_until() const { return base::Time(base::Duration(until)); }
    };
    struct Network {
        std::int64_t passed = 0;  // triplets
        std::int64_t until = 0;
        [[nodiscard]] base::Time kept_until() const { return base::Time(base::Duration(until)); }
    };
    [[nodiscard]] static Verdict verdict_of(const Seen& seen, const GreylistRules& rules, base::Time now);
    [[nodiscard]] bool is_known(HashedKey network, const GreylistRules& rules, base::Time now) const;
    void count_passed(HashedKey network, const GreylistRules& rules, base::Time now);
    [[nodiscard]] HashedKey key_of(const Triplet& triplet) const;
    [[nodiscard]] HashedKey key_of_network(const Triplet& triplet) const;

    std::uint64_t seed_;
    HashedTable<Seen> triplets_;
    HashedTable<Network> networks_;
    std::atomic<std::uint64_t> changes_{0};
};

}  // namespace thurn::policy
