#pragma once

#include "admin/control_server.h"
#include "base/clock.h"
#include "base/log.h"
#include "policy/account_baseline.h"
#include "policy/alarm.h"

#include <functional>
#include <map>
#include <string>

namespace thurn::admin {

/// The last alarms, the latest first: kind, subject, client, login, message, detail, first, last, count. `request` may have `since`, in
/// seconds since 1970, and `kind`.
/// Errors   `invalid`: no such kind.
[[nodiscard]] ControlResult list_alarms(const policy::AlarmBook& book, const boost::json::object& request);
/// How many there were ever, by kind.
[[nodiscard]] boost::json::object count_alarms(const policy::AlarmBook& book);
/// By login of `request.logins`: what holds its mail and since when; what it sends in an hour, and what is usual. Nothing of those unknown.
[[nodiscard]] ControlResult show_accounts(const policy::AccountBaseline& accounts, const boost::json::object& request, base::Time now);
/// `request.login` sends what it should: true if it was held for that. Logged as `account_released`.
[[nodiscard]] ControlResult release_account(policy::AccountBaseline& accounts, const boost::json::object& request, base::Time now,
                                            base::Log& log);

/// Called when something was changed; what it fails with is told.
using SaveWatch = std::function<boost::asio::awaitable<base::Result<void>>()>;
/// What the running server answers: alarms.list, alarms.counts, accounts.show, accounts.release.
[[nodiscard]] std::map<std::string, ControlHandler> alarm_handlers(policy::AlarmBook& book, policy::AccountBaseline& accounts,
                                                                   const base::Clock& clock, base::Log& log, SaveWatch save);

}  // namespace thurn::admin
