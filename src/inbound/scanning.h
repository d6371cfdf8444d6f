#pragma once

#include "base/result.h"
#include "inbound/scanner_options.h"
#include "net/loops.h"
#include "net/resolver.h"
#include "scan/verdict.h"
#include "spool/spool.h"

#include <string>

namespace thurn::inbound {

/// A message as scanners are shown it.
struct ScannedMessage {
    std::string on_top;         // what stands above the draft: whence it came
    const spool::Draft& draft;  // as it is stored by now
    net::BlockingPool& pool;    // where a draft is read that is not in memory
    [[nodiscard]] base::Octets size() const { return base::Octets{on_top.size() + draft.size().count}; }
};

// Each makes a connection of its own; whatever the scanner does, it ends within the scanner's time limit.
// Errors   `timed_out`, `peer_gone`, `refused`: the scanner is not there or cannot look. `syntax`: it talks nonsense. `too_long`: the message is
//          longer than it takes, by our limit or its own. `disk`, `corrupt`: of reading the draft.
// Threads  The session's loop.

[[nodiscard]] net::asio::awaitable<base::Result<scan::VirusVerdict>> async_ask_clamd(const ScannerOptions& clamd, net::Resolver* resolver,
                                                                                     const ScannedMessage& message);
[[nodiscard]] net::asio::awaitable<base::Result<scan::SpamVerdict>> async_ask_spamd(const ScannerOptions& spamd, net::Resolver* resolver,
                                                                                    const ScannedMessage& message);

}  // namespace thurn::inbound
