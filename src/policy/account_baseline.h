#pragma once

#include "policy/hashed_table.h"
#include "policy/kept_state.h"
#include "spool/message.h"

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace thurn::policy {

/// When an account sends more than it ever did, and what happens then; what the configuration says.
struct AccountRules {
    unsigned messages = 500;        // in an hour: fewer are never too many, whatever is usual
    unsigned recipients = 500;      // different ones in an hour, likewise
    unsigned new_recipients = 200;  // to whom it has not written lately, likewise
    unsigned factor = 5;            // so many times its busiest hour lately are too many
    unsigned bounces = 30;          // in a day, if they are bounce_percent of the recipients at least
    unsigned bounce_percent = 25;
    std::chrono::seconds learning = std::chrono::days(7);  // after the first message ever: alarms only, and what happens counts as usual
    enum class Deed { none, throttle, hold, suspend } deed = Deed::hold;
    bool alarm = true;
    enum class NewCountry { ignore, alarm, jump } new_country = NewCountry::alarm;
    std::vector<std::string> exempt{};  // logins, in lower case
    [[nodiscard]] bool any() const { return alarm || deed != Deed::none; }
};

/// What an account is about to do.
struct Submission {
    std::string_view login;
    std::span<const spool::Recipient> recipients;
    std::string_view country{};  // two letters; empty: not known
};

/// More than can be believed of an account.
struct Jump {
    enum class Of : std::uint32_t { none, messages, recipients, new_recipients, bounces, country } of = Of::none;
    std::uint32_t count = 0;
    std::uint32_t most = 0;
    std::string country{};
    /// `214 new recipients within an hour, over 200`.
    [[nodiscard]] std::string reason() const;
    friend bool operator==(const Jump&, const Jump&) = default;
};

/// What each account usually sends, from which a thief is told.
///
/// Usual    Of messages, different recipients and new recipients, the busiest hour of past days; it fades by a thirty-second a day. A day
///          counts when it is over, and not at all if something was wrong in it: so nobody gets an account used to ever more.
/// Hour     The hour of the clock, and of the hour before the part that still lies within sixty minutes.
/// New      To whom the account has not written lately: the last 256 are remembered, four of a kind in each of 64 places.
/// Odd      At hours of the day at which it has sent nothing for two months, half is too much already.
/// Jump     From then on it stays one until release(), if the deed is `hold` or `suspend`; `throttle` lets through what fits in the hour.
/// Memory   1.2 KiB an account, bounded, see HashedTable. Accounts that send nothing for three months are forgotten. Hashes only.
/// Cost     One look-up a message, one hash a recipient.
/// Threads  Any; restore() before anybody uses it.
class AccountBaseline final : public KeptState {
public:
    struct Options {
        std::size_t capacity = 50'000;
        std::uint64_t seed = 0;  // see KeyHasher
    };
    explicit AccountBaseline(Options options) : seed_(options.seed), table_(options.capacity) {}

    struct Verdict {
        std::optional<Jump> jump{};
        AccountRules::Deed deed = AccountRules::Deed::none;
        bool first = false;                 // nobody was told of it yet
        std::optional<Jump> new_country{};  // beside a jump, or without
    };
    /// Counts a message.
    Verdict add(const Submission& message, const AccountRules& rules, base::Time now);
    /// Counts a recipient to whom a message of the account could not be delivered.
    void add_bounce(std::string_view login, base::Time now);
    /// What happened was as it should be: it is usual from now on. False: nothing was wrong.
    bool release(std::string_view login, base::Time now);

    struct Told {
        std::optional<Jump> jump{};  // that holds its mail
        base::Time since{};
        std::uint32_t messages = 0, recipients = 0, new_recipients = 0;  // in the last hour
        std::uint32_t usual_messages = 0, usual_recipients = 0, usual_new_recipients = 0;
    };
    [[nodiscard]] std::optional<Told> find(std::string_view login, base::Time now) const;

    [[nodiscard]] std::string snapshot(base::Time now) const override;
    [[nodiscard]] base::Result<void> restore(std::string_view octets) override;
    [[nodiscard]] std::uint64_t changes() const override { return changes_.load(std::memory_order_relaxed); }

private:
    struct Counts {
        std::uint32_t messages = 0;
        std::uint32_t recipients = 0;
        std::uint32_t new_recipients = 0;
    };
    struct Country {
        std::uint16_t code = 0;
        std::uint16_t day = 0;  // of its last message from there
    };
    static constexpr std::size_t kPlaces = 64, kOfAPlace = 4;
    struct Account {
        std::int64_t until = 0;   // milliseconds since 1970
        std::uint32_t hour = 0;   // since 1970: of `counts`
        std::uint32_t begun = 0;  // day of its first message
        Counts counts{};
        Counts before{};   // of the hour before
        Counts busiest{};  // of today
        Counts usual{};
        std::uint32_t recipients_lately = 0;  // of today and, fading, of the days before: bounces come late
        std::uint32_t day_bounces = 0;
        std::uint32_t told = 0;  // day of the last alarm, or hour of the last throttling
        std::uint32_t odd = 0;   // day that is not learnt from
        Jump::Of jump = Jump::Of::none;
        std::uint32_t jump_count = 0;
        std::uint32_t jump_most = 0;
        std::uint32_t jumped = 0;              // seconds since 1970
        std::uint32_t hours_today = 0;         // a bit for each hour of the day
        std::uint32_t unused = 0;              // so that all octets mean something
        std::array<std::uint16_t, 24> seen{};  // by hour of the day: the day of the last message then
        std::array<Country, 8> countries{};
        std::array<std::uint32_t, kPlaces * kOfAPlace> known{};  // fingerprint and hour of the last message, 16 bits each
        [[nodiscard]] base::Time kept_until() const { return base::Time(base::Duration(until)); }
    };
    static void catch_up(Account& account, std::uint32_t hour);
    static void meet(Account& account, std::uint64_t recipient, Counts& more);
    [[nodiscard]] static bool is_odd_hour(const Account& account);
    [[nodiscard]] static Counts within_an_hour(const Account& account, base::Time now);
    [[nodiscard]] static std::optional<Jump> find_jump(const Account& account, const Counts& counts, const AccountRules& rules);
    [[nodiscard]] static bool take_country(Account& account, std::string_view country);
    [[nodiscard]] static std::optional<Jump> jump_of(const Account& account);
    Verdict judge(Account& account, std::span<const std::uint64_t> recipients, const Submission& message, const AccountRules& rules,
                  base::Time now) const;
    [[nodiscard]] bool is_learning(const AccountRules& rules, base::Time now) const;
    [[nodiscard]] HashedKey key_of(std::string_view login) const;

    std::uint64_t seed_;
    HashedTable<Account> table_;
    std::atomic<std::int64_t> begun_{0};  // the first message of any account, seconds since 1970; 0: none yet
    std::atomic<std::uint64_t> changes_{0};
};

}  // namespace thurn::policy
