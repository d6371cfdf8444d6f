#include "admin/alarm_commands.h"

#include "mail/date.h"

#include <boost/json/array.hpp>

namespace thurn::admin {

namespace json = boost::json;

namespace {

std::string text_of(const json::object& request, const char* key) {
    const auto* value = request.if_contains(key);
    return value && value->is_string() ? std::string(value->as_string()) : std::string();
}

json::object render(const policy::AlarmBook::Entry& entry) {
    const auto& alarm = entry.alarm;
    return {{"kind", name_of(alarm.kind)},
            {"subject", alarm.subject},
            {"client", alarm.client},
            {"login", alarm.login},
            {"message", alarm.message},
            {"detail", alarm.detail},
            {"first", mail::render_timestamp(entry.first)},
            {"last", mail::render_timestamp(entry.last)},
            {"count", entry.count}};
}

json::object render(const policy::AccountBaseline::Told& told) {
    const auto hour = [](std::uint32_t messages, std::uint32_t recipients, std::uint32_t fresh) {
        return json::object{{"messages", messages}, {"recipients", recipients}, {"new_recipients", fresh}};
    };
    return {{"held_because", told.jump ? json::value(told.jump->reason()) : json::value(nullptr)},
            {"held_since", told.jump ? json::value(mail::render_timestamp(told.since)) : json::value(nullptr)},
            {"last_hour", hour(told.messages, told.recipients, told.new_recipients)},
            {"usual_hour", hour(told.usual_messages, told.usual_recipients, told.usual_new_recipients)}};
}

struct Parts {
    policy::AlarmBook* book;
    policy::AccountBaseline* accounts;
    const base::Clock* clock;
    base::Log* log;
    SaveWatch save;
};

boost::asio::awaitable<ControlResult> async_list(Parts parts, json::object request) { co_return list_alarms(*parts.book, request); }
boost::asio::awaitable<ControlResult> async_count(Parts parts) { co_return json::value(count_alarms(*parts.book)); }
boost::asio::awaitable<ControlResult> async_show(Parts parts, json::object request) {
    co_return show_accounts(*parts.accounts, request, parts.clock->now());
}
boost::asio::awaitable<ControlResult> async_release(Parts parts, json::object request) {
    auto released = release_account(*parts.accounts, request, parts.clock->now(), *parts.log);
    if (!released) co_return released;
    if (auto saved = co_await parts.save(); !saved) co_return base::pass_on(saved);
    co_return released;
}

}  // namespace

ControlResult list_alarms(const policy::AlarmBook& book, const json::object& request) {
    std::optional<policy::AlarmKind> kind;
    if (const auto name = text_of(request, "kind"); !name.empty()) {
        kind = policy::alarm_kind_of(name);
        if (!kind) return base::fail(base::ErrorKind::invalid, "there is no kind of alarm \"" + name + "\"");
    }
    base::Time since{};
    if (const auto* seconds = request.if_contains("since"); seconds && seconds->is_int64())
        since = base::Time(std::chrono::seconds(seconds->as_int64()));
    json::array result;
    for (const auto& entry : book.list(since, kind)) result.push_back(render(entry));
    return json::value(std::move(result));
}

json::object count_alarms(const policy::AlarmBook& book) {
    json::object result;
    const auto counts = book.counts();
    for (std::size_t kind = 0; kind < counts.size(); ++kind) result[policy::kAlarmKindNames[kind]] = counts[kind];
    return result;
}

ControlResult show_accounts(const policy::AccountBaseline& accounts, const json::object& request, base::Time now) {
    json::object result;
    if (const auto* logins = request.if_contains("logins"); logins && logins->is_array())
        for (const auto& login : logins->as_array()) {
            if (!login.is_string()) continue;
            if (const auto told = accounts.find(login.as_string(), now)) result[login.as_string()] = render(*told);
        }
    return json::value(std::move(result));
}

ControlResult release_account(policy::AccountBaseline& accounts, const json::object& request, base::Time now, base::Log& log) {
    const auto login = text_of(request, "login");
    if (login.empty()) return base::fail(base::ErrorKind::invalid, "no login");
    const bool released = accounts.release(login, now);
    if (released) log.warning("account_released", {{"login", login}, {"by", "operator"}});
    return json::value(released);
}

std::map<std::string, ControlHandler> alarm_handlers(policy::AlarmBook& book, policy::AccountBaseline& accounts, const base::Clock& clock,
                                                     base::Log& log, SaveWatch save) {
    const Parts parts{&book, &accounts, &clock, &log, std::move(save)};
    return {{"alarms.list", [parts](json::object request) { return async_list(parts, std::move(request)); }},
            {"alarms.counts", [parts](const json::object&) { return async_count(parts); }},
            {"accounts.show", [parts](json::object request) { return async_show(parts, std::move(request)); }},
            {"accounts.release", [parts](json::object request) { return async_release(parts, std::move(request)); }}};
}

}  // namespace thurn::admin
