#include "storage/password.h"

#include "support/memory_directory.h"

#include <atomic>
#include <chrono>

#include <gtest/gtest.h>

namespace thurn::storage {
namespace {

class HandClock final : public base::Clock {
public:
    base::Time now() const override { return time; }
    base::LocalTime local(base::Time at) const override { return base::LocalTime(at.time_since_epoch()); }
    base::Time time{};
};

class CountingRandom final : public base::Random {
public:
    std::uint64_t next() override { return ++count; }
    std::atomic<std::uint64_t> count = 41;
};

/// Accounts by their hash; counts the questions.
class HashDirectory final : public directory::Directory {
public:
    base::Result<bool> is_local_domain(const mail::Domain&) override { return true; }
    base::Result<directory::Resolution> resolve(const mail::Mailbox&) override { return directory::UnknownUser{}; }
    base::Result<bool> owns(std::string_view, const mail::Mailbox&) override { return false; }
    base::Result<std::optional<directory::Account>> find_account(std::string_view login) override {
        if (broken) return base::fail(base::ErrorKind::disk, "broken");
        if (login != "anna") return std::nullopt;
        return account;
    }
    directory::Account account{"anna@a.example", "", true};
    bool broken = false;
};

TEST(HashPassword, MakesYescryptWithASaltOfItsOwn) {
    auto first = hash_password("secret");
    auto second = hash_password("secret");
    ASSERT_TRUE(first && second);
    EXPECT_EQ(first->substr(0, 3), "$y$");
    EXPECT_NE(*first, *second);
    EXPECT_TRUE(matches_password("secret", *first));
    EXPECT_FALSE(matches_password("Secret", *first));
    EXPECT_FALSE(matches_password("secret ", *first));
}

TEST(HashPassword, RefusesWhatCryptWouldCutOrRefuse) {
    EXPECT_FALSE(hash_password(""));
    EXPECT_FALSE(hash_password(std::string("a\0b", 3)));
    EXPECT_FALSE(hash_password(std::string(kMaxPasswordOctets + 1, 'a')));
    EXPECT_TRUE(hash_password(std::string(kMaxPasswordOctets, 'a')));
}

struct HashCase {
    const char* name;
    const char* hash;
};
class KnownHashTest : public testing::TestWithParam<HashCase> {};

TEST_P(KnownHashTest, IsMatchedByItsPasswordOnly) {
    EXPECT_TRUE(matches_password("secret", GetParam().hash));
    EXPECT_FALSE(matches_password("secres", GetParam().hash));
    EXPECT_FALSE(matches_password("", GetParam().hash));
    EXPECT_FALSE(matches_password(std::string_view("secret\0x", 8), GetParam().hash));
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, KnownHashTest,
    testing::Values(
        HashCase{"Sha512",
                 "$6$rounds=1000$saltsalt$LAV5VE5Y7w1d73x1mFNspYWUpazfmwv2SoepNXNKJ/otop/Zok96Hr8Q13LEv0DRY/x8v0/crpIjl8NJSAqXV/"},
        HashCase{"Sha256", "$5$rounds=1000$saltsalt$eKLZU9t9OoPWrqOQsoTIKG0aYkZ5rGOoOQhiIvoSWX2"},
        HashCase{"Bcrypt", "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"},
        HashCase{"Md5", "$1$saltsalt$9xy1btjgzLYfb7hivXtC//"}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(MatchesPassword, NothingMatchesAHashThatIsNone) {
    for (const char* hash :
         {"", "*", "!", "*0", "*1", "x", "$", "$y$", "$y$j9T$", "$6$", "$9$abc$def", "secret", "{SSHA}abcdef", "!$6$salt$abc"}) {
        EXPECT_FALSE(matches_password("secret", hash)) << hash;
        EXPECT_FALSE(matches_password(hash, hash)) << hash;
    }
}

class CheckerTest : public testing::Test {
protected:
    CheckerTest() { directory_.account.password_hash = hash_password("secret").value_or(""); }
    HashDirectory directory_;
    HandClock clock_;
    CountingRandom random_;
};

TEST_F(CheckerTest, LetsInTheRightPasswordOnly) {
    DirectoryPasswordChecker checker(directory_, clock_, random_);
    EXPECT_EQ(checker.check("anna", "secret"), true);
    EXPECT_EQ(checker.check("anna", "wrong"), false);
    EXPECT_EQ(checker.check("anna", ""), false);
    EXPECT_EQ(checker.check("bert", "secret"), false);
}

TEST_F(CheckerTest, NoticesAChangeInSpiteOfItsMemory) {
    DirectoryPasswordChecker checker(directory_, clock_, random_);
    ASSERT_EQ(checker.check("anna", "secret"), true);
    directory_.account.enabled = false;
    EXPECT_EQ(checker.check("anna", "secret"), false);
    directory_.account.enabled = true;
    EXPECT_EQ(checker.check("anna", "secret"), true);
    directory_.account.password_hash = hash_password("other").value_or("");
    EXPECT_EQ(checker.check("anna", "secret"), false);
    EXPECT_EQ(checker.check("anna", "other"), true);
}

TEST_F(CheckerTest, SaysSoWhenTheDirectoryIsBroken) {
    DirectoryPasswordChecker checker(directory_, clock_, random_);
    ASSERT_EQ(checker.check("anna", "secret"), true);
    directory_.broken = true;
    auto checked = checker.check("anna", "secret");
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().kind, base::ErrorKind::disk);
}

TEST_F(CheckerTest, ForgetsTheOldestAndTheOutdated) {
    DirectoryPasswordChecker checker(directory_, clock_, random_, {.remember = std::chrono::seconds(10), .remembered = 1});
    for (int round = 0; round < 3; ++round) {
        EXPECT_EQ(checker.check("anna", "secret"), true);
        directory_.account.password_hash = hash_password("secret").value_or("");
        EXPECT_EQ(checker.check("anna", "secret"), true);
        clock_.time += std::chrono::seconds(11);
    }
}

// Not a measurement of microseconds: with the memory a login must cost a small part of what a hash does.
TEST_F(CheckerTest, SparesTheHashForAClientThatComesBack) {
    using Stopwatch = std::chrono::steady_clock;
    DirectoryPasswordChecker checker(directory_, clock_, random_);
    const auto start = Stopwatch::now();
    ASSERT_EQ(checker.check("anna", "secret"), true);
    const auto first = Stopwatch::now() - start;
    const auto again = Stopwatch::now();
    for (int i = 0; i < 10; ++i) ASSERT_EQ(checker.check("anna", "secret"), true);
    EXPECT_LT(Stopwatch::now() - again, first);
}

TEST_F(CheckerTest, TakesAsLongForAnUnknownLogin) {
    using Stopwatch = std::chrono::steady_clock;
    DirectoryPasswordChecker checker(directory_, clock_, random_, {.remember = std::chrono::seconds(0), .remembered = 0});
    const auto took = [&](const char* login) {
        auto best = Stopwatch::duration::max();
        for (int i = 0; i < 5; ++i) {
            const auto start = Stopwatch::now();
            EXPECT_EQ(checker.check(login, "wrong"), false);
            best = std::min(best, Stopwatch::now() - start);
        }
        return best;
    };
    const auto known = took("anna");
    const auto unknown = took("bert");
    EXPECT_LT(known, unknown * 3);
    EXPECT_LT(unknown, known * 3);
}

}  // namespace
}  // namespace thurn::storage
