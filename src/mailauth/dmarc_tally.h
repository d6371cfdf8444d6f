#pragma once

#include "base/clock.h"
#include "dns/ip_address.h"
#include "mailauth/dkim_verify.h"
#include "mailauth/dmarc.h"
#include "mailauth/spf.h"
#include "report/dmarc_aggregate.h"

#include <optional>
#include <string>
#include <vector>

namespace thurn::mailauth {

/// Why we did not do what the domain's policy asks for (RFC 9990 §3.1).
enum class DmarcOverride { local_policy, mailing_list, other, policy_test_mode, trusted_forwarder };

struct DmarcOverrideReason {
    DmarcOverride type = DmarcOverride::other;
    std::string comment{};
};

/// How the policy was found: it is said in reports.
enum class DmarcDiscovery { tree_walk, public_suffix_list };

/// One message that was evaluated, and what was done with it.
///
/// Shape    `dkim` holds all verdicts; `spf` that of the MAIL FROM identity (which is `postmaster` at the HELO name for a null path), if it
///          was checked. `done` is what we did; where it is not what `verdict.disposition` asks for, `overrides` says why.
///          Domains in any form.
struct DmarcObservation {
    base::Time when{};
    dns::IpAddress client{};
    DmarcVerdict verdict{};
    DmarcDiscovery discovery = DmarcDiscovery::tree_walk;
    DmarcPolicy done = DmarcPolicy::none;
    std::vector<DmarcOverrideReason> overrides{};
    std::string envelope_from_domain{};  // of the reverse path; empty if that was null
    std::string envelope_to_domain{};    // of the first recipient; may be empty
    std::optional<SpfVerdict> spf{};
    std::vector<DkimVerdict> dkim{};
};

/// Counts evaluated messages for the reports that domains ask for.
///
/// Cost     add() keeps the observation in memory, if the domain wants reports at all; the disk is written later, elsewhere.
/// Limits   Of what would be too much, some is dropped, never anything delayed.
/// Threads  Any.
class DmarcTallies {
public:
    virtual ~DmarcTallies() = default;
    virtual void add(const DmarcObservation& observation) = 0;
};

/// Whether it belongs into an aggregate report: there is a policy with `rua`, and the message passed or failed it.
[[nodiscard]] bool is_reportable(const DmarcObservation& observation);

// How a report says it (RFC 9990 §3.1).

/// Precondition: the verdict has a record.
[[nodiscard]] report::DmarcPolicyPublished describe_policy(const DmarcObservation& observation);
/// With a count of 1.
[[nodiscard]] report::DmarcReportRecord describe_message(const DmarcObservation& observation);

}  // namespace thurn::mailauth
