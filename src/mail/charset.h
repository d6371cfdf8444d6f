#pragma once

#include <string>
#include <string_view>

namespace thurn::mail {

/// The octets of a text in some character set, as UTF-8; always valid UTF-8.
///
/// Shape    Known are UTF-8, US-ASCII, ISO 8859-1 and -15 and Windows-1252. Of others what is US-ASCII stays, as it does in most of them, and every other
///          octet becomes `?`: enough to read where a file name ends.
[[nodiscard]] std::string to_utf8(std::string_view charset, std::string_view octets);

/// A header field's text with its encoded words read (RFC 2047), as UTF-8 where there were any; else as it is.
/// Source   RFC 2047 §6, but also within quoted strings (§5 rule 3 says no), since everybody's mail programs write and read them there.
[[nodiscard]] std::string decode_words(std::string_view text);

}  // namespace thurn::mail
