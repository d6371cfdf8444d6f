#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace thurn::scan {

/// What people send to see whether their mail is scanned: GTUBE stands for spam, EICAR's test file for a virus.
enum class TestPattern : std::uint8_t { none, gtube, eicar };
/// `gtube`, `eicar`; empty for none.
[[nodiscard]] std::string_view name_of(TestPattern pattern);

/// Looks for them in a message, piece by piece: as they stand, and in base64, in lines of any length from 76 digits on.
///
/// Limits   Linear: two searches through the content, twelve more where it says `base64` somewhere. Keeps less than 200 octets of a piece.
class TestPatternSearch {
public:
    void feed(std::string_view octets);
    /// The first that was found.
    [[nodiscard]] TestPattern found() const { return found_; }

private:
    void search(std::string_view octets);

    std::string kept_;  // the end of what was searched: one of them may have begun there
    bool encoded_ = false;
    TestPattern found_ = TestPattern::none;
};

}  // namespace thurn::scan
