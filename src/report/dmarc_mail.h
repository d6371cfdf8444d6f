#pragma once

#include "base/clock.h"
#include "report/dmarc_aggregate.h"

#include <string>

namespace thurn::report {

struct DmarcMailOptions {
    DmarcAggregate report;
    std::string submitter;  // our domain
    std::string unique;     // letters and digits: tells files about one day apart
    std::string from;       // addresses
    std::string to;
    std::string message_id;  // without brackets
    base::Time now{};
};

/// A whole message that brings an aggregate report: a line for people, and the report, gzip, with the name and subject that RFC 9990 §3.5
/// wants. 7-bit, CRLF.
/// Precondition   Addresses and domains are US-ASCII.
[[nodiscard]] std::string render_dmarc_mail(const DmarcMailOptions& options);

}  // namespace thurn::report
