#include "storage/srs_keys.h"

#include "mailauth/srs.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

namespace thurn::storage {
namespace {

using namespace std::chrono_literals;
using std::chrono::days;

constexpr base::Time kNow = std::chrono::sys_days(std::chrono::year(2026) / 11 / 22) + 15h;
constexpr days kLifetime{21};

class CountingRandom final : public base::Random {
public:
    std::uint64_t next() override { return ++count_; }

private:
    std::uint64_t count_ = 0;
};

class SrsKeysTest : public testing::Test {
protected:
    SrsKeysTest()
        : folder_(testing::TempDir() + "srs_keys_" + testing::UnitTest::GetInstance()->current_test_info()->name()), keys_(folder_) {
        std::filesystem::remove_all(folder_);
    }
    ~SrsKeysTest() override { std::filesystem::remove_all(folder_); }
    std::vector<std::string> load(base::Time now) {
        auto keys = keys_.load_or_make(random_, now, kLifetime);
        EXPECT_TRUE(keys);
        return *std::move(keys);
    }

    std::filesystem::path folder_;
    CountingRandom random_;
    SrsKeys keys_;
};

TEST_F(SrsKeysTest, MakesTheFirstOnceAndKeepsIt) {
    EXPECT_EQ(keys_.read()->size(), 0U);
    const auto made = load(kNow);
    ASSERT_EQ(made.size(), 1U);
    EXPECT_EQ(load(kNow + 24h), made);
    EXPECT_FALSE(keys_.changed());
    struct stat facts{};
    ASSERT_EQ(::stat((folder_ / "srs.keys").c_str(), &facts), 0);
    EXPECT_EQ(facts.st_mode & 07777U, 0600U);
}

TEST_F(SrsKeysTest, ARotationPutsANewOneInFrontAndTheServerNotices) {
    const auto first = load(kNow);
    ASSERT_TRUE(SrsKeys(folder_).rotate(random_, kNow + 1h, kLifetime));
    EXPECT_TRUE(keys_.changed());
    const auto both = load(kNow + 1h);
    EXPECT_FALSE(keys_.changed());
    ASSERT_EQ(both.size(), 2U);
    EXPECT_EQ(both.back(), first.front());
    EXPECT_EQ(load(kNow + 1h + days(22)), std::vector{both.front()});
    ASSERT_TRUE(keys_.rotate(random_, kNow + 1h + days(22), kLifetime));
    EXPECT_EQ(keys_.read()->size(), 2U);  // the first is gone from the file
}

TEST_F(SrsKeysTest, WhatWasRewrittenBeforeARotationFindsItsWayBack) {
    const auto us = mail::parse_domain("us.example").value();
    const auto sender = mail::parse_mailbox("anna@a.example").value();
    const auto address = mailauth::Srs::make({.domain = us, .keys = load(kNow)})->rewrite(sender, kNow).value();
    ASSERT_TRUE(keys_.rotate(random_, kNow + 1h, kLifetime));
    const auto after = mailauth::Srs::make({.domain = us, .keys = load(kNow + days(20))}).value();
    EXPECT_EQ(after.restore(address, kNow + days(20)), sender);
}

TEST_F(SrsKeysTest, NeverReplacesAFileItCannotRead) {
    std::filesystem::create_directory(folder_);
    std::ofstream(folder_ / "srs.keys") << "short\n";
    const auto keys = keys_.load_or_make(random_, kNow, kLifetime);
    ASSERT_FALSE(keys);
    EXPECT_EQ(keys.error().kind, base::ErrorKind::corrupt);
    EXPECT_THAT(keys.error().detail, testing::HasSubstr("srs.keys, line 1"));
    EXPECT_FALSE(keys_.rotate(random_, kNow, kLifetime));
}

}  // namespace
}  // namespace thurn::storage
