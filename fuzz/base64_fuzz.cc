#include "base/base64.h"
#include "require.h"

using namespace thurn;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto input = fuzz::as_text(data, size);
    if (const auto octets = base::decode_base64(input)) require(base::encode_base64(*octets) == input, "one meaning has one text");
    const auto text = base::encode_base64(input);
    require(text.size() == (size + 2) / 3 * 4, "the length is known beforehand");
    require(base::decode_base64(text) == input, "encoded and decoded");
    return 0;
}
