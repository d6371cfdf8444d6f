#pragma once

#include "base/clock.h"
#include "queue/scheduler.h"
#include "route/hosts.h"
#include "route/next_hop.h"
#include "smtp/reply.h"
#include "spool/message.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>

namespace thurn::delivery {

/// One message and those of its recipients that go the same way.
struct Parcel {
    std::shared_ptr<const spool::StoredMessage> message;  // shared: parcels of one message may be under way on several loops
    std::vector<std::uint32_t> recipients;                // indices into the envelope, never empty
    std::vector<mail::Mailbox> accounts;                  // for mailboxes of ours: whose, for each of `recipients`; else empty
    std::vector<mail::ReversePath> senders = {};          // where some are not the originator's: that of each recipient; else empty

    /// What MAIL names for the recipient at this position.
    [[nodiscard]] const mail::ReversePath& sender_for(std::size_t position) const {
        return senders.empty() ? message->envelope.sender : senders[position];
    }
};

/// What an attempt means for one recipient; `postponed` when there was none, which does not count as one.
/// Shape  `status` is one line for people, logs and DSNs: the remote reply as describe_reply() gives it, or our own reason beginning with a
///        code and an enhanced status (`451 4.4.1 connection refused by …`). `remote_host` is empty when no remote host said it. `mailbox`:
///        the folder of a local delivery. `handed`: to whom, once delivered, for reports of success (RFC 3461 §6.2.3).
struct RecipientOutcome {
    enum class Kind { delivered, deferred, postponed, failed } kind = Kind::deferred;
    std::string status;
    std::string remote_host;
    std::optional<base::Time> not_before = std::nullopt;  // of a deferral; of a postponement: when
    std::string mailbox = {};
    enum class Handed { to_nobody, to_mailbox, to_host, to_host_that_reports } handed = Handed::to_nobody;
    bool relaying_told = false;  // by DELIVERBY the originator is to be told that it was handed on (RFC 2852 §4.1.4)
};

/// One try to hand a parcel to one host or mailbox: what the trace tells.
struct Attempt {
    std::string host;    // `mx1.example [192.0.2.1]:25`, or the path of a mailbox
    std::string tls;     // `TLSv1.3 with TLS_AES_256_GCM_SHA384`, empty without
    std::string result;  // delivered, deferred, failed, connection failed, not tried
    std::vector<std::string> replies;
    std::chrono::milliseconds took{0};
    std::string remark = {};  // what was done to the message for it: `converted to 7-bit`; mostly empty
};

/// Where a courier gets its parcels from and reports to; the dispatcher behind it owns spool and schedule.
///
/// Threads  The courier's loop; the implementation crosses over to the dispatcher's by itself.
class ParcelSource {
public:
    virtual ~ParcelSource() = default;
    /// The next parcel for this site. Waits up to `idle` for one; nothing when none came or we are stopping. With no time to wait, only
    /// what was set apart for this courier already: one that fails must not be given what others may succeed with.
    [[nodiscard]] virtual boost::asio::awaitable<std::optional<Parcel>> async_next(std::chrono::milliseconds idle) = 0;
    /// Journals that the final dot is about to be sent (DESIGN §2): resumes when that is written.
    [[nodiscard]] virtual boost::asio::awaitable<void> async_mark_in_doubt(const Parcel& parcel) = 0;
    virtual void attempted(const Parcel& parcel, Attempt attempt) = 0;
    /// Ends the parcel; one outcome per recipient, in its order.
    virtual void settled(Parcel parcel, std::vector<RecipientOutcome> outcomes) = 0;
};

}  // namespace thurn::delivery
