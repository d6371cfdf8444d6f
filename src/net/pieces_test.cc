#include "net/pieces.h"

#include <array>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace thurn::net {
namespace {

std::string gathered(const Pieces& pieces, std::size_t most) {
    std::vector<iovec> vectors(most);
    std::string octets;
    for (std::size_t at = 0, count = pieces.gather(vectors); at < count; ++at)
        octets.append(static_cast<const char*>(vectors[at].iov_base), vectors[at].iov_len);
    return octets;
}

TEST(Pieces, OfNothingAreEmpty) {
    EXPECT_TRUE(Pieces({}).empty());
    const std::array<std::string_view, 3> hollow{"", "", ""};
    EXPECT_TRUE(Pieces(hollow).empty());
}

TEST(Pieces, GiveTheSameOctetsForEveryStep) {
    const std::array<std::string_view, 5> list{"", "abc", "", "de", "fghij"};
    const std::string whole = "abcdefghij";
    for (std::size_t step = 1; step <= whole.size(); ++step) {
        Pieces pieces(list);
        std::size_t gone = 0;
        while (!pieces.empty()) {
            EXPECT_EQ(gathered(pieces, 8), whole.substr(gone));
            std::array<char, 4> scratch{};
            const auto run = pieces.coalesce(scratch);
            EXPECT_EQ(run, std::string_view(whole).substr(gone, run.size()));
            EXPECT_EQ(run.size(), std::min<std::size_t>(4, whole.size() - gone));
            const std::size_t advance = std::min(step, whole.size() - gone);
            pieces.advance(advance);
            gone += advance;
        }
        EXPECT_EQ(gone, whole.size());
    }
}

TEST(Pieces, FillNoMoreVectorsThanThereAre) {
    const std::array<std::string_view, 4> list{"a", "b", "c", "d"};
    EXPECT_EQ(gathered(Pieces(list), 2), "ab");
}

TEST(Pieces, AreNotCopiedWhenOneSuffices) {
    const std::array<std::string_view, 2> list{"a long piece", "b"};
    std::array<char, 4> scratch{};
    EXPECT_EQ(Pieces(list).coalesce(scratch).data(), list[0].data());
}

}  // namespace
}  // namespace thurn::net
