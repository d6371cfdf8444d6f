#include "storage/replace_file.h"

#include <fstream>
#include <iterator>

#include <gtest/gtest.h>
#include <sys/stat.h>

namespace thurn::storage {
namespace {

TEST(ReplaceFile, PutsTheNewTextInPlaceOfTheOld) {
    auto name = (std::filesystem::temp_directory_path() / "thurn-replace-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    const auto file = std::filesystem::path(name) / "thurn.prom";
    for (const std::string text : {"a 1\nb 2\n", "a 2\n"}) {
        ASSERT_TRUE(replace_file(file, text));
        std::ifstream in(file);
        EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), text);
    }
    struct stat facts{};
    ASSERT_EQ(::stat(file.c_str(), &facts), 0);
    EXPECT_EQ(facts.st_mode & 0777U, 0644U) << "others read it";
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(name), {}), 1) << "nothing is left beside it";
    EXPECT_EQ(replace_file(file / "no" / "folder", "x").error().kind, base::ErrorKind::disk);
    EXPECT_EQ(replace_file(std::filesystem::path(name) / "no" / "folder", "x").error().kind, base::ErrorKind::not_found);
    std::filesystem::remove_all(name);
}

}  // namespace
}  // namespace thurn::storage
