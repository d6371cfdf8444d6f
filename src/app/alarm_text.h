#pragma once

#include "policy/alarm.h"
#include "spool/spool.h"

#include <string>
#include <vector>

namespace thurn::app {

/// An alarm's mail: what happened, to whom, and what can be done.
struct AlarmMail {
    std::string hostname;
    std::string from;
    std::string to;
    std::string message_id;
    base::Time now{};
    std::vector<policy::AlarmBook::Entry> entries{};  // at least one
};
[[nodiscard]] std::string render_alarm_mail(const AlarmMail& mail);

/// What the webhook gets: host, kind, subject, client, login, message, detail, time.
[[nodiscard]] std::string render_alarm_json(const policy::AlarmBook::Entry& entry, const std::string& hostname);

/// For Prometheus, in its text form.
struct Metrics {
    std::array<std::uint64_t, policy::kAlarmKindNames.size()> alarms{};
    spool::SpoolStats spool{};
    base::Time now{};
};
[[nodiscard]] std::string render_metrics(const Metrics& metrics);

}  // namespace thurn::app
