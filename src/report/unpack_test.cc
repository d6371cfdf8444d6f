#include "report/unpack.h"

#include <gtest/gtest.h>

namespace thurn::report {
namespace {

using base::ErrorKind;

template <std::size_t size>
std::string octets(const char (&literal)[size]) {
    return {literal, size - 1};
}

// Made by Python's zipfile: a folder and `r.xml`, deflated; `r.xml` stored; a folder alone.
const std::string kDeflatedZip = octets(
    "PK\x03\x04\x14\0\0\0\x08\0\0\0\x21\0\0\0\0\0\x02\0\0\0\0\0\0\0\x02\0\0\0d/\x03\0"
    "PK\x03\x04\x14\0\0\0\x08\0\0\0\x21\0\x1dK9\xd8\x0e\0\0\0\x0c\0\0\0\x05\0\0\0r."
    "xml\xb3\x49\x4b\x4d\x4d\x49\x4a\x4c\xce\xd6\xb7\xe3\x02\0"
    "PK\x01\x02\x14\x03\x14\0\0\0\x08\0\0\0\x21\0\0\0\0\0\x02\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\0\0\0\0\x80\x01\0\0\0\0d/"
    "PK\x01\x02\x14\x03\x14\0\0\0\x08\0\0\0\x21\0\x1dK9\xd8\x0e\0\0\0\x0c\0\0\0\x05\0\0\0\0\0\0\0\0\0\0\0\x80\x01\x22\0\0\0r.xml"
    "PK\x05\x06\0\0\0\0\x02\0\x02\0\x63\0\0\0S\0\0\0\0\0");
const std::string kStoredZip = octets(
    "PK\x03\x04\x14\0\0\0\0\0\0\0\x21\0\x1dK9\xd8\x0c\0\0\0\x0c\0\0\0\x05\0\0\0r.xml<feedback/>\n"
    "PK\x01\x02\x14\x03\x14\0\0\0\0\0\0\0\x21\0\x1dK9\xd8\x0c\0\0\0\x0c\0\0\0\x05\0\0\0\0\0\0\0\0\0\0\0\x80\x01\0\0\0\0r.xml"
    "PK\x05\x06\0\0\0\0\x01\0\x01\0\x33\0\0\0/\0\0\0\0\0");
const std::string kFolderZip = octets(
    "PK\x03\x04\x14\0\0\0\x08\0\0\0\x21\0\0\0\0\0\x02\0\0\0\0\0\0\0\x02\0\0\0d/\x03\0"
    "PK\x01\x02\x14\x03\x14\0\0\0\x08\0\0\0\x21\0\0\0\0\0\x02\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\0\0\0\0\x80\x01\0\0\0\0d/"
    "PK\x05\x06\0\0\0\0\x01\0\x01\0\x30\0\0\0\x22\0\0\0\0\0");

std::string some_text() {
    std::string text;
    for (int i = 0; i < 5000; ++i) text += std::to_string(i * 7919) + "\n";
    return text;
}

TEST(Unpack, GivesBackWhatWasPacked) {
    for (const auto& text : {std::string(), std::string("x"), some_text(), std::string(300'000, 'a')})
        EXPECT_EQ(unpack(pack_gzip(text)), text);
}

TEST(Unpack, TakesWhatIsNotPackedAsItIs) {
    EXPECT_EQ(unpack("<feedback/>"), "<feedback/>");
    EXPECT_EQ(unpack(""), "");
}

TEST(Unpack, ReadsTheFirstFileOfAZipArchive) {
    EXPECT_EQ(unpack(kDeflatedZip), "<feedback/>\n");
    EXPECT_EQ(unpack(kStoredZip), "<feedback/>\n");
    EXPECT_EQ(unpack(kFolderZip).error().kind, ErrorKind::invalid);
}

TEST(Unpack, ReadsAllMembersOfAGzipFile) {
    EXPECT_EQ(unpack(pack_gzip("one") + pack_gzip("two") + octets("\0\0\0")), "onetwo") << "padding is left alone";
}

TEST(Unpack, RefusesBombs) {
    const auto bomb = pack_gzip(std::string(10U << 20, 'a'));
    ASSERT_LT(bomb.size(), 20'000U);
    EXPECT_EQ(unpack(bomb, {.size = base::mebibytes(1)}).error().kind, ErrorKind::too_long);
    EXPECT_EQ(unpack(kDeflatedZip, {.size = {5}}).error().kind, ErrorKind::too_long);
    EXPECT_EQ(unpack("plain", {.size = {4}}).error().kind, ErrorKind::too_long);
    EXPECT_EQ(unpack(kDeflatedZip, {.entries = 1}).error().kind, ErrorKind::too_long);
}

TEST(Unpack, NoticesEveryCut) {
    const auto packed = pack_gzip(some_text());
    for (std::size_t cut = 2; cut < packed.size(); cut += 97)
        EXPECT_EQ(unpack(packed.substr(0, cut)).error().kind, ErrorKind::corrupt) << cut;
    for (std::size_t cut = 4; cut < kStoredZip.size(); ++cut) EXPECT_FALSE(unpack(kStoredZip.substr(0, cut))) << cut;
}

TEST(Unpack, NoticesChangedOctets) {
    auto stored = kStoredZip;
    stored[36] ^= 1;
    EXPECT_EQ(unpack(stored).error().kind, ErrorKind::corrupt);
    auto packed = pack_gzip(some_text());
    packed[packed.size() - 6] ^= 1;  // of the checksum
    EXPECT_EQ(unpack(packed).error().kind, ErrorKind::corrupt);
}

}  // namespace
}  // namespace thurn::report
