#pragma once

#include "base/result.h"
#include "mailauth/dkim_message.h"

#include <string>
#include <string_view>

namespace thurn::app {

/// A message from standard input, as SMTP would have it.
///
/// Shape    `octets` have CRLF line ends. Of a file whose first line ends with LF alone, each LF was made CRLF; else all is as it came.
struct ToolMessage {
    std::string octets;
    bool had_line_feeds = false;

    /// With its empty line.
    [[nodiscard]] std::string_view header() const;
    [[nodiscard]] std::string_view body() const;
};
[[nodiscard]] ToolMessage read_message();
/// Errors   `not_found`: the file cannot be read.
[[nodiscard]] base::Result<ToolMessage> read_message(const std::string& file);
[[nodiscard]] ToolMessage as_tool_message(std::string octets);
/// To standard output, with the line ends it came with; `above` goes on top of it.
void print_message(std::string_view above, const ToolMessage& message);

}  // namespace thurn::app
