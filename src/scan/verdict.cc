#include "scan/verdict.h"

#include "base/ascii.h"

namespace thurn::scan {

std::string cleaned_name(std::string_view name) {
    std::string cleaned(name.substr(0, kMostOfAName));
    for (auto& c : cleaned)
        if (!base::is_printable(c)) c = '?';
    return cleaned;
}

}  // namespace thurn::scan
