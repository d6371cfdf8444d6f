// The glob agrees with a table filled cell by cell, whose cost is known.
#include "base/ascii.h"
#include "base/glob.h"
#include "require.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace {

bool slow_glob(std::string_view pattern, std::string_view text) {
    std::vector<char> row(text.size() + 1, 0);
    row[0] = 1;
    for (const char wanted : pattern) {
        std::vector<char> next(text.size() + 1, 0);
        next[0] = static_cast<char>(wanted == '*' && row[0] != 0);
        for (std::size_t at = 1; at <= text.size(); ++at) {
            const bool fits = wanted == '?' || thurn::base::to_lower(wanted) == thurn::base::to_lower(text[at - 1]);
            next[at] = static_cast<char>(wanted == '*' ? row[at] != 0 || next[at - 1] != 0 : fits && row[at - 1] != 0);
        }
        row = std::move(next);
    }
    return row.back() != 0;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), std::min<std::size_t>(size, 2000));
    const auto cut = input.find('\n');
    const auto pattern = input.substr(0, cut);
    const auto text = cut == std::string_view::npos ? std::string_view() : input.substr(cut + 1);
    thurn::fuzz::require(thurn::base::matches_glob(pattern, text) == slow_glob(pattern, text),
                         "thurn::base::matches_glob(pattern, text) == slow_glob(pattern, text)");
    return 0;
}
