#include "mailauth/dkim_check.h"

#include "mailauth/dkim_key.h"

namespace thurn::mailauth {
namespace {

constexpr std::size_t kMaxRecords = 4;
constexpr std::size_t kMinRsaBits = 1024;  // RFC 8301 §3.2

SignatureOutcome outcome(DkimResult result, std::string reason) { return {.result = result, .reason = std::move(reason)}; }

KeyType type_of(Algorithm algorithm) { return algorithm == Algorithm::ed25519_sha256 ? KeyType::ed25519 : KeyType::rsa; }

/// What a read key says to the digest.
SignatureOutcome ask_key(const Signature& signature, std::string_view digest, const PublicKey& key, const SignaturePolicy& policy) {
    const bool rsa = key.type() == KeyType::rsa;
    if (rsa && key.bits() < kMinRsaBits) return outcome(DkimResult::fail, "an RSA key of " + std::to_string(key.bits()) + " bits");
    if (!key.verify(digest, signature.signature)) return outcome(DkimResult::fail, "signature did not verify");
    if (rsa && key.bits() < policy.min_rsa_bits)
        return outcome(DkimResult::policy, "an RSA key of only " + std::to_string(key.bits()) + " bits");
    return outcome(DkimResult::pass, "");
}

SignatureOutcome ask_record(const Signature& signature, std::string_view digest, const DkimKeyRecord& record,
                            const SignaturePolicy& policy) {
    if (record.revoked()) return outcome(DkimResult::permerror, "key revoked");
    if (record.type != type_of(signature.algorithm)) return outcome(DkimResult::permerror, "the key is for another algorithm");
    if (record.strict && signature.identity_domain != signature.domain && !signature.identity.empty())
        return outcome(DkimResult::permerror, "i= has a subdomain, which the key forbids");  // RFC 6376 §3.6.1, t=s
    const auto key = PublicKey::read(record.type, record.key);
    if (!key) return outcome(DkimResult::permerror, key.error().detail);
    auto result = ask_key(signature, digest, *key, policy);
    result.key_bits = key->bits();
    return result;
}

SignatureOutcome ask_records(const Signature& signature, std::string_view digest, const dns::Answer& answer,
                             const SignaturePolicy& policy) {
    SignatureOutcome first = outcome(DkimResult::permerror, "no key for signature");
    std::size_t tried = 0;
    for (const auto& entry : answer.records) {
        const auto* text = std::get_if<dns::Text>(&entry);
        if (text == nullptr) continue;
        const auto record = parse_dkim_key_record(text->octets);
        if (!record) {
            if (tried == 0) first.reason = "no key for signature: " + record.error().detail;
            continue;
        }
        auto result = ask_record(signature, digest, *record, policy);
        result.testing = record->testing;
        if (result.result == DkimResult::pass) return result;
        if (tried++ == 0) first = std::move(result);
        if (tried == kMaxRecords) break;
    }
    return first;
}

}  // namespace

std::string_view name_of(DkimResult result) {
    switch (result) {
        case DkimResult::none:
            return "none";
        case DkimResult::pass:
            return "pass";
        case DkimResult::fail:
            return "fail";
        case DkimResult::policy:
            return "policy";
        case DkimResult::neutral:
            return "neutral";
        case DkimResult::temperror:
            return "temperror";
        case DkimResult::permerror:
            break;
    }
    return "permerror";
}

SignatureOutcome check_rules(const Signature& signature, std::chrono::seconds now, const SignaturePolicy& policy) {
    const auto seconds = [](std::uint64_t digits) { return std::chrono::seconds(static_cast<std::int64_t>(digits)); };
    // RFC 8301 §3.1: such a signature has failed, whatever it says.
    if (signature.algorithm == Algorithm::rsa_sha1) return outcome(DkimResult::fail, "rsa-sha1 is not trusted any more");
    if (signature.expiration && now > seconds(*signature.expiration) + policy.clock_skew)
        return outcome(DkimResult::fail, "signature expired");
    if (signature.timestamp && seconds(*signature.timestamp) > now + policy.clock_skew)
        return outcome(DkimResult::fail, "signature made in the future");  // RFC 6376 §3.5, t=
    return outcome(DkimResult::pass, "");
}

SignatureOutcome check_signature(const Signature& signature, std::string_view digest, const dns::Answer& answer,
                                 const SignaturePolicy& policy) {
    switch (answer.status) {
        case dns::Status::ok:
            return ask_records(signature, digest, answer, policy);
        case dns::Status::no_data:
        case dns::Status::no_name:
            return outcome(DkimResult::permerror, "no key for signature");
        case dns::Status::bogus:
            return outcome(DkimResult::temperror, "the key's DNS answer is forged (DNSSEC)");
        case dns::Status::failed:
            break;
    }
    return outcome(DkimResult::temperror, "the key cannot be looked up");
}

}  // namespace thurn::mailauth
