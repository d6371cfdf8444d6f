#include "storage/rocks_index.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
        auto opened = RocksIndex::open(folder_, {}, log_);
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

    base::NullLog log_;
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

TEST_F(RocksIndexTest, StartsAnewWhenItsFilesAreDamaged) {
    put("a", "1");
    index_.reset();
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
        if (!entry.path().filename().string().starts_with("MANIFEST")) continue;
        std::ofstream(entry.path(), std::ios::binary | std::ios::trunc) << "garbage that is no manifest at all";
    }
    open();
    EXPECT_THAT(keys_from(""), testing::IsEmpty());
    put("b", "1");
}

}  // namespace
}  // namespace thurn::storage
