#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace thurn::scan {

/// What a virus scanner says of a message.
struct VirusVerdict {
    std::string name;  // of what it found; empty: nothing
    friend bool operator==(const VirusVerdict&, const VirusVerdict&) = default;
};

/// What a spam scanner says of one.
struct SpamVerdict {
    bool spam = false;
    double score = 0;
    double threshold = 0;            // from where on it is spam
    std::vector<std::string> rules;  // its own that applied
    friend bool operator==(const SpamVerdict&, const SpamVerdict&) = default;
};

inline constexpr std::size_t kMostOfAName = 200;  // octets of a virus or a rule

/// A name out of another program's mouth: printable US-ASCII, at most kMostOfAName octets; `?` for all else.
[[nodiscard]] std::string cleaned_name(std::string_view name);

}  // namespace thurn::scan
