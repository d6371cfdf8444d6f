#pragma once

#include "base/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace thurn::mailauth {

/// One `name=value` of a list.
/// Shape    `value` without white space at its ends; folds and white space inside it are kept.
struct Tag {
    std::string_view name;
    std::string_view value;
};

/// A tag list as DKIM signatures, key records and ARC fields have it: `a=b; c=d`. Names are compared with case, values as their tag says.
///
/// Shape    In order, no name twice. Views into the text it was read from.
/// Source   RFC 6376 §3.2.
struct TagList {
    std::vector<Tag> tags;

    [[nodiscard]] const Tag* find(std::string_view name) const;
    /// Without the tag, nothing.
    [[nodiscard]] std::optional<std::string_view> value(std::string_view name) const;
};

/// White space at the end is taken, also behind the last semicolon, as senders write it.
/// Errors   `syntax`: a part without `=`, a name or value with other octets than its grammar has, two semicolons in a row, nothing at all, a
///          name twice (§3.2: the whole list is invalid). `too_long`: more than 100 tags.
[[nodiscard]] base::Result<TagList> parse_tag_list(std::string_view text);

/// Without any white space or line end: what base64 values and lists are compared as.
[[nodiscard]] std::string without_space(std::string_view value);
/// The octets of base64, white space anywhere. The padding may be missing and the unused bits be any, as the grammar (RFC 6376 §2.10) allows
/// and some keys and signatures have it.
/// Errors   `syntax`.
[[nodiscard]] base::Result<std::string> decode_tag_base64(std::string_view value);
/// The parts between `separator`, each without white space at its ends. Never empty; an empty part is kept.
[[nodiscard]] std::vector<std::string_view> split_value(std::string_view value, char separator);
/// Digits only, at most 12 of them as for `t=`, `x=` (RFC 6376 §3.5).
[[nodiscard]] std::optional<std::uint64_t> parse_digits(std::string_view value, std::size_t max_digits);

}  // namespace thurn::mailauth
