// What a database holds for CRAM-MD5. What is read is written the same, and nothing else is read.

#include "require.h"
#include "sasl/cram_md5_secret.h"

#include <cstdint>

using namespace thurn;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto secret = sasl::parse_cram_md5_secret(text);
    if (secret) {
        require(secret->outer.size() == 16 && secret->inner.size() == 16, "two states of MD5");
        require(sasl::render_cram_md5_secret(*secret) == text, "written as it was read");
        require(sasl::hmac_md5(*secret, text).size() == 16, "a digest");
    } else {
        require(secret.error().kind == base::ErrorKind::corrupt, "one kind of trouble");
    }
    const auto derived = sasl::derive_cram_md5_secret(text);
    require(sasl::parse_cram_md5_secret(sasl::render_cram_md5_secret(derived)) == derived, "any password comes back");
    return 0;
}
