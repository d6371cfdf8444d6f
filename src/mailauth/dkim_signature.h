#pragma once

#include "base/result.h"
#include "mailauth/dkim_canonical.h"
#include "mailauth/dkim_crypto.h"
#include "mailauth/dkim_message.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace thurn::mailauth {

/// What `a=` names. RFC 8301 §3.1 makes rsa-sha1 a signature that never verifies; it is told apart so that people hear why.
enum class Algorithm { rsa_sha256, ed25519_sha256, rsa_sha1 };
[[nodiscard]] std::string_view name_of(Algorithm algorithm);

/// Which of the three fields with such a tag list it is: they differ in what they must and must not have.
enum class SignatureField { dkim_signature, arc_message_signature, arc_seal };

/// The content of a DKIM-Signature field (RFC 6376 §3.5), or of an ARC field that is made like it (RFC 8617 §4.1).
///
/// Shape    `domain`, `selector` and the domain of `identity` as A-labels, in lower case. An ARC-Seal has no `fields`, `body_hash` and
///          `identity`. `fields` in lower case, in the order they are hashed in.
struct Signature {
    Algorithm algorithm = Algorithm::rsa_sha256;
    std::string signature{};  // b=, decoded
    std::string body_hash{};  // bh=, decoded: 32 octets, of rsa-sha1 20
    Canonicalization header = Canonicalization::simple;
    BodyHash body{.canonicalization = Canonicalization::simple};
    std::string domain{};
    std::string selector{};
    std::vector<std::string> fields{};
    std::string identity{};         // i=, as given or `@domain`; of ARC empty
    std::string identity_domain{};  // behind its last "@"
    std::optional<std::uint64_t> timestamp{};
    std::optional<std::uint64_t> expiration{};
    unsigned instance = 0;           // i= of ARC, 1..50
    std::string chain_validation{};  // cv= of an ARC-Seal: none, fail or pass

    /// Where the key is.
    [[nodiscard]] std::string key_name() const { return selector + "._domainkey." + domain; }
};

/// Reads the value of such a field.
/// Errors   `syntax`: no tag list, a tag that must be there is not, or has a value that it cannot have. `invalid`: well-formed, but against a
///          rule: From not signed, i= outside of d=, x= not after t=, ARC-Seal signed by an ARC-Message-Signature, …
///          `too_long`: h= names over 1000 fields, or there are too many tags.
[[nodiscard]] base::Result<Signature> parse_signature(std::string_view value, SignatureField field);

/// What reports say of a signature that could not be read: its `d=`, `s=` and `a=` where they are proper.
struct SignatureClaim {
    std::string domain{};
    std::string selector{};
    std::string algorithm{};
};
[[nodiscard]] SignatureClaim read_claim(std::string_view value);

/// The whole field in canonical form with the value of `b=` taken out (RFC 6376 §3.7).
void append_unsigned_field(std::string& to, std::string_view raw, Canonicalization canonicalization);

/// What the signature in the `own` field covers of the header: the fields it names, the lowest of a name first, and itself without its
/// `b=` (RFC 6376 §3.7, §5.4.2). A name that is signed more often than it is there stands for nothing.
[[nodiscard]] std::string header_digest(const MessageHeader& header, std::size_t own, const Signature& signature);
/// The same for a field that is not in the header yet; `unsigned_field` as `Name: value`, with an empty `b=`.
[[nodiscard]] std::string new_header_digest(const MessageHeader& header, std::string_view unsigned_field, const Signature& signature);

}  // namespace thurn::mailauth
