#include "admin/ban_commands.h"
#include "app/command.h"
#include "app/kept_policy.h"
#include "config/duration.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <fmt/format.h>

namespace thurn::app {

namespace json = boost::json;

namespace {

using admin::ControlResult;

std::string text(const json::object& object, const char* key) {
    const auto* value = object.if_contains(key);
    return value && value->is_string() ? std::string(value->as_string()) : std::string();
}

ControlResult answer(const json::object& request, const KeptPolicy& kept) {
    policy::LoginGuard guard({.seed = kept.seed});
    kept.state.add("logins", guard);
    const auto verb = text(request, "command");
    if (verb == "bans.list") return json::value(admin::list_bans(guard, kept.now));
    auto changed =
        verb == "bans.add" ? admin::add_ban(guard, request, kept.now, kept.log) : admin::remove_ban(guard, request, kept.now, kept.log);
    if (auto saved = kept.state.save(); !saved) return base::pass_on(saved);
    return changed;
}

ControlResult ask(const config::Config& config, const json::object& request) {
    return ask_or_open(config, request, [&](const KeptPolicy& kept) { return answer(request, kept); });
}

void print_bans(const json::array& bans) {
    std::vector<std::vector<std::string>> rows;
    for (const auto& entry : bans) {
        const auto& ban = entry.as_object();
        const bool by_hand = text(ban, "by") == "hand";
        const auto until = text(ban, "until");
        rows.push_back({text(ban, "subject"), text(ban, "since"), until.empty() ? "it is lifted" : until,
                        by_hand ? "hand" : fmt::format("{} failures", ban.at("failures").to_number<std::uint64_t>()), text(ban, "reason")});
    }
    if (rows.empty())
        print_line("Nobody is banned.");
    else
        print_table({"WHO", "SINCE", "UNTIL", "BY", "REASON"}, rows);
}

/// For a timer: two sets, emptied and filled in one transaction. The table is made when it is not there; rules that use the sets are the
/// administrator's.
void print_for_nftables(const json::array& bans) {
    print_line("add table inet thurn");
    for (const auto& [set, type, ipv6] : {std::tuple{"bans4", "ipv4_addr", false}, {"bans6", "ipv6_addr", true}}) {
        print_line(fmt::format("add set inet thurn {} {{ type {}; flags interval; auto-merge; }}", set, type));
        print_line(fmt::format("flush set inet thurn {}", set));
        for (const auto& entry : bans) {
            const auto& ban = entry.as_object();
            const auto subject = text(ban, "subject");
            if (text(ban, "of") == "network" && (subject.find(':') != std::string::npos) == ipv6)
                print_line(fmt::format("add element inet thurn {} {{ {} }}", set, subject));
        }
    }
}

int list(const CommandContext& context, const BansCommand& command, const config::Config& config) {
    const auto bans = ask(config, {{"command", "bans.list"}});
    if (!bans) return complain(bans.error());
    if (command.nftables)
        print_for_nftables(bans->as_array());
    else if (context.json)
        print_json(*bans);
    else
        print_bans(bans->as_array());
    return exit_ok;
}

int add(const CommandContext& context, const BansCommand& command, const config::Config& config) {
    json::object request{{"command", "bans.add"}, {"reason", command.reason}};
    if (!command.length.empty()) {
        const auto length = config::parse_duration(command.length);
        if (!length) return complain({base::ErrorKind::invalid, "--for: " + length.error().detail});
        if (length->count() == 0) return complain({base::ErrorKind::invalid, "--for: must be at least 1s"});
        request["seconds"] = length->count();
    }
    json::array added;
    for (const auto& subject : command.subjects) {
        request["subject"] = subject;
        const auto ban = ask(config, request);
        if (!ban) return complain(ban.error());
        added.push_back(*ban);
    }
    if (context.json)
        print_json(added);
    else
        print_bans(added);
    return exit_ok;
}

/// Exit code 1 when one of them was not banned.
int remove(const CommandContext& context, const BansCommand& command, const config::Config& config) {
    bool all = true;
    json::array lifted;
    for (const auto& subject : command.subjects) {
        const auto was_banned = ask(config, {{"command", "bans.remove"}, {"subject", subject}});
        if (!was_banned) return complain(was_banned.error());
        all = all && was_banned->as_bool();
        lifted.push_back(json::object{{"subject", subject}, {"was_banned", *was_banned}});
        if (!context.json) print_line(fmt::format("{}: {}", subject, was_banned->as_bool() ? "no longer banned" : "was not banned"));
    }
    if (context.json) print_json(lifted);
    return all ? exit_ok : exit_no;
}

}  // namespace

int bans_command(const CommandContext& context, const BansCommand& command) {
    const auto loaded = load_configuration(context);
    if (!loaded) return complain(loaded.error());
    for (const auto& subject : command.subjects)  // all or none
        if (const auto parsed = policy::parse_ban_subject(subject); !parsed)
            return complain({base::ErrorKind::invalid, parsed.error().detail});
    if (auto done = act_as_owner(loaded->config); !done) return complain(done.error());
    if (command.verb == "list") return list(context, command, loaded->config);
    return command.verb == "add" ? add(context, command, loaded->config) : remove(context, command, loaded->config);
}

}  // namespace thurn::app
