#pragma once

#include "base/result.h"
#include "inbound/milter_options.h"
#include "milter/session.h"
#include "net/resolver.h"
#include "net/stream.h"

#include <array>
#include <chrono>
#include <memory>
#include <vector>

namespace thurn::inbound {

/// How long an answer is waited for.
struct MilterPatience {
    std::chrono::milliseconds limit;  // from one sign of life to the next
    net::Deadline end;                // however many there are
};

/// One connection to one content filter, past its negotiation.
///
/// Loop     Say a step to session(), then async_settle() it.
/// Errors   `timed_out`, `peer_gone`, `refused`: of the connection; `syntax`, `too_long`: the filter breaks the protocol. The connection is
///          only good to be dropped then.
class MilterConnection {
public:
    /// `resolver`: for filters that are named by a host name; may be null where none is.
    [[nodiscard]] static net::asio::awaitable<base::Result<std::unique_ptr<MilterConnection>>> async_open(const MilterOptions& options,
                                                                                                          net::Resolver* resolver);
    explicit MilterConnection(net::Stream stream) : stream_(std::move(stream)) {}

    [[nodiscard]] milter::Session& session() { return session_; }
    /// Sends what was said, where it is much or an answer is to come, and gives that answer: to go on, where none is to come. Each sign of
    /// life buys the limit anew, up to the end.
    [[nodiscard]] net::asio::awaitable<base::Result<milter::Verdict>> async_settle(MilterPatience patience);
    /// What it wanted changed since this was last asked.
    [[nodiscard]] std::vector<milter::Change> take_changes() { return std::exchange(changes_, {}); }
    /// Between two messages: whether the filter is still there. Many leave who are not asked for some minutes.
    [[nodiscard]] net::asio::awaitable<bool> async_is_there();
    /// Takes leave, without waiting for long.
    [[nodiscard]] net::asio::awaitable<void> async_quit();

private:
    [[nodiscard]] net::asio::awaitable<base::Result<milter::Said>> async_hear(net::Deadline deadline);
    [[nodiscard]] net::asio::awaitable<base::Result<void>> async_negotiate(std::chrono::milliseconds limit);

    net::Stream stream_;
    milter::Session session_;
    std::vector<milter::Change> changes_;
    std::array<char, 8192> input_{};
};

}  // namespace thurn::inbound
