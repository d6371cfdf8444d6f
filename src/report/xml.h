#pragma once

#include "base/result.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace thurn::report {

struct XmlLimits {
    std::size_t depth = 32;
    std::size_t text = 4096;  // octets of one element's own text; what is beyond is cut off
};

/// Told of a document's elements as they come.
/// Shape    `path` is the names from the root down, joined by `/`, without prefixes of namespaces; `text` what stands directly in the
///          element up to its end or its last child, UTF-8, without white space at the ends.
class XmlListener {
public:
    virtual ~XmlListener() = default;
    /// False ends the reading.
    virtual bool element_begins(std::string_view path) = 0;
    virtual void element_ends(std::string_view path, std::string_view text) = 0;
};

/// Reads a document to its end. Attributes, comments and processing instructions are passed over. The only file that knows expat.
/// Safety   A document type declaration is refused: no entities but the five of XML, nothing from outside.
/// Limits   Linear. A name longer than 64 octets is `?` in the path.
/// Errors   `syntax`: not well-formed, with the line; `too_long`: deeper than the limit, or the listener has had enough.
[[nodiscard]] base::Result<void> read_xml(std::string_view octets, const XmlLimits& limits, XmlListener& listener);

/// Text for the inside of an element. What XML 1.0 cannot hold becomes `?`.
[[nodiscard]] std::string escape_xml(std::string_view text);

}  // namespace thurn::report
