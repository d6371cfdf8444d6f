#include "report/unpack.h"
#include "require.h"

using namespace thurn;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto octets = fuzz::as_text(data, size);
    const report::UnpackLimits limits{.size = base::kibibytes(128), .entries = 5};
    if (const auto unpacked = report::unpack(octets, limits)) require(unpacked->size() <= limits.size.count, "what comes out is bounded");
    require(report::unpack(report::pack_gzip(octets)) == octets, "packed and unpacked, it is the same");
    return 0;
}
