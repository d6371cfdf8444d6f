#include "admin/alarm_commands.h"
#include "app/command.h"
#include "app/kept_watch.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <fmt/format.h>

namespace thurn::app {

namespace json = boost::json;

namespace {

std::string text(const json::object& object, const char* key) {
    const auto* value = object.if_contains(key);
    return value && value->is_string() ? std::string(value->as_string()) : std::string();
}

void print_counts(const json::object& counts) {
    std::vector<std::vector<std::string>> rows;
    for (const auto& [kind, count] : counts) rows.push_back({std::string(kind), fmt::format("{}", count.to_number<std::uint64_t>())});
    print_table({"KIND", "EVER"}, rows);
}

void print_alarms(const json::array& alarms) {
    std::vector<std::vector<std::string>> rows;
    for (const auto& entry : alarms) {
        const auto& alarm = entry.as_object();
        const auto client = text(alarm, "client");
        const auto subject = text(alarm, "subject");
        rows.push_back({text(alarm, "last"), text(alarm, "kind"), fmt::format("{}", alarm.at("count").to_number<std::uint64_t>()), subject,
                        client.empty() || client == subject ? "-" : client, text(alarm, "detail")});
    }
    if (rows.empty())
        print_line("No alarms.");
    else
        print_table({"LAST", "KIND", "COUNT", "ABOUT", "CLIENT", "WHAT"}, rows);
}

}  // namespace

int alarms_command(const CommandContext& context, const AlarmsCommand& command) {
    const auto loaded = load_configuration(context);
    if (!loaded) return complain(loaded.error());
    json::object request{{"command", command.counts ? "alarms.counts" : "alarms.list"}, {"kind", command.kind}};
    if (!command.since.empty()) {
        const auto since = read_moment(command.since);
        if (!since) return complain({base::ErrorKind::invalid, "--since: " + since.error().detail});
        request["since"] = std::chrono::duration_cast<std::chrono::seconds>(since->time_since_epoch()).count();
    }
    if (auto done = act_as_owner(loaded->config); !done) return complain(done.error());
    const auto answer = ask_watch(loaded->config, request);
    if (!answer) return complain(answer.error());
    if (context.json)
        print_json(*answer);
    else if (command.counts)
        print_counts(answer->as_object());
    else
        print_alarms(answer->as_array());
    return exit_ok;
}

}  // namespace thurn::app
