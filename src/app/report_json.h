#pragma once

#include "report/find_report.h"

#include <string_view>

#include <boost/json/object.hpp>

namespace thurn::app {

/// `{"type": "dmarc" | "tls" | "arf" | "dsn", "report": {…}}`, with the names of the report's own format: the XML elements of RFC 9990, the
/// JSON of RFC 8460, the fields of RFC 5965 and RFC 3464. What is empty is left out.
[[nodiscard]] boost::json::object describe_report(const report::Report& report);

/// Texts of strangers may be anything, JSON is UTF-8: of a text that is none, what is not US-ASCII becomes `?`.
[[nodiscard]] boost::json::string json_text(std::string_view octets);

}  // namespace thurn::app
