#include "app/privileges.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace thurn::app {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;

/// A pair that root alone can read.
class RenewalTest : public testing::Test {
protected:
    void SetUp() override {
        if (!is_root()) GTEST_SKIP() << "only root can become somebody else";
        fs::create_directories(folder_);
        fs::permissions(folder_, fs::perms(0755));
        for (const auto& file : {certificate_, key_}) {
            std::ofstream(file) << "secret";
            fs::permissions(file, fs::perms(0600));
        }
    }
    void TearDown() override { fs::remove_all(folder_); }

    const fs::path folder_ = fs::temp_directory_path() / ("thurn-renewal-" + std::to_string(::getpid()));
    const fs::path certificate_ = folder_ / "certificate.pem";
    const fs::path key_ = folder_ / "key.pem";
    const Identity nobody_{65534, 65534, "nobody"};
    config::Config config_ = [this] {
        config::Config config;
        config.listeners.emplace_back();
        config.data_dir = folder_ / "data";
        config.certificates = {{certificate_, key_}};
        return config;
    }();
};

TEST_F(RenewalTest, TellsWhatTheUserCannotRead) {
    EXPECT_THAT(not_renewable(config_, nobody_), ElementsAre(certificate_, key_));
    fs::permissions(certificate_, fs::perms(0644));
    EXPECT_THAT(not_renewable(config_, nobody_), ElementsAre(key_));
    EXPECT_EQ(::lchown(key_.c_str(), nobody_.user, nobody_.group), 0);
    EXPECT_THAT(not_renewable(config_, nobody_), IsEmpty());
}

TEST_F(RenewalTest, TellsOfFoldersThatTheUserCannotEnter) {
    for (const auto& file : {certificate_, key_}) fs::permissions(file, fs::perms(0644));
    fs::permissions(folder_, fs::perms(0700));
    EXPECT_THAT(not_renewable(config_, nobody_), ElementsAre(certificate_, key_));
}

TEST_F(RenewalTest, DoesNotTellOfWhatIsHandedOverAtStart) {
    config_.data_dir = folder_;
    EXPECT_THAT(not_renewable(config_, nobody_), IsEmpty());
}

TEST_F(RenewalTest, DoesNotChangeWhoWeAre) {
    EXPECT_FALSE(can_read(nobody_, key_));
    EXPECT_TRUE(is_root());
}

}  // namespace
}  // namespace thurn::app
