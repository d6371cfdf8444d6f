#pragma once

#include "base/result.h"

#include <memory>
#include <string_view>

namespace re2 {
class RE2;
}  // namespace re2

namespace thurn::policy {

/// A user's regular expression in RE2's syntax: time grows with the text alone, whatever the pattern.
/// Limits   1 MiB for the compiled pattern.
class Pattern {
public:
    /// Errors   `syntax`: what RE2 says of it.
    [[nodiscard]] static base::Result<Pattern> parse(std::string_view text);
    /// Somewhere in the text. Octets that are not UTF-8 match nothing but `\C`.
    [[nodiscard]] bool found_in(std::string_view text) const;

private:
    explicit Pattern(std::shared_ptr<const re2::RE2> compiled) : compiled_(std::move(compiled)) {}
    std::shared_ptr<const re2::RE2> compiled_;
};

}  // namespace thurn::policy
