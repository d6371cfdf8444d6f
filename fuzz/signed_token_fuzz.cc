// Tokens and key sets are a stranger's words: nothing without a good signature may be believed.
#include "storage/signed_token.h"

#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

using namespace thurn;

const storage::TokenKeys& known_keys() {
    static const auto keys = storage::TokenKeys::parse(
        R"({"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k1","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},)"
        R"({"kty":"EC","crv":"P-256","kid":"k2","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]})");
    return *keys;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    static_cast<void>(storage::TokenKeys::parse(text));
    if (storage::verify_token(text, known_keys(), {.issuer = "i", .audience = "a"}, {})) std::abort();
    return 0;
}
