#pragma once

#include "base/result.h"
#include "policy/fact.h"
#include "scan/archive_listing.h"
#include "scan/attachments.h"
#include "scan/test_pattern.h"
#include "scan/verdict.h"

#include <cstdint>
#include <optional>

namespace thurn::policy {

/// Who has to look at the content before a fact about it is known.
enum class ContentSource : std::uint8_t { none, virus_scanner, spam_scanner, ourselves, parts, archives };
[[nodiscard]] ContentSource content_source(const Fact& fact);

/// What was found in the content of one message, as far as somebody looked.
struct ContentFindings {
    template <class Verdict>
    using Found = std::optional<base::Result<Verdict>>;  // nothing: nobody looked; an error: it could not be found out
    Found<scan::VirusVerdict> virus{};
    Found<scan::SpamVerdict> spam{};
    Found<scan::TestPattern> test_pattern{};
    Found<scan::MessageParts> parts{};
    Found<scan::MessageArchives> archives{};
    [[nodiscard]] bool knows(ContentSource source) const;
};

/// Precondition: the fact has a content source, and it is known.
[[nodiscard]] FactValue content_fact(const Fact& fact, const ContentFindings& findings);

}  // namespace thurn::policy
