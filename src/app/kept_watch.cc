#include "app/kept_watch.h"

#include "admin/alarm_commands.h"
#include "app/stores.h"
#include "app/system.h"
#include "storage/policy_state.h"

namespace thurn::app {

namespace {

using admin::ControlResult;

ControlResult ask_what_is_kept(const config::Config& config, const boost::json::object& request) {
    const auto claim = claim_spool(config);
    if (!claim) return std::unexpected(claim.error());
    auto files = storage::PosixFilesystem::open((config.data_dir / "policy").string());
    if (!files) return base::pass_on(files);
    SystemClock clock;
    base::NullLog log;
    policy::AccountBaseline accounts({.seed = SystemRandom().next()});
    policy::AlarmBook book;
    storage::PolicyState state(*std::move(files), log, clock);
    state.add("accounts", accounts);
    state.add("alarms", book);
    const auto* command = request.if_contains("command");
    const auto verb = command && command->is_string() ? std::string_view(command->as_string()) : std::string_view();
    if (verb == "alarms.list") return admin::list_alarms(book, request);
    if (verb == "alarms.counts") return boost::json::value(admin::count_alarms(book));
    if (verb == "accounts.show") return admin::show_accounts(accounts, request, clock.now());
    auto released = admin::release_account(accounts, request, clock.now(), log);
    if (auto saved = state.save(); !saved) return base::pass_on(saved);
    return released;
}

}  // namespace

ControlResult ask_watch(const config::Config& config, const boost::json::object& request) {
    auto answer = admin::ask_server(config.data_dir / "control.sock", request);
    std::error_code ignored;
    if (answer || answer.error().kind != base::ErrorKind::peer_gone || !std::filesystem::exists(config.data_dir / "policy", ignored))
        return answer;
    return ask_what_is_kept(config, request);
}

}  // namespace thurn::app
