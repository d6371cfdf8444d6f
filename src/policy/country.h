#pragma once

#include <string>
#include <string_view>

namespace thurn::policy {

/// Tells in which country an address is.
/// Threads  Any; does not block.
class Countries {
public:
    virtual ~Countries() = default;
    /// Two upper case letters (ISO 3166); empty when it is not known.
    [[nodiscard]] virtual std::string country_of(std::string_view address) const = 0;
};

}  // namespace thurn::policy
