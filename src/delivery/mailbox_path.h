#pragma once

#include "mail/mailbox.h"

#include <string>
#include <string_view>

namespace thurn::delivery {

/// One name of a path, from octets a stranger chose.
///
/// Shape    Letters, digits and `-_+=.` stay; all else becomes `%HH`, a leading dot too, so that the result is never `.`, `..`, hidden, or
///          more than one name. Nothing at all becomes `%`. Two different inputs never give the same name.
[[nodiscard]] std::string encode_path_name(std::string_view octets);

/// Fills in {domain}, {local} and {address} of a template; other text stays.
[[nodiscard]] std::string render_mailbox_path(std::string_view path_template, const mail::Mailbox& account);

}  // namespace thurn::delivery
