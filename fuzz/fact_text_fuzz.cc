// Facts as the trace keeps them: whatever is read is written the same way, and read again as the same.
#include "policy/fact_text.h"
#include "require.h"

using namespace thurn;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto read = policy::read_fact(fuzz::as_text(data, size));
    if (!read) return 0;
    const auto written = policy::write_fact(read->first, read->second);
    const auto again = policy::read_fact(written);
    require(again.has_value(), "what was written is read");
    require(policy::write_fact(again->first, again->second) == written, "and says the same");
    return 0;
}
