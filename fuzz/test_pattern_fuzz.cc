#include "base/base64.h"
#include "require.h"
#include "scan/test_pattern.h"

#include <algorithm>
#include <string>

using namespace thurn;
using fuzz::require;

namespace {

const std::string kGtube = std::string("XJS*C4JDBQADN1.NSBN3*2IDNEN*") + "GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X";

bool finds(std::string_view octets, std::size_t cut) {
    scan::TestPatternSearch search;
    search.feed(octets.substr(0, cut));
    search.feed(octets.substr(std::min(cut, octets.size())));
    return search.found() != scan::TestPattern::none;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const std::size_t cut = data[0], width = 76 + data[1] % 64;
    const auto octets = fuzz::as_text(data, size).substr(2);
    const auto text = std::string(octets) + kGtube + std::string(octets);
    require(finds(text, cut), "what stands there is found, whatever is around it");
    const auto digits = base::encode_base64(text);
    std::string lines = "base64\r\n";
    for (std::size_t at = 0; at < digits.size(); at += width) lines += digits.substr(at, width) + "\r\n";
    require(finds(lines, cut), "and in base64");
    return 0;
}
