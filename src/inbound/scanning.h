#pragma once

#include "base/result.h"
#include "inbound/scanner_options.h"
#include "net/loops.h"
#include "net/resolver.h"
#include "scan/verdict.h"
#include "spool/spool.h"

#include <string>

namespace thurn::inbound {

/// The one of that kind for listeners of that role; null: there is none.
[[nodiscard]] const ScannerOptions* find_scanner(const std::vector<ScannerOptions>& scanners, ScannerOptions::Kind kind, policy::Role role);
[[nodiscard]] std::unexpected<base::Error> no_scanner();

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

/// For log and trace: `Eicar found`, `6.1 of 5: BAYES_99`, or why it was not checked.
[[nodiscard]] std::string describe(const base::Result<scan::VirusVerdict>& verdict);
[[nodiscard]] std::string describe(const base::Result<scan::SpamVerdict>& verdict);

/// In a message that is too long for a scanner it has found nothing: it would be no shorter next time.
template <class Verdict>
[[nodiscard]] base::Result<Verdict> spare_too_long(base::Result<Verdict> verdict) {
    if (!verdict && verdict.error().kind == base::ErrorKind::too_long) return Verdict{};
    return verdict;
}

}  // namespace thurn::inbound
