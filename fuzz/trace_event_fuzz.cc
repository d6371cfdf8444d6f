#include "trace/encoding.h"

#include <cstdint>
#include <cstdlib>

/// Whatever decodes also encodes, to something that decodes to the same; and can be shown.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace thurn::trace;
    const auto event = decode_event({reinterpret_cast<const char*>(data), size});
    if (!event) return 0;
    std::string octets;
    append_event(octets, *event);
    if (octets.size() > kMaxEventSize + kMaxEventText) std::abort();
    const auto again = decode_event(octets);
    if (!again) std::abort();
    std::string repeated;
    append_event(repeated, *again);
    if (repeated != octets) std::abort();
    for (const char c : render_text(*event) + render_json(*event)) {
        if (static_cast<unsigned char>(c) < 0x20) std::abort();
    }
    return 0;
}
