#pragma once

#include "base/result.h"

#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace thurn::mail {

/// Whether octets over 127 are allowed in addresses (RFC 6530, RFC 6531).
enum class Charset { ascii, utf8 };

/// The right-hand side of a mailbox, in one normal form: compare with ==.
///
/// Shape    A domain name in lower case, without a trailing dot, U-labels turned into A-labels (RFC 5891), 1..255 octets, labels of
///          1..63 letters, digits, hyphens (and underscores, which real hosts use); or an address literal with its
///          brackets (`[192.0.2.1]`, `[IPv6:2001:db8::1]`). Empty only in `<postmaster>` (RFC 5321 §4.5.1).
/// Threads  A plain value.
/// Source   RFC 5321 §4.1.2, §4.1.3.
class Domain {
public:
    Domain() = default;
    [[nodiscard]] const std::string& text() const { return text_; }
    [[nodiscard]] bool empty() const { return text_.empty(); }
    [[nodiscard]] bool is_literal() const { return !text_.empty() && text_.front() == '['; }
    /// Takes back what text() once gave, from our own checksummed storage, without judging it again. Never for a peer's or a user's text.
    [[nodiscard]] static Domain restored(std::string text) { return Domain(std::move(text)); }
    friend auto operator<=>(const Domain&, const Domain&) = default;

private:
    friend base::Result<Domain> parse_domain(std::string_view text, Charset charset);
    explicit Domain(std::string text) : text_(std::move(text)) {}
    std::string text_;
};

/// Errors   `syntax`, `too_long`; `invalid`: IDNA refuses a label.
[[nodiscard]] base::Result<Domain> parse_domain(std::string_view text, Charset charset = Charset::ascii);

/// An address: who, and where.
///
/// Shape    `local` is the meaning, without quotes and backslashes, 1..64 octets (more where a path was taken so), case kept; it may hold any printable octet, '@' and space
///          among them, but never CR, LF or NUL. Route by `domain` only.
struct Mailbox {
    std::string local;
    Domain domain;
    friend auto operator<=>(const Mailbox&, const Mailbox&) = default;
};

/// `local@domain`, the local part quoted only where its grammar demands it; `postmaster` alone without a domain.
[[nodiscard]] std::string render_mailbox(const Mailbox& mailbox);
/// Reads `local@domain` and nothing else. RFC 5321 §4.1.2 to the letter: no comments, no white space.
/// Errors   `syntax`, `too_long`, `invalid`.
[[nodiscard]] base::Result<Mailbox> parse_mailbox(std::string_view text, Charset charset = Charset::ascii);

/// Who gets the bounce. Without a mailbox it is the null path `<>`, to which nothing is ever bounced (RFC 5321 §4.5.5).
struct ReversePath {
    std::optional<Mailbox> mailbox;
    [[nodiscard]] bool is_null() const { return !mailbox; }
    friend auto operator<=>(const ReversePath&, const ReversePath&) = default;
};

/// Text between the angle brackets: empty for the null path.
[[nodiscard]] std::string render_path(const ReversePath& path);

/// A path at the front of `text`, and what stands behind it.
template <class Path>
struct Taken {
    Path path;
    std::string_view rest;
};
inline constexpr std::size_t kLongestLocal = 64;  // RFC 5321 §4.5.3.1.1, as written, so with its quotes
inline constexpr std::size_t kLongestPath = 256;  // RFC 5321 §4.5.3.1.3, with its brackets

/// `<…>` of MAIL: a mailbox or nothing. A source route (`@a,@b:`) is accepted and ignored (RFC 5321 Appendix C).
/// Errors   `syntax`, `too_long`: the path has over 256 octets (RFC 5321 §4.5.3.1.3).
[[nodiscard]] base::Result<Taken<ReversePath>> take_reverse_path(std::string_view text, Charset charset,
                                                                 std::size_t longest_local = kLongestLocal);
/// `<…>` of RCPT: a mailbox, or `<postmaster>` in any case, which gives an empty domain.
[[nodiscard]] base::Result<Taken<Mailbox>> take_forward_path(std::string_view text, Charset charset,
                                                             std::size_t longest_local = kLongestLocal);

}  // namespace thurn::mail
