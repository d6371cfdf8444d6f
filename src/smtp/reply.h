#pragma once

#include "base/result.h"
#include "mail/status.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace thurn::smtp {

/// What a server answers to one command.
///
/// Shape    `code` is 200..599. `lines` is never empty and holds no CR, LF or code. `status` is put before each line's text when rendered.
/// Limits   A rendered line has at most 512 octets with its CRLF (RFC 5321 §4.5.3.1.5); longer text is folded at a
///          space into further lines.
/// Threads  A plain value.
/// Source   RFC 5321 §4.2; RFC 3463 and RFC 2034 for `status`.
struct Reply {
    std::uint16_t code = 0;
    std::optional<mail::EnhancedStatus> status;
    std::vector<std::string> lines;

    [[nodiscard]] bool positive() const { return code >= 200 && code < 300; }
    [[nodiscard]] bool intermediate() const { return code >= 300 && code < 400; }
    [[nodiscard]] bool transient() const { return code >= 400 && code < 500; }
    [[nodiscard]] bool permanent() const { return code >= 500 && code < 600; }
    friend bool operator==(const Reply&, const Reply&) = default;
};

/// One line; the text is cleaned of what may not stand in a reply (control octets become spaces).
[[nodiscard]] Reply make_reply(std::uint16_t code, mail::EnhancedStatus status, std::string text);

/// Octets for the wire; every line ends with CRLF.
[[nodiscard]] std::string render_reply(const Reply& reply);
/// For people, logs and DSNs: `550 5.1.1 No such user`, lines joined by a space, control octets replaced.
[[nodiscard]] std::string describe_reply(const Reply& reply);

/// Reads a peer's replies from a stream in any split (client side).
///
/// Limits   A line over 2,048 octets or a reply over 100 lines is `too_long`. A bare LF ends a line too: real servers send it.
///          Text is cleaned of control octets, so that it can be logged and stored.
/// Errors   `syntax`: a line has no code in 200..599, or two lines of one reply have different codes. After an error the reader is dead.
class ReplyReader {
public:
    void receive(std::string_view octets);
    /// The next complete reply, nothing when more octets are needed.
    [[nodiscard]] base::Result<std::optional<Reply>> next();
    /// Octets not yet read as a reply; behind a 220 to STARTTLS there must be none (CVE-2021-38371).
    [[nodiscard]] bool has_leftover() const { return consumed_ < input_.size(); }

private:
    [[nodiscard]] base::Result<std::optional<std::string_view>> take_line();
    [[nodiscard]] base::Result<bool> add_line(std::string_view line);
    [[nodiscard]] std::unexpected<base::Error> fail(std::unexpected<base::Error> error);
    void compact();

    std::string input_;
    std::size_t consumed_ = 0;  // octets at the front that were read already
    std::size_t scanned_ = 0;   // no LF before this position
    Reply partial_;
    std::optional<base::Error> error_;
};

}  // namespace thurn::smtp
