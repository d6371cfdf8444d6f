// The wiring: who is made before whom, who runs on which thread, and in which order it all ends. Nothing here decides about mail.
#include "app/restart_needed.h"
#include "app/running_server.h"

#include <algorithm>
#include <csignal>
#include <functional>
#include <thread>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace thurn::app {

namespace {

constexpr std::size_t kBlockingThreads = 16;
constexpr std::chrono::seconds kStopGrace{5};  // for what is in transfer, in and out; what does not end by then is done again later

LogFormat log_format(const config::Config& config) { return config.log_format == "json" ? LogFormat::json : LogFormat::logfmt; }

base::LogLevel log_level(const config::Config& config) {
    if (config.log_level == "debug") return base::LogLevel::debug;
    if (config.log_level == "warning") return base::LogLevel::warning;
    if (config.log_level == "error") return base::LogLevel::error;
    return base::LogLevel::info;
}

std::size_t loop_count(const config::Config& config) {
    return config.threads != 0 ? config.threads : std::max(1U, std::thread::hardware_concurrency());
}

}  // namespace

Server::Server(config::Loaded loaded, const ServerOptions& options)
    : options_(options),
      config_(std::move(loaded.config)),
      settings_(std::move(loaded.settings)),
      log_(log_format(config_), log_level(config_), clock_),
      loops_(loop_count(config_)),
      pool_(kBlockingThreads),
      keyring_(config_.data_dir / "keys"),
      srs_keys_(config_.data_dir / "keys"),
      current_(config_) {
    for (const auto& warning : loaded.warnings) log_.warning("configuration", {{"warning", warning}});
}

base::Result<void> Server::start() {
    leave_descriptors_for_files(raise_descriptor_limit());
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGHUP, SIG_IGN);  // until async_watch_signals() listens for it: a reload that comes too early must not end us
    const auto identity = choose_identity(config_);
    if (!identity) return std::unexpected(identity.error());
    const std::function<base::Result<void>()> steps[] = {
        [&] { return prepare_data(identity->has_value() ? &**identity : nullptr); },
        [&] { return claim_data(); },
        [&] { return prepare_tls(); },
        [&] { return bind_listeners(); },
        [&] { return drop_root(*identity); },
        [&] { return open_stores(); },
        [&] { return prepare_keys(config_); },
        [&] { return prepare_countries(config_); },
        [&] { return open_state(); },
        [&] { return make_dispatcher(); },
        [&] { return make_reporting(); },
        [&] { return open_control(); },
    };
    for (const auto& step : steps)
        if (auto done = step(); !done) return done;
    make_service();
    start_listeners();
    dispatcher_->start();
    if (reporter_) reporter_->start();
    watch_.start(*spool_.spool);
    signals_.emplace(loops_.loop(0), SIGTERM, SIGINT, SIGHUP);
    asio::co_spawn(loops_.loop(0), async_watch_signals(), asio::detached);
    asio::co_spawn(loops_.loop(0), async_watch_keys(), asio::detached);
    asio::co_spawn(loops_.loop(0), async_watch_lists(), asio::detached);
    asio::co_spawn(loops_.loop(0), async_keep_state(), asio::detached);
    loops_.start();
    log_.info("started", {{"hostname", config_.hostname}, {"loops", loops_.count()}, {"data_dir", config_.data_dir.string()}});
    return {};
}

void Server::start_listeners() {
    for (auto& bound : listeners_)
        bound.listener.start(
            [this, &bound](asio::ip::tcp::socket socket) { service_->serve(std::move(socket), bound.profile, bound.loop); });
    for (auto& bound : local_listeners_)
        bound.listener.start([this, &bound](auto socket) { service_->serve(std::move(socket), bound.profile, 0); });
}

/// The first SIGTERM or SIGINT stops in order, a second one ends the waiting.
asio::awaitable<void> Server::async_watch_signals() {
    while (true) {
        const auto [error, number] = co_await signals_->async_wait(as_result);
        if (error) break;
        if (number == SIGHUP) {
            if (stopping_ == Stopping::no) reload();
        } else if (stopping_ == Stopping::no) {
            stopping_ = Stopping::in_order;
            asio::co_spawn(loops_.loop(0), async_stop(), asio::detached);
        } else if (stopping_ == Stopping::in_order) {
            stopping_ = Stopping::at_once;
            log_.info("stopping_at_once");
        }
    }
    ended_.set_value();
}

/// Accepts no more and begins no more; what is in transfer, in and out, has one grace to end. What a peer holds up longer is not lost: a
/// client was not told 250 and tries again, a delivery waits in the spool.
asio::awaitable<void> Server::async_stop() {
    log_.info("stopping", {{"conversations", service_->open()}});
    control_->close();
    for (auto& bound : listeners_) bound.listener.close();
    for (auto& bound : local_listeners_) bound.listener.close();
    service_->shut_down();
    if (reporter_) reporter_->stop();
    const auto until = std::chrono::steady_clock::now() + kStopGrace;
    asio::co_spawn(loops_.loop(0), dispatcher_->async_stop(kStopGrace), [this](std::exception_ptr) { delivered_ = true; });
    asio::steady_timer pause(loops_.loop(0));
    while (stopping_ == Stopping::in_order && (!delivered_ || service_->open() > 0) && std::chrono::steady_clock::now() < until) {
        pause.expires_after(std::chrono::milliseconds(20));
        co_await pause.async_wait(as_result);
    }
    if (!delivered_ || service_->open() > 0)
        log_.warning("transfers_cut_short", {{"conversations", service_->open()}, {"deliveries", delivered_ ? "ended" : "cut short"}});
    service_->abort();
    co_await dispatcher_->async_stop(std::chrono::milliseconds(0));  // records what has ended meanwhile
    signals_->cancel();
}

/// All threads end before anything is let go: those of the pool call into the spool, the spool's into the dispatcher, all into the loops.
/// What still waits is destroyed while all that it refers to exists.
void Server::tear_down() {
    loops_.halt();
    pool_.stop();
    resolver_->stop();
    (void)save_state();
    if (tallies_)
        if (auto flushed = tallies_->flush(); !flushed) log_.error("dmarc_tallies_not_written", {{"reason", flushed.error().detail}});
    spool_.spool.reset();
    loops_.stop();
    log_.info("stopped");
}

/// On loop 0, where the dispatcher lives. A file that is not right as a whole changes nothing.
void Server::reload() {
    auto loaded = config::load_config(options_.config_file, options_.surroundings);
    if (!loaded) {
        log_.error("reload_failed", {{"reason", loaded.error().detail}});
        return;
    }
    if (loaded->config.data_dir != config_.data_dir) {  // mail, accounts and queue would be looked for in two places
        log_.error("reload_failed", {{"reason", fmt::format("data_dir cannot change while the server runs: it is {}, the file says {}",
                                                            config_.data_dir.string(), loaded->config.data_dir.string())}});
        return;
    }
    if (auto keys = prepare_keys(loaded->config); !keys) {
        log_.error("reload_failed", {{"reason", keys.error().detail}});
        return;
    }
    auto directory = open_directory(loaded->config);
    if (!directory) {
        log_.error("reload_failed", {{"reason", directory.error().detail}});
        return;
    }
    auto countries = open_countries(loaded->config);
    if (!countries) {
        log_.error("reload_failed", {{"reason", countries.error().detail}});
        return;
    }
    auto carriers = make_carriers(loaded->config);
    if (!carriers) {
        log_.error("reload_failed", {{"reason", carriers.error().detail}});
        return;
    }
    directory_->switch_to(*std::move(directory));
    dispatcher_->configure(*std::move(carriers));
    countries_ = *std::move(countries);
    service_->configure(service_options(loaded->config));
    watch_.configure(loaded->config);
    current_ = loaded->config;
    test_lists();
    log_.info("reloaded", {{"file", options_.config_file.string()}});
    if (const auto keys = changes_for_a_restart(settings_, loaded->settings); !keys.empty())
        log_.warning("restart_needed", {{"settings", fmt::format("{}", fmt::join(keys, ", "))}});
}

base::Result<void> run_server(config::Loaded loaded, const ServerOptions& options) {
    Server server(std::move(loaded), options);
    auto started = server.start();
    if (!started) return started;
    server.wait();
    server.tear_down();
    return {};
}

}  // namespace thurn::app
