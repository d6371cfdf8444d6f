#pragma once

#include "base/octets.h"
#include "base/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace thurn::report {

// The words in these values are the RFC's own (`pass`, `quarantine`, `treewalk`, `mailing_list`, …). Of a report somebody else made they are
// whatever he wrote, without white space at the ends: a reader decides what a word he does not know means.

/// Shape    Seconds since 1970, UTC.
struct DmarcDateRange {
    std::int64_t begin = 0;
    std::int64_t end = 0;
    friend bool operator==(const DmarcDateRange&, const DmarcDateRange&) = default;
};

struct DmarcReportMetadata {
    std::string org_name{};
    std::string email{};
    std::string extra_contact_info{};
    std::string report_id{};
    DmarcDateRange date_range{};
    std::vector<std::string> errors{};
    std::string generator{};
    friend bool operator==(const DmarcReportMetadata&, const DmarcReportMetadata&) = default;
};

/// Shape    Empty: not said.
struct DmarcPolicyPublished {
    std::string domain{};
    std::string discovery_method{};  // psl, treewalk
    std::string p{};
    std::string sp{};
    std::string np{};
    std::string fo{};
    std::string adkim{};    // r, s
    std::string aspf{};     // r, s
    std::string testing{};  // n, y
    friend bool operator==(const DmarcPolicyPublished&, const DmarcPolicyPublished&) = default;
};

/// Why something else was done than the policy asks for.
struct DmarcOverrideReason {
    std::string type{};  // local_policy, mailing_list, other, policy_test_mode, trusted_forwarder
    std::string comment{};
    friend bool operator==(const DmarcOverrideReason&, const DmarcOverrideReason&) = default;
};

struct DmarcDkimResult {
    std::string domain{};
    std::string selector{};
    std::string result{};
    std::string human_result{};
    friend bool operator==(const DmarcDkimResult&, const DmarcDkimResult&) = default;
};

struct DmarcSpfResult {
    std::string domain{};
    std::string scope{};  // mfrom
    std::string result{};
    std::string human_result{};
    friend bool operator==(const DmarcSpfResult&, const DmarcSpfResult&) = default;
};

/// So many messages of which all of this is true.
struct DmarcReportRecord {
    std::string source_ip{};
    std::uint64_t count = 0;
    std::string disposition{};  // none, pass, quarantine, reject
    std::string dkim{};         // pass, fail: aligned
    std::string spf{};          // pass, fail: aligned
    std::vector<DmarcOverrideReason> reasons{};
    std::string header_from{};
    std::string envelope_from{};
    std::string envelope_to{};
    std::vector<DmarcDkimResult> dkim_results{};
    std::vector<DmarcSpfResult> spf_results{};
    friend bool operator==(const DmarcReportRecord&, const DmarcReportRecord&) = default;
};

struct DmarcAggregate {
    std::string version{};
    DmarcReportMetadata metadata{};
    DmarcPolicyPublished policy{};
    std::vector<DmarcReportRecord> records{};
    friend bool operator==(const DmarcAggregate&, const DmarcAggregate&) = default;
};

/// The XML of a report, UTF-8, in the namespace urn:ietf:params:xml:ns:dmarc-2.0.
/// Shape    What XML 1.0 cannot hold (control characters, octets that are no UTF-8) becomes `?`. Empty values are left out where the schema
///          lets them be.
/// Source   RFC 9990 §3.1 and its Appendix A.
[[nodiscard]] std::string render_dmarc_aggregate(const DmarcAggregate& report);
/// The `policy_published` element of it.
[[nodiscard]] std::string render_dmarc_policy(const DmarcPolicyPublished& policy);
/// One `record` element of it.
[[nodiscard]] std::string render_dmarc_record(const DmarcReportRecord& record);

struct DmarcAggregateLimits {
    base::Octets size = base::mebibytes(64);
    std::size_t depth = 32;         // of elements
    std::size_t records = 200'000;  // and results, reasons and errors together, ten times as many
    std::size_t text = 4096;        // octets of one value; the rest of it is cut off
};

/// Reads a report of RFC 9990 or RFC 7489, in their namespaces, in another or in none. What it does not know, extensions too, it passes
/// over; of an element that must come once and comes again, the last counts.
/// Safety   A document type declaration is refused, so there are no entities but the five of XML, and nothing outside is ever read.
/// Errors   `syntax`: no well-formed XML, or no `feedback`. `invalid`: no policy domain. `too_long`: see the limits.
[[nodiscard]] base::Result<DmarcAggregate> parse_dmarc_aggregate(std::string_view octets, const DmarcAggregateLimits& limits = {});

}  // namespace thurn::report
