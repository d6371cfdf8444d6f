#include "archive/lister.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <archive.h>
#include <archive_entry.h>
#include <gtest/gtest.h>

namespace thurn::archive {
namespace {

using Files = std::vector<std::pair<std::string, std::string>>;
using scan::ArchiveListing;
using scan::FileKind;

enum class Format : std::uint8_t { zip, zip_under_password, tar_gz, seven_zip, only_gz };

std::string pack(Format format, const Files& files) {
    std::string packed(std::size_t{64} << 20, '\0');
    std::size_t used = 0;
    auto* writer = ::archive_write_new();
    if (format == Format::zip || format == Format::zip_under_password) ::archive_write_set_format_zip(writer);
    if (format == Format::seven_zip) ::archive_write_set_format_7zip(writer);
    if (format == Format::tar_gz) ::archive_write_set_format_ustar(writer);
    if (format == Format::only_gz) ::archive_write_set_format_raw(writer);
    if (format == Format::tar_gz || format == Format::only_gz) ::archive_write_add_filter_gzip(writer);
    if (format == Format::zip_under_password) {
        ::archive_write_set_options(writer, "zip:encryption=traditional");
        ::archive_write_set_passphrase(writer, "secret");
    }
    ::archive_write_open_memory(writer, packed.data(), packed.size(), &used);
    for (const auto& [name, content] : files) {
        auto* entry = ::archive_entry_new();
        ::archive_entry_set_pathname_utf8(entry, name.c_str());
        ::archive_entry_set_filetype(entry, AE_IFREG);
        ::archive_entry_set_size(entry, static_cast<std::int64_t>(content.size()));
        ::archive_write_header(writer, entry);
        ::archive_write_data(writer, content.data(), content.size());
        ::archive_entry_free(entry);
    }
    ::archive_write_close(writer);
    ::archive_write_free(writer);
    packed.resize(used);
    return packed;
}

ArchiveListing list(std::string_view contents, const std::string& name = "x.zip", const scan::ArchiveLimits& limits = {}) {
    std::string text(scan::kListingHead);
    Lister lister(limits, [&](std::string_view line) { text += line; });
    lister.list(0, name, contents);
    auto listing = scan::parse_listing(text + std::string(scan::kListingEnd));
    EXPECT_TRUE(listing.has_value()) << text;
    return listing.value_or(ArchiveListing{});
}

const std::string kProgram = "MZ" + std::string(62, '\0');

TEST(Lister, TellsWhatLiesInEachFormat) {
    for (const auto format : {Format::zip, Format::tar_gz, Format::seven_zip}) {
        const auto listing = list(pack(format, {{"a.txt", "hello"}, {"d/b.pdf", kProgram}}));
        ASSERT_EQ(listing.members.size(), 2U) << static_cast<int>(format);
        EXPECT_EQ(listing.members[0].path, "a.txt");
        EXPECT_EQ(listing.members[0].size, 5U);
        EXPECT_EQ(listing.members[1].path, "d/b.pdf");
        EXPECT_EQ(listing.members[1].kind, FileKind::windows_program);
        EXPECT_TRUE(listing.broken.empty() && listing.excess.empty());
    }
}

TEST(Lister, TellsASingleFileUnderItsName) {
    const auto listing = list(pack(Format::only_gz, {{"-", kProgram}}), "invoice.exe.gz");
    ASSERT_EQ(listing.members.size(), 1U);
    EXPECT_EQ(listing.members[0].path, "invoice.exe");
    EXPECT_EQ(listing.members[0].kind, FileKind::windows_program);
}

TEST(Lister, LooksIntoArchivesWithin) {
    const auto inner = pack(Format::zip, {{"word/vbaProject.bin", "x"}});
    const auto middle = pack(Format::tar_gz, {{"b.docx", inner}, {"c.exe", kProgram}});
    const auto listing = list(pack(Format::zip, {{"m.tar.gz", middle}}));
    ASSERT_EQ(listing.members.size(), 4U);
    EXPECT_EQ(listing.members[0].path, "m.tar.gz");
    EXPECT_EQ(listing.members[1].path, "m.tar.gz/b.docx");
    EXPECT_TRUE(listing.members[1].macros);
    EXPECT_EQ(listing.members[2].path, "m.tar.gz/b.docx/word/vbaProject.bin");
    EXPECT_EQ(listing.members[2].depth, 3U);
    EXPECT_EQ(listing.members[3].path, "m.tar.gz/c.exe");
}

TEST(Lister, TellsWhatIsUnderAPassword) {
    const auto listing = list(pack(Format::zip_under_password, {{"a.txt", "hello"}}));
    ASSERT_EQ(listing.members.size(), 1U);
    EXPECT_TRUE(listing.members[0].encrypted);
    EXPECT_TRUE(listing.broken.empty());
}

TEST(Lister, GoesNoDeeperThanItsLimit) {
    auto packed = pack(Format::zip, {{"a.exe", kProgram}});
    for (int i = 0; i < 10; ++i) packed = pack(Format::zip, {{"n.zip", packed}});
    const auto listing = list(packed, "x.zip", {.depth = 3});
    EXPECT_EQ(listing.members.size(), 3U);
    ASSERT_EQ(listing.excess.size(), 1U);
    EXPECT_EQ(listing.excess[0].what, "depth");
}

TEST(Lister, StopsWhereMoreComesOutThanItsLimits) {
    const auto bomb = pack(Format::zip, {{"zeros", std::string(std::size_t{12} << 20, '\0')}, {"a.exe", kProgram}});
    ASSERT_LT(bomb.size(), 100'000U);
    struct LimitCase {
        scan::ArchiveLimits limits;
        const char* excess;
    };
    for (const auto& [limits, excess] :
         {LimitCase{{}, "ratio"}, LimitCase{{.unpacked = 1 << 20}, "unpacked"}, LimitCase{{.entries = 1, .ratio = 10'000}, "entries"}}) {
        const auto listing = list(bomb, "x.zip", limits);
        ASSERT_EQ(listing.excess.size(), 1U);
        EXPECT_EQ(listing.excess[0].what, excess);
        EXPECT_EQ(listing.members.size(), 1U);
    }
}

TEST(Lister, CountsOverAllArchives) {
    std::string text;
    Lister lister({.entries = 3}, [&](std::string_view line) { text += line; });
    const auto packed = pack(Format::zip, {{"a", "1"}, {"b", "2"}});
    for (std::size_t i = 0; i < 3; ++i) lister.list(i, "x.zip", packed);
    EXPECT_EQ(text, "member 0 1 1 - - a\nmember 0 1 1 - - b\nmember 1 1 1 - - a\nexcess 1 entries\n");
}

TEST(Lister, TellsWhatCannotBeReadToItsEnd) {
    const auto packed = pack(Format::tar_gz, {{"a.txt", "hello"}, {"b.exe", kProgram + std::string(100'000, 'x')}});
    for (std::size_t cut = 1; cut < packed.size(); cut += 7) {
        const auto listing = list(std::string_view(packed).substr(0, cut), "x.tar.gz");
        EXPECT_FALSE(listing.broken.empty()) << cut;
    }
    const auto none = list("no archive at all", "x.zip");
    EXPECT_TRUE(none.members.empty());
    ASSERT_EQ(none.broken.size(), 1U);
    EXPECT_EQ(none.broken[0].what, "nothing that is known");
}

}  // namespace
}  // namespace thurn::archive
