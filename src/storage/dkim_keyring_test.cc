#include "storage/dkim_keyring.h"

#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace thurn::storage {
namespace {

using namespace std::chrono_literals;
using base::ErrorKind;
using mailauth::KeyType;
using mailauth::ListedKey;
using mailauth::PrivateKey;

constexpr base::Time kNow = std::chrono::sys_days(std::chrono::year(2026) / 11 / 22) + 15h;

std::shared_ptr<const PrivateKey> new_key() { return std::make_shared<const PrivateKey>(PrivateKey::generate(KeyType::ed25519)); }
ListedKey listed(const std::string& selector) { return {.domain = "a.example", .selector = selector, .made = kNow}; }

mode_t mode_of(const std::filesystem::path& path) {
    struct stat facts{};
    EXPECT_EQ(::stat(path.c_str(), &facts), 0) << path;
    return facts.st_mode & 07777U;
}

class DkimKeyringTest : public testing::Test {
protected:
    DkimKeyringTest()
        : folder_(testing::TempDir() + "dkim_keyring_" + testing::UnitTest::GetInstance()->current_test_info()->name()), keyring_(folder_) {
        std::filesystem::remove_all(folder_);
    }
    ~DkimKeyringTest() override { std::filesystem::remove_all(folder_); }

    base::Result<void> apply(const DkimKeyring::Edit& edit) {
        const auto claim = keyring_.claim();
        EXPECT_TRUE(claim);
        return keyring_.apply(edit);
    }
    DkimKeyring::Contents load() {
        auto contents = keyring_.load();
        EXPECT_TRUE(contents);
        return *std::move(contents);
    }
    void put(const std::string& name, const std::string& text) const { std::ofstream(folder_ / name) << text; }
    std::string get(const std::string& name) const {
        std::ostringstream text;
        text << std::ifstream(folder_ / name).rdbuf();
        return text.str();
    }

    std::filesystem::path folder_;
    DkimKeyring keyring_;
};

TEST_F(DkimKeyringTest, IsEmptyWhenNothingWasMadeYet) {
    const auto contents = load();
    EXPECT_TRUE(contents.entries.empty() && contents.problems.empty() && contents.strays.empty());
    EXPECT_FALSE(std::filesystem::exists(folder_));
    EXPECT_FALSE(keyring_.changed());
}

TEST_F(DkimKeyringTest, GivesKeysBackWithTheirTimes) {
    auto later = listed("s2");
    later.from = kNow + 1h;
    const auto key = new_key();
    ASSERT_TRUE(apply({.added = {{listed("s1"), key}, {later, new_key()}}}));
    const auto keys = load().signing_keys();
    ASSERT_EQ(keys.size(), 2U);
    EXPECT_EQ(keys[0].selector, "s1");
    EXPECT_EQ(keys[0].key->public_key(), key->public_key());
    EXPECT_TRUE(keys[0].signs_at(kNow));
    EXPECT_EQ(keys[1].domain, "a.example");
    EXPECT_FALSE(keys[1].signs_at(kNow));
    EXPECT_TRUE(keys[1].signs_at(kNow + 1h));
}

TEST_F(DkimKeyringTest, IsForItsOwnerAlone) {
    ASSERT_TRUE(apply({.added = {{listed("s1"), new_key()}}}));
    EXPECT_EQ(mode_of(folder_), 0700U);
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) EXPECT_EQ(mode_of(entry), 0600U) << entry;
    EXPECT_EQ(keyring_.file_of(listed("s1")), folder_ / "a.example.s1.pem");
}

TEST_F(DkimKeyringTest, ChangesAllOrNothing) {
    ASSERT_TRUE(apply({.added = {{listed("s1"), new_key()}}}));
    const auto before = get("dkim.keys");
    auto ended = listed("s1");
    ended.until = ended.record_until = kNow;
    EXPECT_EQ(apply({.added = {{listed("s1"), new_key()}}}).error().kind, ErrorKind::exists);
    EXPECT_EQ(apply({.changed = {ended, listed("s9")}}).error().kind, ErrorKind::not_found);
    EXPECT_EQ(apply({.changed = {ended}, .removed = {listed("s9")}}).error().kind, ErrorKind::not_found);
    put("a.example.s2.pem", "no key");
    EXPECT_EQ(apply({.added = {{listed("s2"), new_key()}}, .changed = {ended}}).error().kind, ErrorKind::exists);
    EXPECT_EQ(get("dkim.keys"), before);
    EXPECT_EQ(get("a.example.s2.pem"), "no key");
    ASSERT_TRUE(apply({.added = {{listed("s3"), new_key()}}, .changed = {ended}}));
    EXPECT_EQ(load().entries.at(0).listed.until, kNow);
}

TEST_F(DkimKeyringTest, RemovesTheFileWithTheKey) {
    ASSERT_TRUE(apply({.added = {{listed("s1"), new_key()}, {listed("s2"), new_key()}}}));
    ASSERT_TRUE(apply({.removed = {listed("s1")}}));
    EXPECT_FALSE(std::filesystem::exists(folder_ / "a.example.s1.pem"));
    EXPECT_EQ(load().entries.size(), 1U);
}

TEST_F(DkimKeyringTest, TakesUpAFileThatIsThereAlready) {
    const auto key = new_key();
    std::filesystem::create_directory(folder_);
    put("a.example.s1.pem", key->pem());
    ASSERT_EQ(::chmod((folder_ / "a.example.s1.pem").c_str(), 0644), 0);
    EXPECT_THAT(load().strays, testing::ElementsAre("a.example.s1.pem"));
    EXPECT_TRUE(load().signing_keys().empty());
    ASSERT_TRUE(apply({.added = {{listed("s1"), key}}}));
    EXPECT_EQ(mode_of(folder_ / "a.example.s1.pem"), 0600U);
    EXPECT_EQ(load().signing_keys().size(), 1U);
    EXPECT_TRUE(load().strays.empty());
}

TEST_F(DkimKeyringTest, GoesOnWithoutAKeyThatCannotBeReadAndNamesIt) {
    ASSERT_TRUE(apply({.added = {{listed("s1"), new_key()}, {listed("s2"), new_key()}, {listed("s3"), new_key()}}}));
    put("a.example.s1.pem", "damaged");
    std::filesystem::remove(folder_ / "a.example.s2.pem");
    const auto contents = load();
    ASSERT_EQ(contents.signing_keys().size(), 1U);
    EXPECT_EQ(contents.signing_keys().front().selector, "s3");
    ASSERT_EQ(contents.problems.size(), 2U);
    EXPECT_THAT(contents.problems[0].detail, testing::HasSubstr("a.example.s1.pem"));
    EXPECT_THAT(contents.problems[1].detail, testing::HasSubstr("a.example.s2.pem"));
    EXPECT_EQ(contents.entries.at(0).problem, contents.problems[0].detail);
}

TEST_F(DkimKeyringTest, FollowsNoLinks) {
    ASSERT_TRUE(apply({.added = {{listed("s1"), new_key()}}}));
    std::filesystem::rename(folder_ / "a.example.s1.pem", folder_ / "elsewhere");
    std::filesystem::create_symlink("elsewhere", folder_ / "a.example.s1.pem");
    EXPECT_EQ(load().problems.size(), 1U);
}

TEST_F(DkimKeyringTest, DoesNotWriteOverAListItCannotReadAsAWhole) {
    ASSERT_TRUE(apply({.added = {{listed("s1"), new_key()}}}));
    const auto text = get("dkim.keys") + "a.example s2 made=once\n";
    put("dkim.keys", text);
    EXPECT_EQ(load().signing_keys().size(), 1U);
    EXPECT_EQ(load().problems.size(), 1U);
    EXPECT_EQ(apply({.added = {{listed("s3"), new_key()}}}).error().kind, ErrorKind::corrupt);
    EXPECT_EQ(get("dkim.keys"), text);
}

TEST_F(DkimKeyringTest, NoticesEveryChangeOnce) {
    DkimKeyring server(folder_);
    ASSERT_TRUE(server.load());
    ASSERT_TRUE(apply({.added = {{listed("s1"), new_key()}}}));
    EXPECT_TRUE(server.changed());
    ASSERT_TRUE(server.load());
    EXPECT_FALSE(server.changed());
    put("a.example.s1.pem", new_key()->pem());  // by hand, the list as it was
    EXPECT_TRUE(server.changed());
    ASSERT_TRUE(server.load());
    auto ended = listed("s1");
    ended.until = ended.record_until = kNow;
    ASSERT_TRUE(apply({.changed = {ended}}));
    EXPECT_TRUE(server.changed());
    ASSERT_TRUE(server.load());
    ASSERT_TRUE(apply({.removed = {ended}}));
    EXPECT_TRUE(server.changed());
    ASSERT_TRUE(server.load());
    EXPECT_FALSE(server.changed());
}

TEST_F(DkimKeyringTest, IsChangedByOneAtATime) {
    const auto claim = keyring_.claim();
    ASSERT_TRUE(claim);
    EXPECT_EQ(DkimKeyring(folder_).claim(0ms).error().kind, ErrorKind::refused);
}

TEST_F(DkimKeyringTest, OutlivesACrashInTheMidstOfWriting) {
    ASSERT_TRUE(apply({.added = {{listed("s1"), new_key()}}}));
    put("dkim.keys.new", "half a l");  // before the rename
    put("a.example.s2.pem.new", "-----BEGI");
    ASSERT_TRUE(apply({.added = {{listed("s2"), new_key()}}}));
    const auto contents = load();
    EXPECT_EQ(contents.signing_keys().size(), 2U);
    EXPECT_TRUE(contents.problems.empty());
    EXPECT_FALSE(std::filesystem::exists(folder_ / "dkim.keys.new"));
}

}  // namespace
}  // namespace thurn::storage
