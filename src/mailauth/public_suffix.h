#pragma once

#include "base/result.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace thurn::mailauth {

/// The public suffix list: where registries end and registrants begin. The only file that knows libpsl.
///
/// Shape    Names in A-labels or U-labels, in any case; what comes out is in lower case and in the labels it came in.
/// Threads  Reading is allowed from many.
class PublicSuffixList {
public:
    /// The one the library was built with.
    [[nodiscard]] static PublicSuffixList built_in();
    /// A list in the format of its publishers.
    /// Errors   `syntax`: no rule in it.
    [[nodiscard]] static base::Result<PublicSuffixList> parse(std::string_view list);

    /// The suffix and one label before it; nothing for a suffix itself, and for what is no name.
    [[nodiscard]] std::optional<std::string> registrable_domain(std::string_view domain) const;

    ~PublicSuffixList();
    PublicSuffixList(PublicSuffixList&&) noexcept;
    PublicSuffixList& operator=(PublicSuffixList&&) noexcept;

private:
    struct Rules;
    explicit PublicSuffixList(std::unique_ptr<Rules> rules);
    std::unique_ptr<Rules> rules_;
};

}  // namespace thurn::mailauth
