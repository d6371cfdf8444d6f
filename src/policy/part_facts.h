#pragma once

#include "policy/fact.h"
#include "scan/archive_listing.h"
#include "scan/attachments.h"

#include <string_view>

namespace thurn::policy {

// Facts about what a message is made of, by their names.

/// Precondition: the name is `body`, or begins with `attachment.` or `part_`.
[[nodiscard]] FactValue part_fact(std::string_view name, const scan::MessageParts& found);
/// Precondition: the name begins with `archive.`.
[[nodiscard]] FactValue archive_fact(std::string_view name, const scan::MessageArchives& found);

}  // namespace thurn::policy
