#include "scan/file_kind.h"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace thurn::scan {
namespace {

using namespace std::string_literals;

FileInspector inspect(std::string_view octets, std::size_t cut) {
    FileInspector inspector;
    inspector.feed(octets.substr(0, cut));
    inspector.feed(octets.substr(cut));
    return inspector;
}

std::string utf16(std::string_view text) {
    std::string wide;
    for (const char c : text) wide += {c, '\0'};
    return wide;
}

const std::string kOle = "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"s + std::string(504, '\0');
const std::string kZip = "PK\3\4\x14\0\0\0"s + std::string(22, '\0');

struct Case {
    const char* name;
    std::string octets;
    FileKind kind;
    bool macros = false;
    bool encrypted = false;
};

class FileInspectorTest : public testing::TestWithParam<Case> {};

TEST_P(FileInspectorTest, KnowsItHoweverItIsCut) {
    const auto& [name, octets, kind, macros, encrypted] = GetParam();
    for (std::size_t cut = 0; cut <= octets.size(); cut += octets.size() > 2000 ? 997 : 1) {
        const auto inspector = inspect(octets, cut);
        ASSERT_EQ(name_of(inspector.kind()), name_of(kind)) << cut;
        ASSERT_EQ(inspector.has_macros(), macros) << cut;
        ASSERT_EQ(inspector.is_encrypted(), encrypted) << cut;
        ASSERT_EQ(inspector.size(), octets.size());
    }
}

INSTANTIATE_TEST_SUITE_P(
    Files, FileInspectorTest,
    testing::Values(
        Case{"Text", "Hello", FileKind::none}, Case{"Empty", "", FileKind::none},
        Case{"Program", "MZ\x90\0\3"s + std::string(60, '\0'), FileKind::windows_program},
        Case{"TextThatBeginsWithMz", "MZ is how programs for DOS begin, and this is a text about them, no program at all", FileKind::none},
        Case{"Elf",
             "\x7F"
             "ELF\2",
             FileKind::elf_program},
        Case{"Script", "#!/bin/sh\n", FileKind::script}, Case{"Shortcut", "\x4C\0\0\0\1\x14\2\0..."s, FileKind::shortcut},
        Case{"Zip", kZip, FileKind::zip}, Case{"ZipUnderPassword", "PK\3\4\x14\0\1\0"s, FileKind::zip, false, true},
        Case{"ZipWithMacros", kZip + "xl/vbaProject.bin" + std::string(100, 'x'), FileKind::zip, true},
        Case{"Tar", std::string(257, 'x') + "ustar", FileKind::tar}, Case{"Iso", std::string(32769, '\0') + "CD001\1", FileKind::iso},
        Case{"Ole", kOle, FileKind::ole}, Case{"OleWithMacros", kOle + utf16("_VBA_PROJECT") + "x", FileKind::ole, true},
        Case{"OleUnderPassword", kOle + utf16("EncryptedPackage"), FileKind::ole, false, true},
        Case{"Rtf", "{\\rtf1 hello}", FileKind::rtf}, Case{"RtfWithAnObject", "{\\rtf1{\\object\\objdata 00}}", FileKind::rtf, true},
        Case{"PdfBehindRubbish", "\n\n%PDF-1.7", FileKind::pdf}, Case{"MarkerInText", "vbaProject.bin", FileKind::none}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(FileKind, HasANameThatLeadsBackToIt) {
    for (std::size_t kind = 0; kind < kFileKinds; ++kind)
        EXPECT_EQ(find_file_kind(name_of(static_cast<FileKind>(kind))), static_cast<FileKind>(kind));
    EXPECT_EQ(find_file_kind("nonsense"), FileKind::none);
}

TEST(Extension, IsWhatWindowsTakesForIt) {
    const std::vector<std::pair<std::string, std::string>> cases{
        {"a.exe", "exe"},           {"a.EXE", "exe"},   {"a.txt.exe", "exe"}, {"a.exe.", "exe"},
        {"a.exe . ", "exe"},        {"a.exe\"", "exe"}, {"a.exe:x", "exe"},   {"dir.d/a", ""},
        {"c:\\x\\a.exe", "exe"},    {"exe", ""},        {".exe", "exe"},      {"", ""},
        {"a.b/c.tar.gz", "gz"},     {"a.exe\n", "exe"}, {"...", ""},          {"a.c_", "c_"},
        {"a.\xC3\xBC", "\xC3\xBC"},
    };
    for (const auto& [name, extension] : cases) EXPECT_EQ(extension_of(name), extension) << name;
}

}  // namespace
}  // namespace thurn::scan
