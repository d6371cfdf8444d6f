#pragma once

#include <string>
#include <string_view>

namespace thurn::delivery {

/// Turns CRLF into LF, in any split of the input. A CR that no LF follows stays, and so does a lone LF.
///
/// Use      append() for each piece, then finish().
/// Cost     One copy; lines are found by memchr.
class LineEnds {
public:
    void append(std::string_view octets, std::string& out);
    void finish(std::string& out);

private:
    bool pending_cr_ = false;  // the last octet seen was a CR: whether it stays depends on the next
};

}  // namespace thurn::delivery
