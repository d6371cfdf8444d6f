#pragma once

#include "mailauth/dkim_crypto.h"

#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace thurn::mailauth {

/// How much a message may change on its way and still verify (RFC 6376 §3.4).
enum class Canonicalization : std::uint8_t { simple, relaxed };

/// Appends a whole field, given without its last CRLF, in canonical form, without a CRLF (RFC 6376 §3.4.1, §3.4.2).
void append_canonical_field(std::string& to, std::string_view raw, Canonicalization canonicalization);

/// One body hash that a signature has: `bh=` with `c=` and `l=`.
struct BodyHash {
    Canonicalization canonicalization = Canonicalization::relaxed;
    std::optional<std::uint64_t> length{};  // `l=`: the octets of the canonical body that are signed
    friend auto operator<=>(const BodyHash&, const BodyHash&) = default;
};

/// Hashes a body while it arrives, for all that verify and sign the message, in one pass and without keeping it (RFC 6376 §3.7).
///
/// Loop     want() what is needed; feed() the body as it comes, any split; finish(); digest().
/// Limits   Linear in the body and the number of hashes wanted; each canonical form is computed and hashed once, whatever the number of `l=`.
class BodyHasher {
public:
    BodyHasher();
    ~BodyHasher();
    BodyHasher(BodyHasher&&) noexcept;
    BodyHasher& operator=(BodyHasher&&) noexcept;

    void want(const BodyHash& hash);  // Precondition: nothing was fed yet
    void feed(std::string_view octets);
    void finish();
    [[nodiscard]] bool finished() const { return finished_; }
    /// SHA-256, 32 octets; of the whole body where `length` is more than there is. Precondition: finished(), and it was wanted.
    [[nodiscard]] const std::string& digest(const BodyHash& hash) const;
    /// Octets of the canonical body. Precondition: as above.
    [[nodiscard]] std::uint64_t size(Canonicalization canonicalization) const;

private:
    class Form;
    [[nodiscard]] const Form& form(Canonicalization canonicalization) const;
    std::array<std::unique_ptr<Form>, 2> forms_;
    bool finished_ = false;
};

}  // namespace thurn::mailauth
