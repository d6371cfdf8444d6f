#include "policy/pattern.h"

#include <fmt/format.h>
#include <re2/re2.h>

namespace thurn::policy {

base::Result<Pattern> Pattern::parse(std::string_view text) {
    re2::RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(1 << 20);
    auto compiled = std::make_shared<const re2::RE2>(re2::StringPiece(text.data(), text.size()), options);
    if (!compiled->ok()) return base::fail(base::ErrorKind::syntax, fmt::format("no regular expression: {}", compiled->error()));
    return Pattern(std::move(compiled));
}

bool Pattern::found_in(std::string_view text) const {
    return re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), *compiled_);
}

}  // namespace thurn::policy
