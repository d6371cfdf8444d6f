#include "storage/posix_filesystem.h"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

namespace thurn::storage {
namespace {

using base::ErrorKind;
using spool::Access;

class PosixFilesystemTest : public testing::Test {
protected:
    PosixFilesystemTest()
        : root_(testing::TempDir() + "posix_filesystem_" + testing::UnitTest::GetInstance()->current_test_info()->name()) {
        std::filesystem::remove_all(root_);
        auto opened = PosixFilesystem::open(root_);
        EXPECT_TRUE(opened);
        files_ = *std::move(opened);
        EXPECT_TRUE(files_->make_folder("log"));
    }
    ~PosixFilesystemTest() override { std::filesystem::remove_all(root_); }

    std::string root_;
    std::unique_ptr<PosixFilesystem> files_;
};

TEST_F(PosixFilesystemTest, WritesManySlicesInOneGoAndReadsThemBack) {
    auto file = files_->open("log/a", Access::create);
    ASSERT_TRUE(file);
    std::vector<std::string> parts;
    for (int i = 0; i < 3000; ++i) parts.push_back(std::to_string(i) + (i % 7 == 0 ? "" : ","));
    std::vector<std::string_view> slices(parts.begin(), parts.end());
    slices.insert(slices.begin() + 5, std::string_view());
    ASSERT_TRUE((*file)->write(10, slices));
    ASSERT_TRUE((*file)->sync());
    ASSERT_TRUE(files_->sync_folder("log"));
    std::string expected(10, '\0');
    for (const auto& part : parts) expected += part;
    EXPECT_EQ((*file)->size(), expected.size());
    std::string got(expected.size() + 100, 'x');
    const auto count = files_->open("log/a", Access::read).value()->read(0, got);
    ASSERT_TRUE(count);
    got.resize(*count);
    EXPECT_EQ(got, expected);
}

TEST_F(PosixFilesystemTest, CreatesOnlyWhatDoesNotExist) {
    ASSERT_TRUE(files_->open("log/a", Access::create));
    EXPECT_EQ(files_->open("log/a", Access::create).error().kind, ErrorKind::exists);
    EXPECT_EQ(files_->open("log/b", Access::read).error().kind, ErrorKind::not_found);
    EXPECT_EQ(files_->open("log/b", Access::write).error().kind, ErrorKind::not_found);
}

TEST_F(PosixFilesystemTest, NobodyElseMayReadIt) {
    ASSERT_TRUE(files_->open("log/a", Access::create));
    struct stat status{};
    ASSERT_EQ(::stat((root_ + "/log/a").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600U);
    ASSERT_EQ(::stat((root_ + "/log").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0700U);
}

TEST_F(PosixFilesystemTest, FollowsNoLinks) {
    std::filesystem::create_symlink("/etc/passwd", root_ + "/log/link");
    EXPECT_FALSE(files_->open("log/link", Access::read));
    EXPECT_FALSE(files_->open("log/link", Access::create));
    std::filesystem::create_directory_symlink("/tmp", root_ + "/linked");
    EXPECT_FALSE(files_->make_folder("linked"));
    EXPECT_FALSE(files_->list("linked"));
}

TEST_F(PosixFilesystemTest, RenamesRemovesAndLists) {
    ASSERT_TRUE(files_->open("log/a", Access::create));
    ASSERT_TRUE(files_->open("log/b", Access::create));
    ASSERT_TRUE(files_->make_folder("log/inner"));
    ASSERT_TRUE(files_->rename("log/a", "log/c"));
    ASSERT_TRUE(files_->remove("log/b"));
    EXPECT_THAT(*files_->list("log"), testing::ElementsAre("c"));
    EXPECT_EQ(files_->remove("log/b").error().kind, ErrorKind::not_found);
}

TEST_F(PosixFilesystemTest, AllocatedRoomReadsAsZerosAndCanBeCut) {
    auto file = files_->open("log/a", Access::create);
    ASSERT_TRUE((*file)->allocate(1000));
    EXPECT_EQ((*file)->size(), 1000U);
    std::string got(2000, 'x');
    ASSERT_EQ((*file)->read(0, got), 1000U);
    EXPECT_EQ(got.substr(0, 1000), std::string(1000, '\0'));
    ASSERT_TRUE((*file)->truncate(10));
    EXPECT_EQ((*file)->size(), 10U);
    EXPECT_GT(files_->free_space()->count, 0U);
}

TEST_F(PosixFilesystemTest, ALockHasOneHolder) {
    auto lock = files_->lock("lock");
    ASSERT_TRUE(lock);
    auto other = PosixFilesystem::open(root_);
    ASSERT_TRUE(other);
    EXPECT_EQ((*other)->lock("lock").error().kind, ErrorKind::refused);
    lock->reset();
    EXPECT_TRUE((*other)->lock("lock"));
}

}  // namespace
}  // namespace thurn::storage
