#pragma once

#include "app/tool_input.h"
#include "base/result.h"
#include "mailauth/dkim_message.h"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

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
/// Of a JSON line: the octets that its `message` has in base64, as they are.
/// Errors   `syntax`.
[[nodiscard]] base::Result<ToolMessage> message_of(const InputObject& question);
/// Answers each message of standard input's JSON lines with an object in a line, `id` and what `answer` gives, or `error`.
int answer_lines(const std::function<base::Result<boost::json::object>(const boost::json::object&, const ToolMessage&)>& answer);
/// The names in `h`, parted by colons; none without it.
[[nodiscard]] std::vector<std::string> field_names_of(const boost::json::object& question);
/// To standard output, with the line ends it came with; `above` goes on top of it.
void print_message(std::string_view above, const ToolMessage& message);

}  // namespace thurn::app
