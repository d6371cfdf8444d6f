#pragma once

#include "mailauth/dmarc_record.h"
#include "mailauth/inquiry.h"
#include "mailauth/public_suffix.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace thurn::mailauth {

/// A record and the domain that published it.
struct PublishedDmarcRecord {
    std::string domain;
    DmarcRecord record;
};

/// What a walk from a domain found.
/// Shape   `found` from the starting domain up. `trouble` is set if an answer that matters is missing; the rest is not to be relied on then.
struct DmarcWalk {
    std::vector<PublishedDmarcRecord> found;
    std::string organizational_domain;
    std::string trouble;
    [[nodiscard]] const DmarcRecord* record_of(std::string_view domain) const;
};

/// Looks up policy records and organizational domains, each record once.
///
/// Source   RFC 9989 §4.10, or with a public suffix list RFC 7489 §3.2, §6.6.3.
class DmarcTree {
public:
    /// Both must outlive it; `suffixes` may be null.
    DmarcTree(Inquiries& dns, const PublicSuffixList* suffixes) : dns_(dns), suffixes_(suffixes) {}

    struct Looked {
        std::optional<DmarcRecord> record;  // of several, none
        dns::Status status = dns::Status::failed;
        std::string trouble;  // why it could not be looked up
    };
    /// The record at `_dmarc.` below the domain.
    [[nodiscard]] Evaluation<Looked> look_at(std::string domain);
    /// At most eight questions, fewer for what was asked before.
    [[nodiscard]] Evaluation<DmarcWalk> walk_from(std::string domain);

private:
    Evaluation<DmarcWalk> walk_up(const std::string& domain);
    Evaluation<DmarcWalk> look_at_registrable_domain(const std::string& domain);

    Inquiries& dns_;
    const PublicSuffixList* suffixes_;
    std::map<std::string, Looked> known_;
};

/// Where the walk goes next: with eight labels or more, to the last seven, else one label up; nothing above a top-level domain.
[[nodiscard]] std::optional<std::string_view> next_of_dmarc_walk(std::string_view domain);

}  // namespace thurn::mailauth
