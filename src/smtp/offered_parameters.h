#pragma once

#include "smtp/extensions.h"
#include "smtp/parameters.h"

#include <string>

namespace thurn::smtp {

/// Writes ` KEYWORD=value` behind a path, each only where the server offers its extension: what is left out is lost from here on, and whoever
/// relays decides before whether that is right (RFC 3461 §5.2.2, RFC 2852 §4.1.5).
void append_parameters(const MailParameters& given, const Extensions& offered, std::string& to);
void append_parameters(const RcptParameters& given, const Extensions& offered, std::string& to);

}  // namespace thurn::smtp
