#include "admin/control_server.h"
#include "admin/queue_commands.h"
#include "app/command.h"
#include "app/stores.h"
#include "app/system.h"

#include <algorithm>
#include <future>
#include <limits>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <fmt/format.h>

namespace thurn::app {

namespace json = boost::json;

namespace {

constexpr std::size_t kListed = 1000;        // unless --limit says otherwise
constexpr std::size_t kChangedAtOnce = 500;  // messages of one request: each costs a sync

std::string text(const json::object& object, const char* key) {
    const auto* value = object.if_contains(key);
    if (!value) return {};
    return value->is_string() ? std::string(value->as_string()) : fmt::format("{}", value->to_number<std::int64_t>());
}

/// The running server, or the spool itself when none runs.
class Queue {
public:
    explicit Queue(const config::Config& config) : config_(config) {}

    admin::ControlResult list(const admin::QueueFilter& filter) {
        json::object request{{"command", "queue.list"}};
        admin::write_filter(filter, request);
        return ask(request, [&](spool::Spool& spool) { return admin::list_queue(spool, filter, admin::why_at_rest); });
    }
    admin::ControlResult show(base::MessageId id) {
        return ask({{"command", "queue.show"}, {"id", id.text()}},
                   [&](spool::Spool& spool) { return admin::show_message(spool, id, admin::why_at_rest); });
    }
    admin::ControlResult stats() {
        return ask({{"command", "queue.stats"}},
                   [](spool::Spool& spool) -> admin::ControlResult { return admin::render_stats(spool.stats()); });
    }
    /// Changes need the server: it alone knows what is under way.
    admin::ControlResult change(const std::string& verb, const std::vector<std::string>& ids) {
        std::uint64_t recipients = 0, messages = 0;
        for (std::size_t from = 0; from < ids.size(); from += kChangedAtOnce) {
            json::array some;
            for (auto at = from; at < std::min(from + kChangedAtOnce, ids.size()); ++at) some.push_back(json::value(ids[at]));
            const auto changed = admin::ask_server(socket(), {{"command", "queue.change"}, {"change", verb}, {"ids", std::move(some)}});
            if (!changed) return changed;
            recipients += changed->as_object().at("recipients").to_number<std::uint64_t>();
            messages += changed->as_object().at("messages").to_number<std::uint64_t>();
        }
        return json::object{{"recipients", recipients}, {"messages", messages}};
    }

private:
    std::filesystem::path socket() const { return config_.data_dir / "control.sock"; }

    template <class Offline>
    admin::ControlResult ask(const json::object& request, Offline offline) {
        auto answer = admin::ask_server(socket(), request);
        if (answer || answer.error().kind != base::ErrorKind::peer_gone) return answer;
        std::error_code ignored;
        if (!std::filesystem::exists(config_.data_dir / "spool", ignored)) return answer;
        SystemClock clock;
        SystemRandom random;
        base::NullLog log;
        const auto claim = claim_spool(config_);
        if (!claim) return std::unexpected(claim.error());
        const auto spool = open_spool(config_, clock, random, log);
        if (!spool) return std::unexpected(spool.error());
        return offline(*spool->spool);
    }

    const config::Config& config_;
};

void print_recipient(const json::object& recipient) {
    auto line = fmt::format("    {}: {}", text(recipient, "address"), text(recipient, "state"));
    if (const auto reason = text(recipient, "reason"); !reason.empty()) line += "; " + reason;
    if (const auto until = text(recipient, "until"); !until.empty()) line += "; until " + until;
    if (const auto site = text(recipient, "site"); !site.empty()) line += "; site " + site;
    if (const auto attempts = text(recipient, "attempts"); attempts != "0") line += fmt::format(" ({} attempts)", attempts);
    print_line(line);
}

void print_message(const json::object& message) {
    print_line(fmt::format("{}  {}  {} octets  from <{}>", text(message, "id"), text(message, "accepted"), text(message, "size"),
                           text(message, "from")));
    for (const auto& recipient : message.at("recipients").as_array()) print_recipient(recipient.as_object());
}

/// An empty answer to a filter is told with the filter: it may have a typing error in it.
std::string no_messages(const QueueCommand& command) {
    std::string text = "0 messages";
    for (const auto& [word, value] :
         {std::pair{" from ", &command.from}, {" to ", &command.to}, {" of login ", &command.login}, {" bound for site ", &command.site}})
        if (!value->empty()) text += word + *value;
    if (!command.site.empty()) text += "; `thurn queue list` and `thurn queue stats` name the sites";
    return text;
}

int print_list(const CommandContext& context, const QueueCommand& command, const admin::ControlResult& result) {
    if (!result) return complain(result.error());
    if (context.json) {
        print_json(*result);
        return exit_ok;
    }
    const auto& messages = result->as_array();
    for (const auto& message : messages) print_message(message.as_object());
    print_line(messages.empty() ? no_messages(command) : messages.size() == 1 ? "1 message" : fmt::format("{} messages", messages.size()));
    if (messages.size() == command.limit.value_or(kListed))
        print_line("There may be more: `thurn queue stats` counts them, --limit lists them.");
    return exit_ok;
}

int print_stats(const CommandContext& context, const admin::ControlResult& result) {
    if (!result) return complain(result.error());
    if (context.json) {
        print_json(*result);
        return exit_ok;
    }
    const auto& stats = result->as_object();
    for (const auto& [key, value] : stats)
        if (value.is_number()) print_line(fmt::format("{:<16} {}", std::string_view(key), value.to_number<std::uint64_t>()));
    const auto* sites = stats.if_contains("sites");
    if (!sites || sites->as_array().empty()) return exit_ok;
    std::vector<std::vector<std::string>> rows;
    for (const auto& entry : sites->as_array()) {
        const auto& site = entry.as_object();
        rows.push_back({text(site, "site"), text(site, "ready"), text(site, "running"), text(site, "connections"), text(site, "allowed"),
                        text(site, "resting_until")});
    }
    print_table({"SITE", "READY", "RUNNING", "CONNECTIONS", "ALLOWED", "RESTS UNTIL"}, rows);
    return exit_ok;
}

std::vector<std::string> ids_of(const json::value& list) {
    std::vector<std::string> ids;
    for (const auto& message : list.as_array()) ids.push_back(text(message.as_object(), "id"));
    return ids;
}

admin::QueueFilter filter_of(const QueueCommand& command, std::size_t limit) {
    using Which = admin::QueueFilter::Which;
    return {.from = command.from,
            .to = command.to,
            .site = command.site,
            .login = command.login,
            .limit = command.limit.value_or(limit),
            .which = command.quarantine ? Which::held : Which::all};
}

/// In quarantine is what is held: the rest of the queue is not for `thurn quarantine` to touch.
base::Result<void> check_held(Queue& queue, const std::vector<std::string>& ids) {
    for (const auto& id : ids) {
        const auto message = queue.show(*read_message_id(id));
        if (!message) return std::unexpected(message.error());
        const auto held = [](const json::value& recipient) { return text(recipient.as_object(), "state") == "held"; };
        if (!std::ranges::any_of(message->at("recipients").as_array(), held))
            return base::fail(base::ErrorKind::invalid, id + " is not in quarantine");
    }
    return {};
}

/// By id at once; by filter only after the count was shown and --yes given.
int change(const CommandContext& context, const QueueCommand& command, Queue& queue) {
    auto ids = command.ids;
    if (ids.empty()) {
        if (!command.all && command.from.empty() && command.to.empty() && command.site.empty() && command.login.empty())
            return complain({base::ErrorKind::invalid, "name messages by id, or choose them with --from, --to, --login, --site or --all"});
        constexpr auto all = std::numeric_limits<std::size_t>::max();
        const auto list = queue.list(filter_of(command, all));
        if (!list) return complain(list.error());
        ids = ids_of(*list);
        if (!command.yes) {
            print_line(fmt::format("would {} {} messages; say so again with --yes to do it", command.verb, ids.size()));
            return ids.empty() ? exit_ok : exit_no;
        }
        if (ids.empty()) {
            print_line("0 messages");
            return exit_ok;
        }
    }
    const auto result = queue.change(command.verb, ids);
    if (!result) return complain(result.error());
    if (context.json)
        print_json(*result);
    else
        print_line(fmt::format("{}: {} recipients of {} messages", command.verb, text(result->as_object(), "recipients"),
                               text(result->as_object(), "messages")));
    return result->as_object().at("messages").to_number<std::uint64_t>() > 0 ? exit_ok : exit_no;
}

}  // namespace

int queue_command(const CommandContext& context, const QueueCommand& command) {
    const auto loaded = load_configuration(context);
    if (!loaded) return complain(loaded.error());
    Queue queue(loaded->config);
    if (command.verb == "list") return print_list(context, command, queue.list(filter_of(command, kListed)));
    if (command.verb == "stats") return print_stats(context, queue.stats());
    for (const auto& id : command.ids)
        if (const auto parsed = read_message_id(id); !parsed) return complain(parsed.error());
    if (command.quarantine)
        if (const auto held = check_held(queue, command.ids); !held) return complain(held.error());
    if (command.verb != "show") return change(context, command, queue);
    const auto message = queue.show(*read_message_id(command.ids.at(0)));
    if (!message) return complain(message.error());
    if (context.json)
        print_json(*message);
    else
        print_message(message->as_object());
    return exit_ok;
}

}  // namespace thurn::app
