#include "storage/rocks_index.h"

#include <csignal>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

namespace thurn::storage {
namespace {

class RocksIndexTest : public testing::Test {
protected:
    RocksIndexTest() : folder_(testing::TempDir() + "rocks_index_" + testing::UnitTest::GetInstance()->current_test_info()->name()) {
        std::filesystem::remove_all(folder_);
        open();
    }
    ~RocksIndexTest() override {
        index_.reset();
        std::filesystem::remove_all(folder_);
    }
    void open() {
        index_.reset();
        auto opened = RocksIndex::open(folder_, options_, log_);
        ASSERT_TRUE(opened) << opened.error().detail;
        index_ = *std::move(opened);
    }
    std::vector<std::string> keys_from(std::string_view from) {
        std::vector<std::string> keys;
        const auto cursor = index_->seek(from);
        for (; cursor->valid(); cursor->next()) keys.emplace_back(cursor->key());
        EXPECT_TRUE(cursor->status());
        return keys;
    }
    void put(const std::string& key, const std::string& value) {
        spool::IndexBatch batch;
        batch.put(key, value);
        ASSERT_TRUE(index_->write(batch));
    }

    std::size_t databases() const {
        return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder_), std::filesystem::directory_iterator()));
    }

    base::NullLog log_;
    RocksIndex::Options options_;
    std::string folder_;
    std::unique_ptr<RocksIndex> index_;
};

TEST_F(RocksIndexTest, KeepsBatchesInOrderAndOverReopening) {
    spool::IndexBatch batch;
    batch.put("b", "1");
    batch.put("a", std::string("\0x", 2));
    batch.put("c", "3");
    batch.erase("c");
    ASSERT_TRUE(index_->write(batch));
    ASSERT_TRUE(index_->sync());
    open();
    EXPECT_EQ(*index_->get("a"), std::string("\0x", 2));
    EXPECT_EQ(*index_->get("c"), std::nullopt);
    EXPECT_THAT(keys_from(""), testing::ElementsAre("a", "b"));
    EXPECT_THAT(keys_from("aa"), testing::ElementsAre("b"));
}

TEST_F(RocksIndexTest, ACursorSeesTheStateItBeganWith) {
    put("a", "1");
    const auto cursor = index_->seek("a");
    put("b", "2");
    cursor->next();
    EXPECT_FALSE(cursor->valid());
}

TEST_F(RocksIndexTest, ClearLeavesNothing) {
    put("a", "1");
    ASSERT_TRUE(index_->clear());
    EXPECT_THAT(keys_from(""), testing::IsEmpty());
    put("b", "1");
    EXPECT_THAT(keys_from(""), testing::ElementsAre("b"));
}

/// No file grows beyond `octets`, for as long as it lives: writes fail, as on a broken disk.
class FilesEndAt {
public:
    explicit FilesEndAt(rlim_t octets) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
        ::getrlimit(RLIMIT_FSIZE, &before_);
        const rlimit limit{octets, before_.rlim_max};
        ::setrlimit(RLIMIT_FSIZE, &limit);
    }
    ~FilesEndAt() {
        ::setrlimit(RLIMIT_FSIZE, &before_);
        std::signal(SIGXFSZ, handler_);
    }
    FilesEndAt(const FilesEndAt&) = delete;
    FilesEndAt& operator=(const FilesEndAt&) = delete;

private:
    rlimit before_{};
    void (*handler_)(int);
};

TEST_F(RocksIndexTest, ReadsOnAfterAFailedWriteAndWritesAgainOnceTheDiskLetsIt) {
    put("a", "1");
    ASSERT_TRUE(index_->sync());
    put("b", "2");
    spool::IndexBatch large;
    large.put("c", std::string(300'000, 'c'));
    {
        const FilesEndAt limit(1000);
        for (int times = 0; times < 3; ++times) EXPECT_EQ(index_->write(large).error().kind, base::ErrorKind::disk);
        EXPECT_FALSE(index_->sync());
        EXPECT_EQ(*index_->get("a"), "1");
        EXPECT_EQ(*index_->get("b"), "2");
    }
    EXPECT_EQ(databases(), 1U) << "copies that failed are gone";
    auto cursor = index_->seek("a");
    ASSERT_TRUE(index_->write(large));
    put("d", "4");
    EXPECT_EQ(cursor->value(), "1") << "it reads on in the old database";
    EXPECT_THAT(keys_from(""), testing::ElementsAre("a", "b", "c", "d"));
    cursor.reset();
    EXPECT_EQ(databases(), 1U);
    open();
    EXPECT_THAT(keys_from(""), testing::ElementsAre("a", "b", "c", "d"));
}

TEST_F(RocksIndexTest, SyncAloneMendsItToo) {
    put("a", "1");
    {
        const FilesEndAt limit(0);
        spool::IndexBatch batch;
        batch.put("b", "2");
        EXPECT_FALSE(index_->write(batch));
    }
    EXPECT_TRUE(index_->sync());
    put("c", "3");
    EXPECT_THAT(keys_from(""), testing::Contains("a"));
}

/// Flushing and compacting fail in the background, at whatever octet.
TEST_F(RocksIndexTest, LosesNothingWhereverTheDiskFails) {
    options_.write_buffer_octets = 64U << 10;
    open();
    std::vector<std::string> written;
    for (int round = 0; round < 12; ++round) {
        {
            const FilesEndAt limit(static_cast<rlim_t>(2000 + round * 9000));
            for (int number = 0, failures = 0; number < 60 && failures < 3; ++number) {
                const auto key = std::to_string(1000 + round) + "-" + std::to_string(1000 + number);
                spool::IndexBatch batch;
                batch.put(key, std::string(3000, static_cast<char>('a' + number % 26)));
                if (index_->write(batch)) {
                    written.push_back(key);
                } else {
                    ++failures;
                }
            }
        }
        put(std::to_string(1000 + round) + "-end", "x");
        written.push_back(std::to_string(1000 + round) + "-end");
        if (round % 3 == 2) open();
        EXPECT_THAT(keys_from(""), testing::IsSupersetOf(written)) << "round " << round;
        if (HasFailure()) return;
    }
    EXPECT_GT(written.size(), 100U);
}

TEST_F(RocksIndexTest, ACopyThatACrashLeftUnfinishedIsNotUsed) {
    put("a", "1");
    index_.reset();
    const auto unfinished = std::filesystem::path(folder_) / "7";
    std::filesystem::create_directories(unfinished);
    std::ofstream(unfinished / "CURRENT") << "MANIFEST-000001\n";
    open();
    EXPECT_THAT(keys_from(""), testing::ElementsAre("a"));
    EXPECT_EQ(databases(), 1U);
}

TEST_F(RocksIndexTest, IsNotClearedByAFailure) {
    put("a", "1");
    {
        const FilesEndAt limit(0);
        EXPECT_FALSE(index_->clear());
        EXPECT_EQ(*index_->get("a"), "1");
    }
    EXPECT_TRUE(index_->clear());
    EXPECT_EQ(*index_->get("a"), std::nullopt);
    EXPECT_EQ(databases(), 1U);
}

TEST_F(RocksIndexTest, StartsAnewWhenItsFilesAreDamaged) {
    put("a", "1");
    index_.reset();
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_)) {
        if (!entry.path().filename().string().starts_with("MANIFEST")) continue;
        std::ofstream(entry.path(), std::ios::binary | std::ios::trunc) << "garbage that is no manifest at all";
    }
    open();
    EXPECT_THAT(keys_from(""), testing::IsEmpty());
    put("b", "1");
}

}  // namespace
}  // namespace thurn::storage
