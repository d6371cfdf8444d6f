#include "delivery/line_ends.h"

namespace thurn::delivery {

void LineEnds::append(std::string_view octets, std::string& out) {
    if (octets.empty()) return;
    if (pending_cr_ && octets.front() != '\n') out += '\r';
    pending_cr_ = octets.back() == '\r';
    if (pending_cr_) octets.remove_suffix(1);
    while (true) {
        const std::size_t cr = octets.find('\r');
        if (cr == std::string_view::npos) break;
        const bool line_end = cr + 1 < octets.size() && octets[cr + 1] == '\n';
        out.append(octets.substr(0, line_end ? cr : cr + 1));
        octets.remove_prefix(cr + 1);  // the LF, if there is one, leads the next run
    }
    out.append(octets);
}

void LineEnds::finish(std::string& out) {
    if (pending_cr_) out += '\r';
    pending_cr_ = false;
}

}  // namespace thurn::delivery
