#pragma once

#include "base/result.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace thurn::dns {

/// A name as `labels` lays it out: each label behind its length, lower case, without the root's zero octet. Two names are the same if these
/// are.
///
/// Limits   127 labels, 63 octets a label, 255 octets in all with the root (RFC 1035 §2.3.4).
struct WireName {
    std::string labels;
    friend bool operator==(const WireName&, const WireName&) = default;
};

/// Reads presentation form, with or without the trailing dot, with `\DDD` and `\x` (RFC 1035 §5.1). "" and "." are the root.
/// Errors   `syntax`, `too_long`.
[[nodiscard]] base::Result<WireName> parse_name(std::string_view text);

/// Presentation form, lower case, without trailing dot; the root is "". Letters, digits, `-`, `_`, `*` and `/` stand for themselves, every
/// other octet is `\DDD`: what comes out holds no dot, NUL, quote, space, line end or octet over 0x7f that could mean something to whoever
/// prints, parses or stores it, and a name with a backslash is no host name anywhere. parse_name() reads it back.
[[nodiscard]] std::string render_name(const WireName& name);

/// Reads the name that begins at `at` of a packet, and puts `at` behind it.
/// Limits   A compression pointer points before the labels that led to it, so there are no loops; at most 127 pointers.
/// Errors   `syntax`.
[[nodiscard]] base::Result<WireName> take_name(std::string_view packet, std::size_t& at);

}  // namespace thurn::dns
