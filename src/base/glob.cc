#include "base/glob.h"

#include "base/ascii.h"

namespace thurn::base {

// Only the last `*` is ever taken up again: what an earlier one matched can stay as short as it was found, for the last one may swallow
// the rest. So the work is at most pattern times text, with no pattern that explodes.
bool matches_glob(std::string_view pattern, std::string_view text) {
    std::size_t in_pattern = 0;
    std::size_t in_text = 0;
    std::size_t after_star = std::string_view::npos;
    std::size_t star_ends = 0;
    while (in_text < text.size()) {
        const char wanted = in_pattern < pattern.size() ? pattern[in_pattern] : '\0';
        if (in_pattern < pattern.size() && wanted == '*') {
            after_star = ++in_pattern;
            star_ends = in_text;
        } else if (in_pattern < pattern.size() && (wanted == '?' || to_lower(wanted) == to_lower(text[in_text]))) {
            ++in_pattern;
            ++in_text;
        } else if (after_star != std::string_view::npos) {
            in_pattern = after_star;
            in_text = ++star_ends;
        } else {
            return false;
        }
    }
    while (in_pattern < pattern.size() && pattern[in_pattern] == '*') ++in_pattern;
    return in_pattern == pattern.size();
}

}  // namespace thurn::base
