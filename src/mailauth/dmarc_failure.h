#pragma once

#include "base/clock.h"
#include "mail/mailbox.h"
#include "mailauth/dkim_message.h"
#include "mailauth/findings.h"
#include "report/arf.h"

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace thurn::mailauth {

/// What became of a message, in the words of RFC 6591 §3.2.2.
enum class DeliveryResult { delivered, spam, policy, reject, other };

/// One message that was evaluated. References are good for the call only.
struct FailureObservation {
    const Findings& findings;
    const MessageHeader& header;
    std::string_view message_id;  // ours
    std::string_view authserv_id;
    DeliveryResult became = DeliveryResult::delivered;
};

/// What a domain is told of one message: results, and the header as it came; never anything of the body.
struct DmarcFailure {
    std::string author_domain;
    std::string policy_domain;                // whose record asks for it
    std::vector<mail::Mailbox> destinations;  // by that record; whether they consent is not known yet
    report::FeedbackReport report;
    std::string header;
};

/// The failure report that the author's domain asks for by `ruf` and `fo`.
///
/// None      where nobody asked; where DMARC neither passed nor failed; for mail with a null reverse path and for multipart/report: a report
///           about a report would be the beginning of a loop.
/// fo        `0` if nothing that is aligned passed, `1` if SPF or DKIM did not, `d` if a signature failed, `s` if SPF did (fail, softfail),
///           aligned or not. Other letters are ignored.
/// Source    RFC 9991 (its fields: RFC 6591 §3), RFC 9989 §4.7 (fo).
[[nodiscard]] std::optional<DmarcFailure> describe_failure(const FailureObservation& observation);

/// Takes the failures that are to be reported.
/// Threads  Any; returns at once.
class DmarcFailures {
public:
    virtual ~DmarcFailures() = default;
    virtual void add(DmarcFailure failure) = 0;
};

/// How many failure reports are sent: who can make mail fail must not be able to flood those who asked for reports.
///
/// Shape    Failures of the same domain from the same address and of the same kind are one in an hour; the next report counts those between
///          in `Incidents`. Of what is left, a domain gets `per_domain`, all together `in_all` in an hour.
/// Limits   Knows 10,000 kinds; beyond that nothing new is reported until old ones are an hour old.
class FailureQuota {
public:
    struct Options {
        std::size_t per_domain = 10;
        std::size_t in_all = 100;
    };
    explicit FailureQuota(Options options) : options_(options) {}
    /// How many incidents the report of this one stands for; 0: it is not to be sent.
    [[nodiscard]] std::uint64_t count(const DmarcFailure& failure, base::Time now);

private:
    struct Seen {
        base::Time reported;
        std::uint64_t since = 0;
    };
    struct Hour {
        base::Time begun;
        std::size_t sent = 0;
    };
    void forget_old(base::Time now);
    Options options_;
    std::map<std::string, Seen> seen_;
    std::map<std::string, Hour> domains_;
    Hour all_{};
};

}  // namespace thurn::mailauth
