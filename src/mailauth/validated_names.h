#pragma once

#include "dns/ip_address.h"
#include "mailauth/inquiry.h"

#include <string>
#include <vector>

namespace thurn::mailauth {

/// What reverse DNS says of an address.
/// Shape    `status` is that of the PTR look-up. `claimed`: the names there, at most ten. `names`: those of them that lead back to the
///          address. `failed`: some could not be looked up.
struct ValidatedNames {
    dns::Status status = dns::Status::no_name;
    std::vector<std::string> claimed{};
    std::vector<std::string> names{};
    std::vector<std::string> failed{};
};

/// Asks for the names of `client` and, all at once, for the addresses of these names.
/// Source   RFC 7208 §5.5; RFC 8601 §2.7.3.
[[nodiscard]] Evaluation<ValidatedNames> find_validated_names(dns::IpAddress client, Inquiries& dns);

}  // namespace thurn::mailauth
