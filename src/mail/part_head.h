#pragma once

#include "mail/part_reader.h"

namespace thurn::mail {

/// The header of a part as lenient readers take it.
struct ReadHead {
    PartHead head;
    std::vector<std::string> boundaries;  // all that some reader takes for the boundary
    bool contradictory = false;           // types, encodings or boundaries that do not agree
    bool odd_line = false;
    bool odd_encoding = false;
};

/// `type`: of a part that says none.
[[nodiscard]] ReadHead read_part_head(std::string_view header, std::string_view type);

}  // namespace thurn::mail
