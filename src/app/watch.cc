#include "app/watch.h"

#include "admin/alarm_commands.h"
#include "app/alarm_text.h"
#include "storage/replace_file.h"
#include "storage/web_request.h"

#include <algorithm>
#include <filesystem>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

namespace thurn::app {

namespace asio = net::asio;

namespace {

constexpr std::size_t kMostWaiting = 100;
constexpr std::chrono::seconds kGathered{2};                                                     // alarms that come together go in one mail
constexpr std::chrono::seconds kPauses[] = {std::chrono::seconds(2), std::chrono::seconds(20)};  // between tries of the webhook
constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

std::function<void(std::exception_ptr)> log_trouble(base::Log& log) {
    return [&log](const std::exception_ptr& trouble) {
        if (trouble) log.error("alarm_not_told", {{"reason", "an exception"}});
    };
}

}  // namespace

Watch::Watch(Dependencies dependencies) : with_(dependencies), accounts_({.seed = dependencies.seed}) {}
Watch::~Watch() = default;

void Watch::keep_in(storage::PolicyState& state) {
    state.add("accounts", accounts_);
    state.add("alarms", book_);
}

void Watch::configure(const config::Config& config) {
    settings_ = {.mail = {},
                 .mail_kinds = config.alarms.mail_kinds,
                 .mail_per_hour = config.alarms.mail_per_hour,
                 .webhook = config.alarms.webhook,
                 .hostname = config.hostname,
                 .from = config.postmaster,
                 .metrics_file = config.metrics_file.string(),
                 .metrics_every = config.metrics_every};
    for (const auto& address : config.alarms.mail) settings_.mail.push_back(*mail::parse_mailbox(address, mail::Charset::utf8));
}

/// What is news goes to the loop, which alone knows who is told how.
bool Watch::raise(policy::Alarm alarm) {
    auto entry = book_.add(std::move(alarm), with_.clock.now());
    if (!entry) return false;
    asio::post(with_.loop, [this, entry = *std::move(entry)]() mutable { tell(std::move(entry)); });
    return true;
}

void Watch::tell(Entry entry) {
    if (entry.alarm.kind == policy::AlarmKind::account && save_)
        asio::co_spawn(with_.loop, save_(), [](const std::exception_ptr&, const base::Result<void>&) {});  // it says itself what fails
    const bool by_mail =
        mailer_ && !settings_.mail.empty() && std::ranges::find(settings_.mail_kinds, entry.alarm.kind) != settings_.mail_kinds.end();
    if (by_mail && to_mail_.size() < kMostWaiting) {
        to_mail_.push_back(entry);
        if (!std::exchange(mailing_, true)) asio::co_spawn(with_.loop, async_mail(), log_trouble(with_.log));
    }
    if (!settings_.webhook.empty() && to_post_.size() < kMostWaiting) {
        to_post_.push_back(std::move(entry));
        if (!std::exchange(posting_, true)) asio::co_spawn(with_.loop, async_post(), log_trouble(with_.log));
    }
}

bool Watch::may_mail() {
    const auto now = with_.clock.now();
    if (now - mail_hour_ >= std::chrono::hours(1) || now < mail_hour_) {
        mail_hour_ = now;
        mailed_ = 0;
    }
    return mailed_++ < settings_.mail_per_hour;
}

asio::awaitable<void> Watch::async_mail() {
    asio::steady_timer pause(with_.loop, kGathered);
    co_await pause.async_wait(as_result);
    mailing_ = false;
    const std::vector<Entry> entries(to_mail_.begin(), to_mail_.end());
    to_mail_.clear();
    if (!may_mail()) {
        with_.log.warning("alarm_not_told", {{"by", "mail"}, {"alarms", entries.size()}, {"reason", "alarms.mail_per_hour is reached"}});
        co_return;
    }
    const auto all = settings_.mail;
    for (const auto& to : all) co_await async_mail_to(to, entries);
}

asio::awaitable<void> Watch::async_mail_to(mail::Mailbox to, std::vector<Entry> entries) {
    const auto id = mailer_->next_id();
    const auto message = render_alarm_mail({.hostname = settings_.hostname,
                                            .from = settings_.from,
                                            .to = mail::render_mailbox(to),
                                            .message_id = id.text(),
                                            .now = with_.clock.now(),
                                            .entries = entries});
    auto fields = mailer_->sign(message);
    const auto sent = co_await mailer_->async_send(id, std::move(fields) + message, to, "alarm");
    const auto address = mail::render_mailbox(to);
    if (sent)
        with_.log.info("alarm_told", {{"by", "mail"}, {"id", id.text()}, {"to", address}, {"alarms", entries.size()}});
    else
        with_.log.error("alarm_not_told", {{"by", "mail"}, {"to", address}, {"reason", sent.error().detail}});
}

/// One after the other: a webhook that is slow costs one thread of the pool, and what waits too long is told by the log alone.
asio::awaitable<void> Watch::async_post() {
    while (!to_post_.empty()) {
        const auto body = render_alarm_json(to_post_.front(), settings_.hostname);
        to_post_.pop_front();
        asio::steady_timer pause(with_.loop);
        bool told = co_await async_post_one(body);
        for (const auto wait : kPauses) {
            if (told) break;
            pause.expires_after(wait);
            co_await pause.async_wait(as_result);
            told = co_await async_post_one(body);
        }
    }
    posting_ = false;
}

asio::awaitable<bool> Watch::async_post_one(std::string body) {
    const storage::WebRequest request{.url = settings_.webhook, .form = std::move(body), .content_type = "application/json"};
    const auto answer = co_await with_.pool.async_run([&request] { return storage::ask_web(request); });
    const bool told = answer && answer->status >= 200 && answer->status < 300;
    if (!told)
        with_.log.warning("alarm_not_told",
                          {{"by", "webhook"}, {"reason", answer ? fmt::format("it answered {}", answer->status) : answer.error().detail}});
    co_return told;
}

void Watch::start(spool::Spool& spool) { asio::co_spawn(with_.loop, async_write_metrics(spool), asio::detached); }

asio::awaitable<void> Watch::async_write_metrics(spool::Spool& spool) {
    asio::steady_timer pause(with_.loop);
    bool failed = false;
    while (true) {
        if (!settings_.metrics_file.empty()) {
            const std::filesystem::path file = settings_.metrics_file;
            const auto written = co_await with_.pool.async_run([this, file, &spool] {
                return storage::replace_file(file,
                                             render_metrics({.alarms = book_.counts(), .spool = spool.stats(), .now = with_.clock.now()}));
            });
            if (!written && !failed) with_.log.error("metrics_not_written", {{"file", file.string()}, {"reason", written.error().detail}});
            failed = !written;
        }
        pause.expires_after(settings_.metrics_every);
        const auto [stopped] = co_await pause.async_wait(as_result);
        if (stopped) co_return;
    }
}

std::map<std::string, admin::ControlHandler> Watch::handlers() {
    return admin::alarm_handlers(book_, accounts_, with_.clock, with_.log, save_);
}

}  // namespace thurn::app
