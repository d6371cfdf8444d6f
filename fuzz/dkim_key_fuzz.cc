#include "mailauth/dkim_key.h"
#include "require.h"

#include <string>

using namespace thurn;
using namespace thurn::mailauth;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = fuzz::as_text(data, size);
    const auto record = parse_dkim_key_record(text);
    if (record) {
        require(record->revoked() == record->key.empty(), "revoked is without a key");
        if (const auto key = PublicKey::read(record->type, record->key)) {
            require(key->bits() <= 8192, "keys are bounded");
            require(!key->verify(sha256("x"), std::string(key->type() == KeyType::ed25519 ? 64 : key->bits() / 8, 'x')),
                    "nothing is signed");
        }
    }
    // The same octets as a key, for what base64 hides from the fuzzer.
    for (const auto type : {KeyType::rsa, KeyType::ed25519})
        if (const auto key = PublicKey::read(type, text)) require(key->bits() <= 8192 && key->type() == type, "keys are bounded");
    return 0;
}
