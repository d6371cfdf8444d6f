#pragma once

#include "base/clock.h"
#include "base/log.h"
#include "mail/mailbox.h"
#include "net/loops.h"
#include "spool/message.h"
#include "storage/received_reports.h"

#include <atomic>
#include <memory>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

namespace thurn::app {

/// Keeps the reports that come by mail to one address of ours; the mail itself goes its way as any other.
///
/// Limits   64 at a time, of 25 MiB each; of what is more, or cut off by a crash, the log tells: `thurn reports import` takes it in from
///          the mailbox.
/// Threads  consider() from any, all else on one executor. It must outlive the loops.
class ReportIntake {
public:
    struct Dependencies {
        storage::ReceivedReports& reports;
        base::Log& log;
        const base::Clock& clock;
        net::BlockingPool& pool;
    };
    ReportIntake(mail::Mailbox address, Dependencies dependencies, net::asio::any_io_executor home);
    /// Looks whether the message is for the address, no more.
    void consider(const spool::StoredMessage& message);

private:
    net::asio::awaitable<void> async_take(base::MessageId id, std::shared_ptr<const spool::Content> content);
    const mail::Mailbox address_;
    Dependencies with_;
    net::asio::any_io_executor home_;
    std::atomic<std::size_t> under_way_ = 0;
};

}  // namespace thurn::app
