// What policy has learnt is kept, and what it goes by is looked after.
#include "app/dnsbl_watch.h"
#include "app/running_server.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>

namespace thurn::app {

namespace {

constexpr std::chrono::minutes kListsTested{30};
constexpr std::chrono::seconds kStateSaved{60};  // a crash costs at most so much of what policy has learnt

}  // namespace

base::Result<void> Server::prepare_countries(const config::Config& config) {
    auto countries = open_countries(config);
    if (!countries) return base::pass_on(countries);
    countries_ = *std::move(countries);
    return {};
}

base::Result<void> Server::open_state() {
    auto files = storage::PosixFilesystem::open((config_.data_dir / "policy").string());
    if (!files) return base::pass_on(files);
    state_ = std::make_unique<storage::PolicyState>(*std::move(files), log_, clock_);
    state_->add("logins", login_guard_);
    state_->add("rates", buckets_);
    state_->add("greylist", greylist_);
    watch_.keep_in(*state_);
    watch_.configure(config_);
    return {};
}

base::Result<void> Server::save_state() {
    auto saved = state_->save();
    if (!saved) log_.error("policy_state_not_saved", {{"reason", saved.error().detail}});
    return saved;
}

asio::awaitable<base::Result<void>> Server::async_save_state() {
    co_return co_await pool_.async_run([this] { return save_state(); });
}

asio::awaitable<void> Server::async_keep_state() {
    asio::steady_timer pause(loops_.loop(0));
    while (stopping_ == Stopping::no) {
        pause.expires_after(kStateSaved);
        co_await pause.async_wait(as_result);
        if (stopping_ == Stopping::no) (void)co_await async_save_state();
    }
}

asio::awaitable<void> Server::async_watch_lists() {
    asio::steady_timer pause(loops_.loop(0));
    while (stopping_ == Stopping::no) {
        test_lists();
        pause.expires_after(kListsTested);
        co_await pause.async_wait(as_result);
    }
}

void Server::test_lists() { asio::co_spawn(loops_.loop(0), async_test_lists(*resolver_, current_.rulebook, log_), asio::detached); }

}  // namespace thurn::app
