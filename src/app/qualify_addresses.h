#pragma once

#include <string>
#include <string_view>

namespace thurn::app {

/// The value of an address field with `@domain` put behind every local part that stands alone, as `sendmail` owes it to programs that write
/// `From: root (Cron Daemon)`. All else stays as it is; a value that cannot be completed so stays whole.
[[nodiscard]] std::string qualify_addresses(std::string_view value, std::string_view domain);

/// The same for `From`, `Sender`, `Reply-To`, `To` and `Cc` of a message with CRLF line ends.
void qualify_header(std::string& message, std::string_view domain);

}  // namespace thurn::app
