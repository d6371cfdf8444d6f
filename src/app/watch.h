#pragma once

#include "admin/control_server.h"
#include "app/report_mailer.h"
#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "delivery/dispatcher.h"
#include "policy/account_baseline.h"
#include "policy/alarm.h"
#include "storage/policy_state.h"

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

namespace thurn::app {

/// Watches over accounts, and tells of what somebody should know: in `thurn alarms`, by mail, by webhook and in the metrics file.
///
/// Limits   At most 100 alarms wait to be told by mail, and as many by webhook; of more, the log and `thurn alarms` tell alone. One request to
///          the webhook at a time, three tries.
/// Threads  accounts() and alarms() from any. All else on the loop, or before it runs.
class Watch final : public policy::Alarms {
public:
    struct Dependencies {
        base::Log& log;
        const base::Clock& clock;
        net::BlockingPool& pool;
        boost::asio::io_context& loop;
        std::uint64_t seed;
    };
    explicit Watch(Dependencies dependencies);
    ~Watch() override;

    void keep_in(storage::PolicyState& state);
    void tell_by(ReportMailer& mailer) { mailer_ = &mailer; }
    void configure(const config::Config& config);
    /// Writes the metrics file as long as the loop runs, if there is to be one. All outlive the loop.
    void start(spool::Spool& spool);

    [[nodiscard]] policy::AccountBaseline* accounts() { return &accounts_; }
    bool raise(policy::Alarm alarm) override;
    /// A message that the account submitted could not be delivered.
    void note_bounce(const std::string& login) { accounts_.add_bounce(login, with_.clock.now()); }

    using Save = std::function<boost::asio::awaitable<base::Result<void>>()>;
    /// alarms.list, alarms.counts, accounts.show, accounts.release. After save_by().
    [[nodiscard]] std::map<std::string, admin::ControlHandler> handlers();
    /// What is known is saved when an account jumps, too: a crash gives no thief a second chance.
    void save_by(Save save) { save_ = std::move(save); }

private:
    struct Settings {
        std::vector<mail::Mailbox> mail;
        std::vector<policy::AlarmKind> mail_kinds;
        unsigned mail_per_hour = 0;
        std::string webhook;
        std::string hostname;
        std::string from;
        std::string metrics_file;
        std::chrono::seconds metrics_every{15};
    };
    using Entry = policy::AlarmBook::Entry;
    void tell(Entry entry);
    boost::asio::awaitable<void> async_mail();
    boost::asio::awaitable<void> async_mail_to(mail::Mailbox to, std::vector<Entry> entries);
    boost::asio::awaitable<void> async_post();
    boost::asio::awaitable<bool> async_post_one(std::string body);
    boost::asio::awaitable<void> async_write_metrics(spool::Spool& spool);
    [[nodiscard]] bool may_mail();

    Dependencies with_;
    policy::AccountBaseline accounts_;
    policy::AlarmBook book_;
    // The loop's.
    Settings settings_;
    ReportMailer* mailer_ = nullptr;
    Save save_;
    std::deque<Entry> to_mail_, to_post_;
    bool mailing_ = false, posting_ = false;
    base::Time mail_hour_{};
    unsigned mailed_ = 0;  // since then
};

}  // namespace thurn::app
