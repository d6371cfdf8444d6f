#pragma once

#include "base/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace thurn::net {

/// A server as libunbound takes it, `192.0.2.1@53`, from `192.0.2.1`, `127.0.0.1:5353`, `[::1]:53` or `2001:db8::1`.
/// Errors   `syntax`.
[[nodiscard]] base::Result<std::string> parse_dns_server(std::string_view text);

/// The name servers of resolv.conf(5), as libunbound takes them; 127.0.0.1 if there is none, as the C library has it.
[[nodiscard]] std::vector<std::string> parse_resolv_conf(std::string_view text);

}  // namespace thurn::net
