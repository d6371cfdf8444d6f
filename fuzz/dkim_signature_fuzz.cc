#include "dns/name.h"
#include "mailauth/dkim_signature.h"
#include "require.h"

#include <algorithm>
#include <string>

using namespace thurn;
using namespace thurn::mailauth;
using fuzz::require;

namespace {

void check(const Signature& signature, SignatureField field) {
    const auto name = dns::parse_name(signature.key_name());
    require(name && dns::render_name(*name) == signature.key_name(), "the key's name can be asked for");
    require(!signature.signature.empty(), "there is a signature");
    require((signature.instance == 0) == (field == SignatureField::dkim_signature) && signature.instance <= 50, "instances are bounded");
    if (field == SignatureField::arc_seal) {
        require(signature.fields.empty() && !signature.chain_validation.empty(), "a seal has cv= and no h=");
        return;
    }
    require(std::ranges::find(signature.fields, "from") != signature.fields.end(), "From is signed");
    require(signature.body_hash.size() == (signature.algorithm == Algorithm::rsa_sha1 ? 20U : 32U), "the body hash is one");
    if (field == SignatureField::dkim_signature)
        require(signature.identity_domain == signature.domain || signature.identity_domain.ends_with("." + signature.domain),
                "i= is in d=");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto value = fuzz::as_text(data, size);
    for (const auto field : {SignatureField::dkim_signature, SignatureField::arc_message_signature, SignatureField::arc_seal})
        if (const auto signature = parse_signature(value, field)) check(*signature, field);
    const auto claim = read_claim(value);
    require(std::ranges::all_of(claim.domain + claim.selector, [](char c) { return c > ' ' && c <= '~'; }), "claims are visible");

    std::string once, twice;
    append_unsigned_field(once, "S:" + std::string(value), Canonicalization::simple);
    append_unsigned_field(twice, once, Canonicalization::simple);
    require(once == twice, "b= is taken out once");
    require(once.size() <= value.size() + 2, "and nothing is added");
    return 0;
}
