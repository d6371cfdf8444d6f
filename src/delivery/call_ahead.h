#pragma once

#include "base/guarded.h"
#include "base/result.h"
#include "mail/mailbox.h"

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

namespace thurn::delivery {

/// Whether other servers know recipients, asked once and remembered: those that are there for a day, those that are not for an hour.
///
/// Joins    Who asks about a recipient that is asked about already waits for the same answer.
/// Limits   100,000 recipients are remembered; 100 are asked about at once, 20 of one domain, so that one silent next hop leaves room for others.
/// Threads  Any; questions are asked on `home`.
class CallAhead {
public:
    /// The question itself, see Dispatcher::async_ask_next_hop().
    using Ask = std::function<boost::asio::awaitable<base::Result<bool>>(mail::Mailbox recipient)>;
    CallAhead(boost::asio::any_io_executor home, Ask ask);

    /// Errors   As the question's; `full`: more than the limits are asked about; `timed_out`: no answer within `limit`. It may still come, and is remembered for the next one who asks.
    [[nodiscard]] boost::asio::awaitable<base::Result<bool>> async_exists(mail::Mailbox recipient, std::chrono::seconds limit) const;

private:
    struct State;
    static boost::asio::awaitable<void> async_find_out(std::shared_ptr<State> state, mail::Mailbox recipient);
    std::shared_ptr<State> state_;  // shared with questions under way
};

}  // namespace thurn::delivery
