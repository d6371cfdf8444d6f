#include "report/field_text.h"

#include "base/ascii.h"
#include "report/dsn_text.h"

#include <algorithm>

namespace thurn::report {
namespace {

constexpr std::size_t kFoldAt = 76;
constexpr std::size_t kMaxWord = 500;  // longer runs without a space are broken: folding cannot help them

}  // namespace

std::string printable(std::string_view text) {
    std::string clean(text.substr(0, kMaxReportText));
    std::ranges::replace_if(clean, [](char c) { return !base::is_printable(c); }, '?');
    return clean;
}

std::string render_field(std::string_view name, std::string_view value) {
    std::string field(name);
    field += ':';
    std::size_t column = field.size();
    while (!value.empty()) {
        const std::size_t gap = std::min(value.find_first_not_of(' '), value.size());
        value.remove_prefix(gap);
        const std::string_view word = value.substr(0, std::min(value.find(' '), kMaxWord));
        if (word.empty()) break;
        const bool fits = column + 1 + word.size() <= kFoldAt || column == name.size() + 1;
        field += fits ? " " : "\r\n ";
        field += word;
        column = (fits ? column + 1 : 1) + word.size();
        value.remove_prefix(word.size());
    }
    return field + "\r\n";
}

}  // namespace thurn::report
