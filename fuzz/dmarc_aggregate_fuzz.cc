#include "report/dmarc_aggregate.h"
#include "require.h"

using namespace thurn;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const report::DmarcAggregateLimits limits{.records = 20, .text = 100};
    const auto read = report::parse_dmarc_aggregate(fuzz::as_text(data, size), limits);
    if (!read) return 0;
    require(read->records.size() <= limits.records, "records are bounded");
    require(!read->policy.domain.empty() && read->policy.domain.size() <= limits.text, "texts are bounded");
    const auto again = report::parse_dmarc_aggregate(report::render_dmarc_aggregate(*read), limits);
    require(again.has_value(), "what we write can be read");
    require(*again == *read, "and is the same");
    return 0;
}
