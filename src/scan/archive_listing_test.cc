#include "scan/archive_listing.h"

#include <string>

#include <gtest/gtest.h>

namespace thurn::scan {
namespace {

std::string listing(const std::string& lines) { return std::string(kListingHead) + lines + std::string(kListingEnd); }

TEST(ArchiveListing, IsReadAsItIsWritten) {
    const ArchiveListing all{.members = {{.archive = 0,
                                          .path = "a b%/\n.exe",
                                          .depth = 2,
                                          .size = 12,
                                          .kind = FileKind::windows_program,
                                          .macros = true,
                                          .encrypted = true},
                                         {.archive = 3, .path = "", .depth = 1, .size = 0}},
                             .broken = {{1, "truncated\xC3\xBC"}},
                             .excess = {{2, "ratio"}}};
    const auto text = listing(render_member(all.members[0]) + render_member(all.members[1]) + render_broken(all.broken[0]) +
                              render_excess(2, ArchiveExcess::ratio));
    const auto read = parse_listing(text);
    ASSERT_TRUE(read.has_value());
    EXPECT_EQ(*read, all);
}

TEST(ArchiveListing, KeepsTheEndOfALongPath) {
    const auto read = parse_listing(listing(render_member({.path = std::string(5000, 'x') + ".exe"})));
    ASSERT_TRUE(read.has_value());
    EXPECT_EQ(read->members[0].path.size(), kMostOfPath);
    EXPECT_TRUE(read->members[0].path.ends_with(".exe"));
}

TEST(ArchiveListing, IsNothingWhereTheHelperDied) {
    const auto whole = listing("member 0 1 2 - - a\n");
    for (std::size_t cut = 0; cut < whole.size(); ++cut) EXPECT_FALSE(parse_listing(whole.substr(0, cut)).has_value()) << cut;
    EXPECT_EQ(parse_listing("").error().kind, base::ErrorKind::peer_gone);
    EXPECT_EQ(parse_listing(kListingHead).error().kind, base::ErrorKind::peer_gone);
}

TEST(ArchiveListing, RefusesWhatNobodyOfOursWrites) {
    for (const auto* line :
         {"\n", "member\n", "member 0 1 2 - -\n\n", "member x 1 2 - - a\n", "member 0 1 -2 - - a\n", "member 0 1 2 what - a\n",
          "member 0 1 2 - x a\n", "member 0 1 2 - - %\n", "member 0 1 2 - - %zz\n", "member 0 1 2 - - \x80\n", "excess 0 much\n",
          "excess 0 \n", "broken x\n", "other\n", "member 0 1 99999999999999999999999 - - a\n"})
        EXPECT_EQ(parse_listing(listing(line)).error().kind, base::ErrorKind::syntax) << line;
    EXPECT_EQ(parse_listing(listing("broken 0 " + std::string(5000, 'x') + "\n")).error().kind, base::ErrorKind::too_long);
    EXPECT_FALSE(parse_listing(listing("") + "more").has_value());
}

}  // namespace
}  // namespace thurn::scan
