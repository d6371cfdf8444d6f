#pragma once

#include "admin/control_server.h"
#include "base/clock.h"
#include "base/log.h"
#include "policy/login_guard.h"

#include <functional>
#include <map>
#include <string>

#include <boost/json/array.hpp>

namespace thurn::admin {

/// Who is turned away, as JSON: subject, of (`network` or `account`), by (`hand` or `failures`), reason, since, until (null: until it is
/// lifted), failures.
[[nodiscard]] boost::json::array list_bans(const policy::LoginGuard& guard, base::Time now);
/// `request` names the subject; reason and seconds may be left out. Logged as `banned`.
/// Errors   `syntax`, `invalid`: no subject; `too_long`, `full`.
[[nodiscard]] ControlResult add_ban(policy::LoginGuard& guard, const boost::json::object& request, base::Time now, base::Log& log);
/// Gives whether there was one. Logged as `unbanned`.
/// Errors   `syntax`, `invalid`: no subject.
[[nodiscard]] ControlResult remove_ban(policy::LoginGuard& guard, const boost::json::object& request, base::Time now, base::Log& log);

/// Called when something was changed; what it fails with is told.
using SaveBans = std::function<boost::asio::awaitable<base::Result<void>>()>;
/// What the running server answers: bans.list, bans.add, bans.remove.
[[nodiscard]] std::map<std::string, ControlHandler> ban_handlers(policy::LoginGuard& guard, const base::Clock& clock, base::Log& log,
                                                                 SaveBans save);

}  // namespace thurn::admin
