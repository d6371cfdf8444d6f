#include "scan/test_pattern.h"

#include "base/base64.h"

#include <gtest/gtest.h>

namespace thurn::scan {
namespace {

// In pieces, lest this file be taken for one.
const std::string kGtube = std::string("XJS*C4JDBQADN1.NSBN3*2IDNEN*") + "GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X";
const std::string kEicar = std::string("X5O!P%@AP[4\\PZX54(P^)7CC)7}$") + "EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*";

TestPattern found_in(std::string_view octets, std::size_t cut = std::string_view::npos) {
    TestPatternSearch search;
    search.feed(octets.substr(0, cut));
    if (cut < octets.size()) search.feed(octets.substr(cut));
    return search.found();
}

std::string in_lines(std::string_view digits, std::size_t width) {
    std::string lines = "Content-Transfer-Encoding: base64\r\n\r\n";
    for (; !digits.empty(); digits.remove_prefix(std::min(width, digits.size()))) lines += std::string(digits.substr(0, width)) + "\r\n";
    return lines;
}

TEST(TestPatternSearch, FindsThemAsTheyStand) {
    EXPECT_EQ(found_in("Subject: x\r\n\r\n" + kGtube + "\r\n"), TestPattern::gtube);
    EXPECT_EQ(found_in("Subject: x\r\n\r\n" + kEicar + "\r\n"), TestPattern::eicar);
    EXPECT_EQ(found_in(kEicar), TestPattern::eicar);
    EXPECT_EQ(found_in("GTUBE-STANDARD-ANTI-UBE EICAR-STANDARD-ANTIVIRUS\r\n" + kGtube), TestPattern::gtube);
}

TEST(TestPatternSearch, FindsThemInBase64WhereverTheyBeginAndLinesEnd) {
    for (const std::size_t width : {76UL, 78UL, 100UL, 1000UL})
        for (std::size_t before = 0; before < 120; ++before) {
            EXPECT_EQ(found_in(in_lines(base::encode_base64(std::string(before, 'a') + kGtube + "b"), width)), TestPattern::gtube)
                << before;
            EXPECT_EQ(found_in(in_lines(base::encode_base64(std::string(before, '\xff') + kEicar), width)), TestPattern::eicar) << before;
        }
}

TEST(TestPatternSearch, FindsThemAcrossPieces) {
    const auto plain = std::string(300, 'x') + kGtube + std::string(300, 'x');
    const auto encoded = in_lines(base::encode_base64(std::string(200, 'a') + kEicar + std::string(200, 'a')), 76);
    for (std::size_t cut = 0; cut <= plain.size(); ++cut) EXPECT_EQ(found_in(plain, cut), TestPattern::gtube) << cut;
    for (std::size_t cut = 0; cut <= encoded.size(); ++cut) EXPECT_EQ(found_in(encoded, cut), TestPattern::eicar) << cut;
    TestPatternSearch search;
    for (const char c : plain) search.feed({&c, 1});
    EXPECT_EQ(search.found(), TestPattern::gtube);
}

TEST(TestPatternSearch, TakesNothingElseForThem) {
    EXPECT_EQ(found_in(""), TestPattern::none);
    EXPECT_EQ(found_in("base64 GTUBE EICAR-STANDARD-ANTIVIRUS-TEST-FILE -STANDARD-ANTI"), TestPattern::none);
    EXPECT_EQ(found_in(kGtube.substr(1)), TestPattern::none);
    EXPECT_EQ(found_in(kEicar.substr(0, kEicar.size() - 1)), TestPattern::none);
    EXPECT_EQ(found_in(base::encode_base64(kEicar)), TestPattern::none) << "nobody said that it is base64";
}

}  // namespace
}  // namespace thurn::scan
