#pragma once

#include "dns/dns.h"
#include "mailauth/dkim_signature.h"

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

namespace thurn::mailauth {

/// What became of a signature, in the words of RFC 8601 §2.7.1.
enum class DkimResult {
    none,       // there is no signature
    pass,       // it vouches for the message
    fail,       // it does not: changed content, wrong key, expired, an algorithm nobody trusts any more
    policy,     // it would, but not in a way we accept: a key too short, content that is not signed
    neutral,    // it was not looked at
    temperror,  // the key cannot be had just now
    permerror,  // it is malformed, or has no usable key
};
[[nodiscard]] std::string_view name_of(DkimResult result);

/// What is asked of signatures beyond the RFCs' own rules.
struct SignaturePolicy {
    std::size_t min_rsa_bits = 1024;        // shorter keys give `policy`; below 1024 always `fail` (RFC 8301 §3.2)
    std::chrono::seconds clock_skew{3600};  // how far t= may lie ahead, and x= behind
};

/// One signature looked at with its key.
struct SignatureOutcome {
    DkimResult result = DkimResult::neutral;
    std::string reason{};      // for people; empty for a plain pass
    std::size_t key_bits = 0;  // 0: no key was read
    bool testing = false;      // t=y of the key: who signs is trying DKIM out (RFC 6376 §3.6.1)
};

/// What can be told of a signature before its key is there: an algorithm or a time that rules it out. `pass` otherwise.
[[nodiscard]] SignatureOutcome check_rules(const Signature& signature, std::chrono::seconds now, const SignaturePolicy& policy);

/// Whether a key that DNS has for it vouches for the digest (RFC 6376 §6.1.2, §6.1.3).
/// Limits   Of several records the first 4 that are key records are tried (§6.1.2 leaves it to us).
[[nodiscard]] SignatureOutcome check_signature(const Signature& signature, std::string_view digest, const dns::Answer& answer,
                                               const SignaturePolicy& policy);

}  // namespace thurn::mailauth
