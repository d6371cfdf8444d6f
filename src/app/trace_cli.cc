#include "admin/control_server.h"
#include "app/command.h"
#include "app/stores.h"
#include "app/system.h"
#include "config/duration.h"
#include "mail/date.h"

#include <boost/json/object.hpp>
#include <fmt/format.h>

namespace thurn::app {

namespace {

base::Result<trace::Query> make_query(const TraceCommand& command) {
    trace::Query query{.id = {}, .from = command.from, .to = command.to, .since = {}, .until = {}, .limit = command.limit};
    for (auto [text, target] : {std::pair{&command.since, &query.since}, {&command.until, &query.until}}) {
        if (text->empty()) continue;
        const auto moment = read_moment(*text);
        if (!moment) return std::unexpected(moment.error());
        *target = *moment;
    }
    return query;
}

int print_story(const CommandContext& context, trace::Journal& journal, base::MessageId id) {
    const auto events = journal.find(id);
    if (!events) return complain(events.error());
    if (events->empty()) return complain({base::ErrorKind::not_found, fmt::format("nothing is known of {}", id.text())});
    if (context.json)
        for (const auto& event : *events) print_line(trace::render_json(event));
    else
        fmt::print("{}", trace::render_story(*events));
    return exit_ok;
}

int search(const CommandContext& context, trace::Journal& journal, const trace::Query& query) {
    const auto ids = journal.search(query);
    if (!ids) return complain(ids.error());
    for (const auto id : *ids) {
        if (const int code = print_story(context, journal, id); code != exit_ok) return code;
        if (!context.json) print_line("");
    }
    if (!context.json) print_line(fmt::format("{} messages", ids->size()));
    return ids->empty() ? exit_no : exit_ok;
}

}  // namespace

base::Result<base::Time> read_moment(const std::string& text) {
    if (const auto ago = config::parse_duration(text)) return SystemClock().now() - *ago;
    std::tm parts{};
    const char* end = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
    if (!end) end = ::strptime(text.c_str(), "%Y-%m-%d", &parts);
    if (!end || (*end != '\0' && std::string_view(end) != "Z"))
        return base::fail(base::ErrorKind::syntax, fmt::format("\"{}\" is no time; write 2h, 2026-11-22 or 2026-11-22T10:00:00Z", text));
    return base::Time(std::chrono::seconds(::timegm(&parts)));
}

int trace_command(const CommandContext& context, const TraceCommand& command) {
    const auto loaded = load_configuration(context);
    if (!loaded) return complain(loaded.error());
    if (command.id.empty() && command.from.empty() && command.to.empty() && command.since.empty() && command.until.empty())
        return complain({base::ErrorKind::invalid, "name a message by its id, or search with --from, --to, --since, --until"});
    // A running server still holds its latest events; without one there is nothing to wait for.
    std::ignore = admin::ask_server(loaded->config.data_dir / "control.sock", {{"command", "trace.flush"}});
    base::NullLog log;
    const auto journal = read_journal(loaded->config, log);
    if (!journal) return complain(journal.error());
    if (command.id.empty()) {
        const auto query = make_query(command);
        return query ? search(context, **journal, *query) : complain(query.error());
    }
    const auto id = read_message_id(command.id);
    return id ? print_story(context, **journal, *id) : complain(id.error());
}

}  // namespace thurn::app
