// The keys that sign and rewrite: read at start, and again when they change.
#include "app/assembly.h"
#include "app/authentication.h"
#include "app/running_server.h"

#include <boost/asio/steady_timer.hpp>

namespace thurn::app {

namespace json = boost::json;

namespace {

constexpr std::chrono::seconds kKeysWatched{30};

}  // namespace

base::Result<void> Server::prepare_signing(const config::Config& config) {
    auto signatory = load_signatory(config, keyring_, log_);
    if (!signatory) return base::pass_on(signatory);
    auto authentication = authentication_options(config, *std::move(signatory));
    if (!authentication) return base::pass_on(authentication);
    authentication_ = *std::move(authentication);
    return {};
}

base::Result<void> Server::prepare_rewriting(const config::Config& config) {
    auto rewriting = load_rewriting(config, srs_keys_, random_, clock_.now());
    if (!rewriting) return base::pass_on(rewriting);
    rewriting_ = *std::move(rewriting);
    return {};
}

base::Result<void> Server::prepare_keys(const config::Config& config) {
    if (auto done = prepare_signing(config); !done) return done;
    return prepare_rewriting(config);
}

/// Also what `thurn dkim` and `thurn srs` could not tell us of, and what was changed by hand.
asio::awaitable<void> Server::async_watch_keys() {
    asio::steady_timer pause(loops_.loop(0));
    while (stopping_ == Stopping::no) {
        pause.expires_after(kKeysWatched);
        co_await pause.async_wait(as_result);
        if (stopping_ == Stopping::no && (keyring_.changed() || (current_.srs && srs_keys_.changed()))) (void)take_up_keys();
    }
}

/// Keys to sign with and secrets to rewrite with, each for themselves: what cannot be read stays as it was, and keeps nothing else back.
base::Result<void> Server::take_up_keys() {
    base::Result<void> all;
    for (const auto read : {&Server::prepare_signing, &Server::prepare_rewriting}) {
        auto done = (this->*read)(current_);
        if (done) continue;
        log_.error("keys_not_read", {{"reason", done.error().detail}});
        if (all) all = std::move(done);
    }
    auto carriers = make_carriers(current_);
    if (!carriers) return base::pass_on(carriers);
    dispatcher_->configure(*std::move(carriers));
    service_->configure(service_options(current_));
    if (all) log_.info("keys_read");
    return all;
}

/// The command line changed them, and tells what came of it.
asio::awaitable<admin::ControlResult> Server::async_reload_keys() {
    if (auto taken = take_up_keys(); !taken) co_return base::pass_on(taken);
    co_return json::value(true);
}

}  // namespace thurn::app
