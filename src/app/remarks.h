#pragma once

#include <string>
#include <vector>

namespace thurn::app {

/// What `thurn check` has to say about one thing.
struct Remark {
    enum class Weight { ok, warning, error } weight;
    std::string about;
    std::string text;
};
using Remarks = std::vector<Remark>;

}  // namespace thurn::app
