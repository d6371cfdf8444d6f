#include "storage/sqlite_directory.h"

#include "storage/sqlite.h"

#include <cstdlib>
#include <fstream>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sys/stat.h>

namespace thurn::storage {
namespace {

using namespace std::string_literals;
using base::ErrorKind;
using directory::AliasFor;
using directory::MailboxOf;
using directory::NotLocal;
using directory::UnknownUser;

mail::Mailbox address(std::string_view text) {
    auto parsed = mail::parse_mailbox(text, mail::Charset::utf8);
    EXPECT_TRUE(parsed) << text;
    return parsed.value_or(mail::Mailbox{});
}

class SqliteDirectoryTest : public testing::Test {
protected:
    void SetUp() override {
        std::string pattern = (std::filesystem::temp_directory_path() / "thurn-directory-XXXXXX").string();
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        folder_ = pattern;
        options_.path = folder_ / "directory.db";
        options_.resolve.hostname = address("x@mx.a.example").domain;
        options_.busy_timeout = std::chrono::milliseconds(200);
        options_.trust_memory_for = std::chrono::microseconds(0);
        directory_ = open();
    }
    void TearDown() override {
        directory_.reset();
        std::filesystem::remove_all(folder_);
    }
    std::unique_ptr<SqliteDirectory> open() {
        auto opened = SqliteDirectory::open(options_);
        EXPECT_TRUE(opened) << opened.error().detail;
        return opened ? *std::move(opened) : nullptr;
    }
    template <class T>
    T meaning(std::string_view text) {
        auto resolved = directory_->resolve(address(text));
        EXPECT_TRUE(resolved) << resolved.error().detail;
        EXPECT_TRUE(resolved && std::holds_alternative<T>(*resolved)) << text;
        return resolved && std::holds_alternative<T>(*resolved) ? std::get<T>(*resolved) : T{};
    }
    void add_anna() {
        ASSERT_TRUE(directory_->add_domain("a.example"));
        ASSERT_TRUE(directory_->add_account("Anna@a.example", "secret"));
    }

    std::filesystem::path folder_;
    SqliteDirectoryOptions options_;
    std::unique_ptr<SqliteDirectory> directory_;
};

#define EXPECT_FAILS(expression, expected_kind)                                 \
    do {                                                                        \
        auto failed = (expression);                                             \
        ASSERT_FALSE(failed);                                                   \
        EXPECT_EQ(failed.error().kind, expected_kind) << failed.error().detail; \
    } while (false)

TEST_F(SqliteDirectoryTest, IsMadeForItsOwnersEyesOnly) {
    struct stat file{};
    ASSERT_EQ(::stat(options_.path.c_str(), &file), 0);
    EXPECT_EQ(file.st_mode & 0777, 0600u);
    ASSERT_TRUE(directory_->add_domain("a.example"));
    ASSERT_EQ(::stat((options_.path.string() + "-wal").c_str(), &file), 0);
    EXPECT_EQ(file.st_mode & 0777, 0600u);
}

TEST_F(SqliteDirectoryTest, KeepsWhatItWasTold) {
    add_anna();
    ASSERT_TRUE(directory_->add_alias("info@a.example", {"anna@a.example", "x@elsewhere.example"}));
    ASSERT_TRUE(directory_->add_alias("info@a.example", {"anna@a.example", "y@elsewhere.example"}));
    ASSERT_TRUE(directory_->set_catch_all("a.example", "anna@a.example"));
    directory_ = open();
    EXPECT_EQ(meaning<MailboxOf>("ANNA+x@a.example").detail, "x");
    EXPECT_EQ(meaning<AliasFor>("info@a.example").targets.size(), 3u);
    EXPECT_EQ(meaning<AliasFor>("who@a.example").targets.front(), address("anna@a.example"));
    meaning<NotLocal>("anna@elsewhere.example");
    EXPECT_EQ(directory_->is_local_domain(address("x@a.example").domain), true);
    EXPECT_EQ(directory_->is_local_domain(address("x@b.example").domain), false);
    EXPECT_EQ(directory_->domains()->front(), std::pair(std::string("a.example"), std::string("anna@a.example")));
    EXPECT_EQ(directory_->accounts()->front().address, "anna@a.example");
    EXPECT_EQ(directory_->aliases()->front().targets,
              (std::vector<std::string>{"anna@a.example", "x@elsewhere.example", "y@elsewhere.example"}));
}

TEST_F(SqliteDirectoryTest, FindsAccountsByLogin) {
    add_anna();
    auto found = directory_->find_account("ANNA@A.example");
    ASSERT_TRUE(found && *found);
    EXPECT_EQ((*found)->address, "anna@a.example");
    EXPECT_TRUE((*found)->enabled);
    EXPECT_EQ((*found)->password_hash.substr(0, 3), "$y$");
    for (const char* nobody : {"anna", "", "bert@a.example", "anna@b.example", "' OR 1=1 --", "anna@a.example' --"})
        EXPECT_FALSE(directory_->find_account(nobody)->has_value()) << nobody;
    ASSERT_TRUE(directory_->set_enabled("anna@a.example", false));
    EXPECT_FALSE((*directory_->find_account("anna@a.example"))->enabled);
    meaning<MailboxOf>("anna@a.example");
    EXPECT_EQ(directory_->owns("anna@a.example", address("anna@a.example")), false);
}

TEST_F(SqliteDirectoryTest, RefusesWhatMakesNoSense) {
    add_anna();
    EXPECT_FAILS(directory_->add_domain("a.EXAMPLE"), ErrorKind::exists);
    EXPECT_FAILS(directory_->add_domain("no spaces.example"), ErrorKind::invalid);
    EXPECT_FAILS(directory_->add_domain(""), ErrorKind::invalid);
    EXPECT_FAILS(directory_->add_domain("[192.0.2.1]"), ErrorKind::invalid);
    EXPECT_FAILS(directory_->remove_domain("b.example"), ErrorKind::not_found);
    EXPECT_FAILS(directory_->remove_domain("a.example"), ErrorKind::invalid);
    EXPECT_FAILS(directory_->add_account("anna@a.example", "x"), ErrorKind::exists);
    EXPECT_FAILS(directory_->add_account("anna", "x"), ErrorKind::invalid);
    EXPECT_FAILS(directory_->add_account("bert@a.example", ""), ErrorKind::invalid);
    EXPECT_FAILS(directory_->add_account("bert@a.example", std::string("a\0b", 3)), ErrorKind::invalid);
    EXPECT_FAILS(directory_->add_account("bert@a.example", std::string(512, 'a')), ErrorKind::invalid);
    EXPECT_FAILS(directory_->add_account("\"..\"@a.example", "x"), ErrorKind::invalid);
    EXPECT_FAILS(directory_->add_account("a/b@a.example", "x"), ErrorKind::invalid);
    EXPECT_FAILS(directory_->set_password("bert@a.example", "x"), ErrorKind::not_found);
    EXPECT_FAILS(directory_->set_enabled("bert@a.example", true), ErrorKind::not_found);
    EXPECT_FAILS(directory_->remove_account("bert@a.example"), ErrorKind::not_found);
    EXPECT_FAILS(directory_->remove_alias("bert@a.example"), ErrorKind::not_found);
    EXPECT_FAILS(directory_->add_alias("info@a.example", {}), ErrorKind::invalid);
    EXPECT_FAILS(directory_->add_alias("info@a.example", {"nonsense"}), ErrorKind::invalid);
    EXPECT_FAILS(directory_->add_alias("info@a.example", {"anna@a.example", "INFO@a.example"}), ErrorKind::invalid);
    EXPECT_FAILS(directory_->add_alias("info@a.example", {"anna@a.example", "nobody@a.example"}), ErrorKind::invalid);
    EXPECT_FAILS(directory_->add_alias("info@b.example", {"anna@a.example"}), ErrorKind::not_found);
    EXPECT_FAILS(directory_->set_catch_all("b.example", "anna@a.example"), ErrorKind::not_found);
    EXPECT_FAILS(directory_->set_catch_all("a.example", "who@a.example"), ErrorKind::invalid);
    EXPECT_TRUE(directory_->aliases()->empty());
    EXPECT_EQ(directory_->accounts()->size(), 1u);
}

TEST_F(SqliteDirectoryTest, TellsHowToAddAMissingDomain) {
    auto failed = directory_->add_account("anna@new.example", "secret");
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().kind, ErrorKind::not_found);
    EXPECT_NE(failed.error().detail.find("thurn domain add new.example"), std::string::npos) << failed.error().detail;
}

TEST_F(SqliteDirectoryTest, TakesDomainsOfTheConfigurationToo) {
    options_.resolve.domains[address("x@conf.example").domain] = std::nullopt;
    directory_ = open();
    EXPECT_TRUE(directory_->add_account("anna@conf.example", "secret"));
    meaning<MailboxOf>("anna@conf.example");
    meaning<UnknownUser>("bert@conf.example");
    options_.resolve.domains.clear();
    directory_ = open();
    meaning<NotLocal>("anna@conf.example");
}

TEST_F(SqliteDirectoryTest, NormalizesInternationalDomains) {
    ASSERT_TRUE(directory_->add_domain("BÜCHER.example"));
    EXPECT_EQ(directory_->domains()->front().first, "xn--bcher-kva.example");
    ASSERT_TRUE(directory_->add_account("jürgen@bücher.example", "secret"));
    meaning<MailboxOf>("jürgen@xn--bcher-kva.example");
}

TEST_F(SqliteDirectoryTest, ForgetsWhatIsRemoved) {
    add_anna();
    ASSERT_TRUE(directory_->add_alias("info@a.example", {"anna@a.example"}));
    meaning<AliasFor>("info@a.example");
    ASSERT_TRUE(directory_->remove_alias("info@a.example"));
    meaning<UnknownUser>("info@a.example");
    ASSERT_TRUE(directory_->remove_account("anna@a.example"));
    meaning<UnknownUser>("anna@a.example");
    ASSERT_TRUE(directory_->remove_domain("a.example"));
    meaning<NotLocal>("anna@a.example");
}

TEST_F(SqliteDirectoryTest, SeesChangesOfAnotherProcessAtOnce) {
    add_anna();
    meaning<UnknownUser>("bert@a.example");
    auto other = open();
    ASSERT_TRUE(other->add_account("bert@a.example", "secret"));
    meaning<MailboxOf>("bert@a.example");
    ASSERT_TRUE(other->remove_account("bert@a.example"));
    meaning<UnknownUser>("bert@a.example");
}

TEST_F(SqliteDirectoryTest, SeesItsOwnChangesAtOnceHoweverItTrustsItsMemory) {
    options_.trust_memory_for = std::chrono::hours(1);
    directory_ = open();
    add_anna();
    meaning<UnknownUser>("bert@a.example");
    ASSERT_TRUE(directory_->add_account("bert@a.example", "secret"));
    meaning<MailboxOf>("bert@a.example");
}

TEST_F(SqliteDirectoryTest, KnowsByHeartWhatItWasAskedBefore) {
    add_anna();
    EXPECT_FALSE(directory_->peek(address("anna@a.example")));
    meaning<MailboxOf>("anna@a.example");
    EXPECT_TRUE(directory_->peek(address("anna@a.example")));
    ASSERT_TRUE(directory_->add_account("bert@a.example", "secret"));
    EXPECT_FALSE(directory_->peek(address("anna@a.example"))) << "anything may have changed";
}

TEST_F(SqliteDirectoryTest, RemembersABoundedNumber) {
    options_.cached_addresses = 10;
    directory_ = open();
    add_anna();
    for (int i = 0; i < 1000; ++i) meaning<UnknownUser>("u" + std::to_string(i) + "@a.example");
    int known = 0;
    for (int i = 0; i < 1000; ++i) known += directory_->peek(address("u" + std::to_string(i) + "@a.example")) ? 1 : 0;
    EXPECT_LE(known, 10);
}

TEST_F(SqliteDirectoryTest, AnswersWhileAnotherWrites) {
    add_anna();
    auto locker = Database::open({.path = options_.path, .busy_timeout = std::chrono::milliseconds(100)});
    ASSERT_TRUE(locker);
    auto transaction = Transaction::begin(*locker);
    ASSERT_TRUE(transaction);
    meaning<MailboxOf>("anna@a.example");
    EXPECT_FAILS(directory_->add_domain("b.example"), ErrorKind::refused);
}

TEST_F(SqliteDirectoryTest, StaysWholeWithManyThreads) {
    add_anna();
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < 4; ++thread)
        threads.emplace_back([this, thread] {
            for (int i = 0; i < 200; ++i) {
                auto resolved = directory_->resolve(address("anna@a.example"));
                EXPECT_TRUE(resolved && std::holds_alternative<MailboxOf>(*resolved));
                if (i % 50 == 0) {
                    EXPECT_TRUE(
                        directory_->add_alias("t" + std::to_string(thread) + "@a.example", {"x" + std::to_string(i) + "@e.example"}));
                }
            }
        });
    threads.clear();
    EXPECT_EQ(directory_->aliases()->size(), 4u);
}

TEST_F(SqliteDirectoryTest, IsNotOpenedWhenItIsNoDatabase) {
    directory_.reset();
    std::filesystem::remove(options_.path.string() + "-wal");
    std::filesystem::remove(options_.path.string() + "-shm");
    std::ofstream(options_.path, std::ios::trunc) << std::string(8192, 'x');
    EXPECT_FAILS(SqliteDirectory::open(options_), ErrorKind::corrupt);
    options_.path = folder_ / "missing" / "directory.db";
    EXPECT_FAILS(SqliteDirectory::open(options_), ErrorKind::disk);
}

TEST_F(SqliteDirectoryTest, IsNotOpenedWhenANewerThurnMadeIt) {
    directory_.reset();
    {
        auto database = Database::open({.path = options_.path});
        ASSERT_TRUE(database);
        ASSERT_TRUE(database->run("PRAGMA user_version = 99"));
    }
    EXPECT_FAILS(SqliteDirectory::open(options_), ErrorKind::invalid);
}

// ---- SCRAM

TEST_F(SqliteDirectoryTest, KeepsScramSecretsOfThePasswordBothHashes) {
    add_anna();
    for (const auto hash : {sasl::Hash::sha1, sasl::Hash::sha256}) {
        const auto secret = directory_->find_scram_secret("ANNA@a.example", hash).value();
        EXPECT_EQ(secret, sasl::derive_scram_secret("secret", secret.salt, sasl::kUsualIterations, hash));
        ASSERT_TRUE(directory_->set_password("anna@a.example", "other"));
        const auto changed = directory_->find_scram_secret("anna@a.example", hash).value();
        EXPECT_EQ(changed, sasl::derive_scram_secret("other", changed.salt, sasl::kUsualIterations, hash));
        EXPECT_NE(changed.salt, secret.salt);
        ASSERT_TRUE(directory_->set_password("anna@a.example", "secret"));
    }
    EXPECT_NE(directory_->find_scram_secret("anna@a.example", sasl::Hash::sha1)->salt,
              directory_->find_scram_secret("anna@a.example", sasl::Hash::sha256)->salt);
}

TEST_F(SqliteDirectoryTest, GivesNobodysLoginTheSameDecoyAfterARestart) {
    add_anna();
    const auto before = directory_->find_scram_secret("nobody@a.example", sasl::Hash::sha256).value();
    directory_.reset();
    directory_ = open();
    EXPECT_EQ(directory_->find_scram_secret("nobody@a.example", sasl::Hash::sha256), before);
    EXPECT_NE(directory_->find_scram_secret("somebody@a.example", sasl::Hash::sha256)->salt, before.salt);
    EXPECT_EQ(directory_->find_scram_secret("NoBody@A.example", sasl::Hash::sha256), before) << "as with real logins, case does not matter";
    EXPECT_TRUE(directory_->find_scram_secret("no address", sasl::Hash::sha1));
    const auto real = directory_->find_scram_secret("anna@a.example", sasl::Hash::sha256).value();
    ASSERT_TRUE(directory_->set_enabled("anna@a.example", false));
    EXPECT_NE(directory_->find_scram_secret("anna@a.example", sasl::Hash::sha256), real) << "disabled";
}

TEST_F(SqliteDirectoryTest, OffersScramOnlyWhenAllCanUseIt) {
    EXPECT_TRUE(directory_->offers_scram());
    add_anna();
    EXPECT_TRUE(directory_->offers_scram());
    auto database = Database::open({.path = options_.path});
    ASSERT_TRUE(database && database->run("UPDATE account SET scram_sha_1 = ''"));
    EXPECT_FALSE(directory_->offers_scram());
    ASSERT_TRUE(directory_->set_enabled("anna@a.example", false));
    EXPECT_TRUE(directory_->offers_scram());
    ASSERT_TRUE(directory_->set_enabled("anna@a.example", true));
    EXPECT_FALSE(directory_->offers_scram());
    ASSERT_TRUE(directory_->set_password("anna@a.example", "secret"));
    EXPECT_TRUE(directory_->offers_scram());
}

TEST_F(SqliteDirectoryTest, TakesOverADatabaseFromBeforeScram) {
    add_anna();
    const auto hash = directory_->find_account("anna@a.example").value().value().password_hash;
    directory_.reset();
    {
        auto database = Database::open({.path = options_.path});
        ASSERT_TRUE(database &&
                    database->run("DROP INDEX account_without_scram; DROP TABLE setting; ALTER TABLE account DROP COLUMN scram_sha_1; "
                                  "ALTER TABLE account DROP COLUMN scram_sha_256; ALTER TABLE account DROP COLUMN cram_md5; "
                                  "ALTER TABLE account DROP COLUMN suspended; PRAGMA user_version = 1;"));
    }
    directory_ = open();
    EXPECT_EQ(directory_->find_account("anna@a.example").value().value().password_hash, hash);
    EXPECT_FALSE(directory_->offers_scram());
    const auto decoy = directory_->find_scram_secret("anna@a.example", sasl::Hash::sha256).value();
    EXPECT_NE(decoy, sasl::derive_scram_secret("secret", decoy.salt, decoy.iterations, decoy.hash));
    ASSERT_TRUE(directory_->set_password("anna@a.example", "secret"));
    EXPECT_TRUE(directory_->offers_scram());
}

// ---- CRAM-MD5

TEST_F(SqliteDirectoryTest, KeepsWhatCramMd5NeedsOnlyWhileItIsWanted) {
    const auto right = [](const char* password) { return sasl::derive_cram_md5_secret(password); };
    add_anna();
    EXPECT_NE(directory_->find_cram_md5_secret("anna@a.example").value(), right("secret")) << "not wanted, not kept";
    options_.cram_md5 = SqliteDirectoryOptions::CramMd5::stored;
    directory_.reset();
    directory_ = open();
    EXPECT_NE(directory_->find_cram_md5_secret("anna@a.example").value(), right("secret")) << "nothing can be derived from the hash";
    ASSERT_TRUE(directory_->set_password("anna@a.example", "other"));
    EXPECT_EQ(directory_->find_cram_md5_secret("ANNA@a.example").value(), right("other"));
    ASSERT_TRUE(directory_->add_account("bert@a.example", "berts"));
    EXPECT_EQ(directory_->find_cram_md5_secret("bert@a.example").value(), right("berts"));
    ASSERT_TRUE(directory_->set_enabled("bert@a.example", false));
    EXPECT_NE(directory_->find_cram_md5_secret("bert@a.example").value(), right("berts")) << "disabled";
    options_.cram_md5 = SqliteDirectoryOptions::CramMd5::none;
    directory_.reset();
    directory_ = open();
    ASSERT_TRUE(directory_->set_password("anna@a.example", "other"));
    EXPECT_NE(directory_->find_cram_md5_secret("anna@a.example").value(), right("other")) << "no longer wanted, gone";
}

TEST_F(SqliteDirectoryTest, TakesOverADatabaseFromBeforeCramMd5) {
    add_anna();
    const auto secret = directory_->find_scram_secret("anna@a.example", sasl::Hash::sha256).value();
    directory_.reset();
    {
        auto database = Database::open({.path = options_.path});
        ASSERT_TRUE(database && database->run("ALTER TABLE account DROP COLUMN cram_md5; ALTER TABLE account DROP COLUMN suspended; "
                                              "PRAGMA user_version = 2;"));
    }
    directory_ = open();
    EXPECT_EQ(directory_->find_scram_secret("anna@a.example", sasl::Hash::sha256), secret);
    EXPECT_TRUE(directory_->find_cram_md5_secret("nobody")) << "a decoy";
}

// ---- suspension

TEST_F(SqliteDirectoryTest, ASuspendedAccountKeepsItsMailAndOwnsNothing) {
    add_anna();
    EXPECT_TRUE(directory_->suspend("Anna@a.example", "too much mail").value());
    EXPECT_FALSE(directory_->suspend("anna@a.example", "another reason").value()) << "the first reason stays";
    directory_.reset();
    directory_ = open();
    const auto account = directory_->find_account("anna@a.example").value().value();
    EXPECT_TRUE(account.enabled);
    EXPECT_EQ(account.suspended, "too much mail");
    EXPECT_EQ(directory_->accounts().value().front().suspended, "too much mail");
    EXPECT_FALSE(directory_->owns("anna@a.example", *mail::parse_mailbox("anna@a.example")).value());
    EXPECT_TRUE(std::holds_alternative<directory::MailboxOf>(directory_->resolve(*mail::parse_mailbox("anna@a.example")).value()));
    EXPECT_TRUE(directory_->release("anna@a.example").value());
    EXPECT_FALSE(directory_->release("anna@a.example").value());
    EXPECT_FALSE(directory_->find_account("anna@a.example").value().value().suspended);
    EXPECT_TRUE(directory_->owns("anna@a.example", *mail::parse_mailbox("anna@a.example")).value());
}

TEST_F(SqliteDirectoryTest, OnlyAccountsCanBeSuspended) {
    EXPECT_EQ(directory_->suspend("nobody@a.example", "").error().kind, base::ErrorKind::not_found);
    EXPECT_EQ(directory_->release("nobody@a.example").error().kind, base::ErrorKind::not_found);
}

TEST_F(SqliteDirectoryTest, TakesOverADatabaseFromBeforeSuspensions) {
    add_anna();
    directory_.reset();
    {
        auto database = Database::open({.path = options_.path});
        ASSERT_TRUE(database && database->run("ALTER TABLE account DROP COLUMN suspended; PRAGMA user_version = 3;"));
    }
    directory_ = open();
    EXPECT_FALSE(directory_->find_account("anna@a.example").value().value().suspended);
    EXPECT_TRUE(directory_->suspend("anna@a.example", "").value());
}

// A damaged file must never make users unknown (550 removes addresses from senders' lists): it answers with an error.
TEST_F(SqliteDirectoryTest, CorruptionIsAnErrorNotAnUnknownUser) {
    add_anna();
    directory_.reset();
    const auto size = std::filesystem::file_size(options_.path);
    {
        std::fstream file(options_.path, std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(4096);
        file << std::string(size - 4096, '\xff');
    }
    auto reopened = SqliteDirectory::open(options_);
    if (!reopened) return;  // noticed at once: as good
    auto resolved = (*reopened)->resolve(address("anna@a.example"));
    ASSERT_FALSE(resolved);
    EXPECT_EQ(resolved.error().kind, ErrorKind::corrupt);
}

TEST_F(SqliteDirectoryTest, AStoredAddressThatIsNoneIsCorrupt) {
    add_anna();
    ASSERT_TRUE(directory_->add_alias("info@a.example", {"anna@a.example"}));
    auto database = Database::open({.path = options_.path});
    ASSERT_TRUE(database && database->run("UPDATE alias_target SET target = 'no address'"));
    EXPECT_FAILS(directory_->resolve(address("info@a.example")), ErrorKind::corrupt);
}

TEST_F(SqliteDirectoryTest, TakesQuotesAndOddOctetsAsTheyAre) {
    add_anna();
    const std::string odd = R"("x'; DROP TABLE account; --"@a.example)";
    ASSERT_TRUE(directory_->add_account(odd, "secret"));
    meaning<MailboxOf>(odd);
    EXPECT_EQ(directory_->accounts()->size(), 2u);
    meaning<UnknownUser>(R"("%' OR '1'='1"@a.example)");
    EXPECT_TRUE(directory_->remove_account(odd));
}

TEST_F(SqliteDirectoryTest, ReadsKeysToTheirEndAndNotToANul) {
    add_anna();
    for (const auto& key :
         {"anna@a.example\0"s, "anna@a.example\0x"s, "\0anna@a.example"s, "anna\0@a.example"s, "anna@a.example\0.b.example"s}) {
        const auto account = directory_->find_account(key);
        ASSERT_TRUE(account) << account.error().detail;
        EXPECT_FALSE(*account) << testing::PrintToString(key);
        EXPECT_FALSE(directory_->set_password(key, "stolen")) << testing::PrintToString(key);
        EXPECT_FALSE(directory_->remove_account(key)) << testing::PrintToString(key);
        const auto suspended = directory_->suspend(key, "no");
        EXPECT_FALSE(suspended && *suspended) << testing::PrintToString(key);
    }
    const mail::Mailbox with_nul{.local = "anna\0x"s, .domain = address("x@a.example").domain};
    const auto resolved = directory_->resolve(with_nul);
    ASSERT_TRUE(resolved);
    EXPECT_TRUE(std::holds_alternative<UnknownUser>(*resolved));
    ASSERT_TRUE(*directory_->find_account("anna@a.example"));
    EXPECT_EQ(directory_->accounts()->size(), 1u);
}

}  // namespace
}  // namespace thurn::storage
