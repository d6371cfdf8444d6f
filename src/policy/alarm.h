#pragma once

#include "base/clock.h"
#include "base/guarded.h"
#include "policy/kept_state.h"

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace thurn::policy {

/// What somebody should know of.
enum class AlarmKind : std::uint8_t {
    rule,           // a rule with `alarm = true`
    rate,           // a rate with `alarm = true` was exceeded
    account,        // an account sends more than it ever did, see AccountBaseline
    country,        // an account sends from a country from which it never sent
    login_attack,   // too many wrong passwords for one login
    lockout,        // too many wrong passwords from one client
    relay,          // a stranger wanted us to send on mail
    smuggling,      // lines or contents ended as only those do who want two servers to disagree (CVE-2023-51764)
    command_flood,  // more commands or errors than a connection may have
    spoofing,       // a stranger's mail in the name of a domain of ours that nothing proves, see unproven_names()
};
inline constexpr std::array<std::string_view, 10> kAlarmKindNames{"rule",    "rate",  "account",   "country",       "login_attack",
                                                                  "lockout", "relay", "smuggling", "command_flood", "spoofing"};
[[nodiscard]] constexpr std::string_view name_of(AlarmKind kind) { return kAlarmKindNames[static_cast<std::size_t>(kind)]; }
[[nodiscard]] std::optional<AlarmKind> alarm_kind_of(std::string_view name);

/// Shape    `subject`: whom or what it is about; alarms of one kind about one subject are one. No secrets in `detail`.
struct Alarm {
    AlarmKind kind = AlarmKind::rule;
    std::string subject{};
    std::string client{};
    std::string login{};
    std::string message{};  // its id
    std::string detail{};
    friend bool operator==(const Alarm&, const Alarm&) = default;
};

/// Where alarms go.
/// Threads  Any; quick.
class Alarms {
public:
    virtual ~Alarms() = default;
    /// Whether it is news, and should be logged: not one of many of the same.
    virtual bool raise(Alarm alarm) = 0;
};

/// The last alarms, and how many there were ever, of each kind.
///
/// Same     An alarm of the same kind about the same subject within ten minutes is counted with the first, and so is what comes when there were
///          fifty of a kind in ten minutes, whatever the subject: a flood of attacks is no flood of alarms.
/// Limits   Texts are cut after 300 octets; control octets become `?`.
/// Threads  Any; restore() before anybody uses it.
class AlarmBook final : public KeptState {
public:
    static constexpr std::size_t kKept = 1000;
    static constexpr std::chrono::minutes kSame{10};
    static constexpr unsigned kMostOfAKind = 50;  // within kSame

    struct Entry {
        Alarm alarm;
        base::Time first{};
        base::Time last{};
        std::uint64_t count = 1;
        friend bool operator==(const Entry&, const Entry&) = default;
    };
    /// The entry if it is a new one.
    std::optional<Entry> add(Alarm alarm, base::Time now);
    /// The latest first.
    [[nodiscard]] std::vector<Entry> list(base::Time since, std::optional<AlarmKind> kind) const;
    [[nodiscard]] std::array<std::uint64_t, kAlarmKindNames.size()> counts() const;

    [[nodiscard]] std::string snapshot(base::Time now) const override;
    [[nodiscard]] base::Result<void> restore(std::string_view octets) override;
    [[nodiscard]] std::uint64_t changes() const override { return changes_.load(std::memory_order_relaxed); }

private:
    struct State {
        std::deque<Entry> entries;  // the oldest first
        std::uint64_t gone = 0;     // entries that were before the first one
        std::unordered_map<std::string, std::uint64_t>
            open{};  // by kind and subject: the latest entry's number, counted from the very first
        std::array<std::uint64_t, kAlarmKindNames.size()> counts{};
        struct Window {
            base::Time begun{};
            unsigned news = 0;
        };
        std::array<Window, kAlarmKindNames.size()> windows{};
    };
    [[nodiscard]] static std::string key_of(const Alarm& alarm);
    [[nodiscard]] static Entry* find_same(State& state, const std::string& key, base::Time now);
    static Entry& append(State& state, Entry entry);

    base::Guarded<State> state_;
    std::atomic<std::uint64_t> changes_{0};
};

}  // namespace thurn::policy
