// In base64 a text looks one of three ways, by where it stands in a group of three octets, and what stands before and behind it changes the
// digits at its ends; then a line may end in its midst. So two pieces of each pattern are searched for, without the digits at their ends,
// so far apart that no two ends of lines, 76 digits apart or more, can go through both.
#include "scan/test_pattern.h"

#include "base/ascii.h"
#include "base/base64.h"

#include <array>
#include <vector>

#include <string.h>  // memmem

namespace thurn::scan {

namespace {

struct Known {
    TestPattern pattern;
    std::string text;
    std::size_t star;  // where it has a `*`, which is rare in mail
};

// In pieces, lest this very file be taken for one.
const std::array<Known, 2>& known() {
    static const std::array<Known, 2> patterns{
        Known{TestPattern::gtube, std::string("XJS*C4JDBQADN1.NSBN3*2IDNEN*") + "GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X", 3},
        Known{TestPattern::eicar, std::string("X5O!P%@AP[4\\PZX54(P^)7CC)7}$") + "EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*", 67}};
    return patterns;
}

constexpr std::size_t kLongest = 68;  // either
constexpr std::size_t kKept = 2 * kLongest;

struct Encoded {
    TestPattern pattern;
    std::string digits;
};

/// What must be there of a text that begins `before` octets behind the start of a group.
std::string digits_of(std::string_view text, std::size_t before) {
    const auto digits = base::encode_base64(std::string(before, 'x') + std::string(text));
    const std::size_t first = before == 0 ? 0 : before + 1;  // digits that also hold what is before
    return digits.substr(first, (before + text.size()) / 3 * 4 - first);
}

const std::vector<Encoded>& encoded() {
    static const std::vector<Encoded> all = [] {
        std::vector<Encoded> made;
        for (const auto& [pattern, text, star] : known())
            for (const auto piece : {std::string_view(text).substr(0, 24), std::string_view(text).substr(34, 22)})
                for (std::size_t before = 0; before < 3; ++before) made.push_back({pattern, digits_of(piece, before)});
        return made;
    }();
    return all;
}

TestPattern find_plain(std::string_view octets) {
    for (auto at = octets.find('*'); at != std::string_view::npos; at = octets.find('*', at + 1))
        for (const auto& [pattern, text, star] : known())
            if (at >= star && octets.substr(at - star).starts_with(text)) return pattern;
    return TestPattern::none;
}

TestPattern find_encoded(std::string_view octets) {
    for (const auto& [pattern, digits] : encoded())
        if (::memmem(octets.data(), octets.size(), digits.data(), digits.size())) return pattern;
    return TestPattern::none;
}

/// `Content-Transfer-Encoding: base64`, in any case.
bool says_base64(std::string_view octets) {
    constexpr std::string_view word = "base64";
    for (auto at = octets.find("64"); at != std::string_view::npos; at = octets.find("64", at + 1))
        if (at >= 4 && base::equal_ignoring_case(octets.substr(at - 4, word.size()), word)) return true;
    return false;
}

}  // namespace

std::string_view name_of(TestPattern pattern) {
    if (pattern == TestPattern::none) return {};
    return pattern == TestPattern::gtube ? "gtube" : "eicar";
}

void TestPatternSearch::search(std::string_view octets) {
    found_ = find_plain(octets);
    if (found_ != TestPattern::none) return;
    encoded_ = encoded_ || says_base64(octets);
    if (encoded_) found_ = find_encoded(octets);
}

void TestPatternSearch::feed(std::string_view octets) {
    if (found_ != TestPattern::none) return;
    const bool first = kept_.empty();
    kept_ += octets.substr(0, kKept);
    if (!first) search(kept_);
    if (found_ == TestPattern::none) search(octets);
    if (octets.size() > kKept) kept_ = octets.substr(octets.size() - kKept);
    if (kept_.size() > kKept) kept_.erase(0, kept_.size() - kKept);
}

}  // namespace thurn::scan
