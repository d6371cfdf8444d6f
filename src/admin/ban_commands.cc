#include "admin/ban_commands.h"

#include "mail/date.h"

#include <boost/json/array.hpp>

namespace thurn::admin {

namespace json = boost::json;

namespace {

constexpr std::int64_t kLongest = std::int64_t{86400} * 366 * 100;

std::string text_of(const json::object& request, const char* key) {
    const auto* value = request.if_contains(key);
    return value && value->is_string() ? std::string(value->as_string()) : std::string();
}

std::string_view name_of(policy::BanSubject::Of of) { return of == policy::BanSubject::Of::network ? "network" : "account"; }

json::object render(const policy::Ban& ban) {
    return {{"subject", ban.subject.text},
            {"of", name_of(ban.subject.of)},
            {"by", ban.by == policy::Ban::By::hand ? "hand" : "failures"},
            {"reason", ban.reason},
            {"since", mail::render_timestamp(ban.since)},
            {"until", ban.until ? json::value(mail::render_timestamp(*ban.until)) : json::value(nullptr)},
            {"failures", ban.failures}};
}

struct Parts {
    policy::LoginGuard* guard;
    const base::Clock* clock;
    base::Log* log;
    SaveBans save;
};

using Change = ControlResult (*)(policy::LoginGuard&, const json::object&, base::Time, base::Log&);

boost::asio::awaitable<ControlResult> async_list(Parts parts) { co_return json::value(list_bans(*parts.guard, parts.clock->now())); }

boost::asio::awaitable<ControlResult> async_change(Parts parts, Change change, json::object request) {
    auto changed = change(*parts.guard, request, parts.clock->now(), *parts.log);
    if (!changed) co_return changed;
    if (auto saved = co_await parts.save(); !saved) co_return base::pass_on(saved);
    co_return changed;
}

}  // namespace

json::array list_bans(const policy::LoginGuard& guard, base::Time now) {
    json::array result;
    for (const auto& ban : guard.list(now)) result.push_back(render(ban));
    return result;
}

ControlResult add_ban(policy::LoginGuard& guard, const json::object& request, base::Time now, base::Log& log) {
    auto subject = policy::parse_ban_subject(text_of(request, "subject"));
    if (!subject) return base::pass_on(subject);
    policy::Ban ban{.subject = *std::move(subject), .reason = text_of(request, "reason"), .since = now};
    if (const auto* seconds = request.if_contains("seconds")) {
        const auto* number = seconds->if_int64();
        if (!number || *number <= 0 || *number > kLongest) return base::fail(base::ErrorKind::invalid, "no time for a ban");
        ban.until = now + std::chrono::seconds(*number);
    }
    if (auto banned = guard.ban(ban, now); !banned) return base::pass_on(banned);
    log.warning("banned", {{"subject", ban.subject.text},
                           {"by", "operator"},
                           {"reason", ban.reason},
                           {"until", ban.until ? mail::render_timestamp(*ban.until) : std::string()}});
    return json::value(render(ban));
}

ControlResult remove_ban(policy::LoginGuard& guard, const json::object& request, base::Time now, base::Log& log) {
    const auto subject = policy::parse_ban_subject(text_of(request, "subject"));
    if (!subject) return std::unexpected(subject.error());
    const bool lifted = guard.lift(*subject, now);
    if (lifted) log.warning("unbanned", {{"subject", subject->text}, {"by", "operator"}});
    return json::value(lifted);
}

std::map<std::string, ControlHandler> ban_handlers(policy::LoginGuard& guard, const base::Clock& clock, base::Log& log, SaveBans save) {
    const Parts parts{&guard, &clock, &log, std::move(save)};
    return {{"bans.list", [parts](const json::object&) { return async_list(parts); }},
            {"bans.add", [parts](json::object request) { return async_change(parts, add_ban, std::move(request)); }},
            {"bans.remove", [parts](json::object request) { return async_change(parts, remove_ban, std::move(request)); }}};
}

}  // namespace thurn::admin
