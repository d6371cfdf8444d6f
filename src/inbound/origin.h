#pragma once

#include "smtp/proxy_attributes.h"

#include <string>
#include <string_view>
#include <vector>

namespace thurn::inbound {

/// Where a message came from before it came to who hands it on, as that one told by XFORWARD: for log and trace, never for a decision.
using Origin = std::vector<smtp::ProxyAttribute>;

/// XFORWARD may come in several commands; what is said again replaces what was said.
void add_to(Origin& origin, const std::vector<smtp::ProxyAttribute>& told);
/// Empty where it was not told.
[[nodiscard]] std::string_view value_of(const Origin& origin, smtp::ProxyAttribute::Name name);
/// `client.example [192.0.2.1]:4711, helo client.example, ESMTP, id 4ABC`; what was not told is left out.
[[nodiscard]] std::string describe_origin(const Origin& origin);

}  // namespace thurn::inbound
