#include "app/kept_watch.h"

#include "admin/alarm_commands.h"
#include "app/kept_policy.h"

namespace thurn::app {

namespace {

using admin::ControlResult;

ControlResult answer(const boost::json::object& request, const KeptPolicy& kept) {
    policy::AccountBaseline accounts({.seed = kept.seed});
    policy::AlarmBook book;
    kept.state.add("accounts", accounts);
    kept.state.add("alarms", book);
    const auto* command = request.if_contains("command");
    const auto verb = command && command->is_string() ? std::string_view(command->as_string()) : std::string_view();
    if (verb == "alarms.list") return admin::list_alarms(book, request);
    if (verb == "alarms.counts") return boost::json::value(admin::count_alarms(book));
    if (verb == "accounts.show") return admin::show_accounts(accounts, request, kept.now);
    auto released = admin::release_account(accounts, request, kept.now, kept.log);
    if (auto saved = kept.state.save(); !saved) return base::pass_on(saved);
    return released;
}

}  // namespace

ControlResult ask_watch(const config::Config& config, const boost::json::object& request) {
    return ask_or_open(config, request, [&](const KeptPolicy& kept) { return answer(request, kept); });
}

}  // namespace thurn::app
