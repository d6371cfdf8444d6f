#pragma once

#include "base/result.h"
#include "mailauth/dkim_canonical.h"
#include "mailauth/dkim_crypto.h"
#include "mailauth/dkim_message.h"
#include "mailauth/dkim_signature.h"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace thurn::mailauth {

/// The fields that are signed each time they are there (RFC 6376 §5.4.1), in lower case.
[[nodiscard]] std::vector<std::string> default_signed_fields();
/// Those that are signed once more than they are there, so that nobody can add another (RFC 6376 §8.15).
[[nodiscard]] std::vector<std::string> default_oversigned_fields();

struct DkimSignOptions {
    std::string domain;
    std::string selector;
    std::chrono::seconds now{0};                     // t=; since 1970
    std::optional<std::chrono::seconds> lifetime{};  // x= so long after; without, none
    Canonicalization header = Canonicalization::relaxed;
    Canonicalization body = Canonicalization::relaxed;
    std::vector<std::string> fields = default_signed_fields();
    std::vector<std::string> oversigned = default_oversigned_fields();
};

/// Signs one message (RFC 6376 §5, RFC 8463).
///
/// Loop     Make it with the header and a hasher that has seen no body yet; when the hasher has finished, sign(). Several signers, with keys
///          of several kinds, may share one hasher.
class DkimSigner {
public:
    /// Precondition: `header`, `key` and `hasher` outlive it.
    DkimSigner(const MessageHeader& header, const PrivateKey& key, BodyHasher& hasher, DkimSignOptions options);
    /// The whole field, folded, with its CRLF; it belongs above the header.
    /// Errors   `invalid`: the message has no From, or lines in its header that are no fields; the domain or selector is none.
    [[nodiscard]] base::Result<std::string> sign() const;

private:
    const MessageHeader& header_;
    const PrivateKey& key_;
    const BodyHasher& hasher_;
    DkimSignOptions options_;
};

/// Who signs, in the form tags have.
struct SignerNames {
    std::string domain;
    std::string selector;
};
/// Errors   `invalid`: one of them is no domain name.
[[nodiscard]] base::Result<SignerNames> parse_signer(std::string_view domain, std::string_view selector);
/// Errors   `invalid`: no signature over this header would verify anywhere.
[[nodiscard]] base::Result<void> check_signable(const MessageHeader& header);

/// The names for h=: each as often as it is in the header, and once more where it is to be oversigned.
[[nodiscard]] std::vector<std::string> choose_fields(const MessageHeader& header, const std::vector<std::string>& fields,
                                                     const std::vector<std::string>& oversigned);

/// Writes a field of tags, folded at 76 columns between tags, and within their values at what the tag allows.
class TagWriter {
public:
    explicit TagWriter(std::string_view name) : text_(std::string(name) + ":"), column_(text_.size()) {}
    void put(std::string_view tag, std::string_view value);
    void put_list(std::string_view tag, const std::vector<std::string>& values);  // folded behind colons
    void put_base64(std::string_view tag, std::string_view octets);               // folded anywhere
    /// The field so far, without CRLF, ending in `b=`.
    [[nodiscard]] std::string unsigned_field();
    /// With the signature, as put_base64() folds it, and CRLF. Precondition: unsigned_field() was called last.
    [[nodiscard]] std::string finish(std::string_view signature);

private:
    void put_piece(std::string_view piece);
    void put_folded(std::string_view text);
    void begin_tag(std::string_view tag, std::size_t room);
    void fold();

    std::string text_;
    std::size_t column_;
    bool first_ = true;
};

}  // namespace thurn::mailauth
