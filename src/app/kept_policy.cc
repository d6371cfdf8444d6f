#include "app/kept_policy.h"

#include "app/stores.h"
#include "app/system.h"

namespace thurn::app {

admin::ControlResult ask_or_open(const config::Config& config, const boost::json::object& request,
                                 const std::function<admin::ControlResult(const KeptPolicy&)>& answer) {
    auto answered = admin::ask_server(config.data_dir / "control.sock", request);
    std::error_code ignored;
    if (answered || answered.error().kind != base::ErrorKind::peer_gone || !std::filesystem::exists(config.data_dir / "spool", ignored))
        return answered;
    const auto claim = claim_spool(config);
    if (!claim) return std::unexpected(claim.error());
    auto files = storage::PosixFilesystem::open((config.data_dir / "policy").string());
    if (!files) return base::pass_on(files);
    SystemClock clock;
    base::NullLog log;
    storage::PolicyState state(*std::move(files), log, clock);
    return answer({.state = state, .now = clock.now(), .log = log, .seed = SystemRandom().next()});
}

}  // namespace thurn::app
