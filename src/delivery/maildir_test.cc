#include "delivery/maildir.h"

#include "support/held_content.h"

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

namespace thurn::delivery {
namespace {

namespace fs = std::filesystem;
using Kind = RecipientOutcome::Kind;

using support::HeldContent;
using support::UnreadableContent;

mail::Mailbox mailbox(std::string local, std::string_view domain = "example.com") {
    return {std::move(local), mail::parse_domain(domain).value()};
}

constexpr base::Time kAccepted{std::chrono::milliseconds(1'800'000'000'123)};

class MaildirTest : public testing::Test {
protected:
    MaildirTest() {
        std::string name = (fs::temp_directory_path() / "thurn-maildir-XXXXXX").string();
        root_ = ::mkdtemp(name.data());
    }
    ~MaildirTest() override {
        std::error_code ignored;
        for (const auto& entry : fs::recursive_directory_iterator(root_, fs::directory_options::skip_permission_denied, ignored))
            if (entry.is_directory() && !entry.is_symlink()) fs::permissions(entry, fs::perms::owner_all, ignored);
        fs::remove_all(root_, ignored);
    }

    MaildirOptions options() const {
        return {.path_template = (root_ / "mail/{domain}/{local}").string(),
                .hostname = "mx.example.com",
                .started = kAccepted - std::chrono::hours(1)};
    }
    Maildir maildir() const { return Maildir(options()); }
    fs::path box() const { return root_ / "mail/example.com/bob"; }

    static spool::StoredMessage message(std::string content, HeldContent::Where where = HeldContent::Where::memory) {
        spool::StoredMessage made;
        made.id.value = static_cast<std::uint64_t>(kAccepted.time_since_epoch().count()) << 22 | 7;
        made.envelope.sender.mailbox = mailbox("alice", "example.org");
        made.envelope.recipients.push_back({.mailbox = mailbox("bob"), .original = {}, .state = {}});
        made.content = std::make_shared<HeldContent>(std::move(content), where);
        return made;
    }

    static std::vector<fs::path> files(const fs::path& folder) {
        std::vector<fs::path> found;
        for (const auto& entry : fs::directory_iterator(folder)) found.push_back(entry.path());
        return found;
    }
    static std::string text(const fs::path& file) {
        std::ifstream in(file, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }

    fs::path root_;
};

constexpr std::string_view kHead = "Return-Path: <alice@example.org>\nDelivered-To: bob@example.com\n";

TEST_F(MaildirTest, WritesTheMessageIntoNewWithItsHeaders) {
    const auto stored = message("Subject: x\r\n\r\n.dot\r\n.\r\nlone\rcr\r\n");
    const auto outcome = maildir().deliver(stored, 0, mailbox("bob"));
    EXPECT_EQ(outcome.kind, Kind::delivered) << outcome.status;
    EXPECT_TRUE(outcome.status.starts_with("250 2.0.0 "));
    const auto found = files(box() / "new");
    ASSERT_EQ(found.size(), 1U);
    const std::string expected = std::string(kHead) + "Subject: x\n\n.dot\n.\nlone\rcr\n";
    EXPECT_EQ(text(found[0]), expected);
    EXPECT_EQ(found[0].filename(), "1800000000." + stored.id.text() + "_0.mx.example.com,S=" + std::to_string(expected.size()));
    EXPECT_TRUE(files(box() / "tmp").empty());
    EXPECT_TRUE(files(box() / "cur").empty());
}

TEST_F(MaildirTest, BinaryContentBecomesLines) {
    const std::string head = "MIME-Version: 1.0\r\nContent-Type: a/b\r\nContent-Transfer-Encoding: ";
    auto stored = message(head + std::string("binary\r\n\r\n\0\r\n\n", 14));
    stored.envelope.body = mail::BodyType::binary;
    EXPECT_EQ(maildir().deliver(stored, 0, mailbox("bob")).kind, Kind::delivered);
    const auto found = files(box() / "new");
    ASSERT_EQ(found.size(), 1U);
    EXPECT_TRUE(text(found[0]).ends_with("Content-Type: a/b\nContent-Transfer-Encoding: base64\n\nAA0KCg==\n")) << text(found[0]);

    auto broken = message("Subject: x\r\nno field\n\r\n\r\n\n");
    broken.envelope.body = mail::BodyType::binary;
    const auto outcome = maildir().deliver(broken, 0, mailbox("bob"));
    EXPECT_EQ(outcome.kind, Kind::failed);
    EXPECT_TRUE(outcome.status.starts_with("554 5.6.3 ")) << outcome.status;
}

TEST_F(MaildirTest, MakesFoldersAndFilesForTheOwnerOnly) {
    static_cast<void>(maildir().deliver(message("x\r\n"), 0, mailbox("bob")));
    for (const auto& folder : {root_ / "mail/example.com", box(), box() / "new", box() / "cur", box() / "tmp"})
        EXPECT_EQ(fs::status(folder).permissions(), fs::perms::owner_all) << folder;
    EXPECT_EQ(fs::status(files(box() / "new").at(0)).permissions(), fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(MaildirTest, TellsTheOriginalRecipientWhenItDiffers) {
    auto stored = message("x\r\n");
    stored.envelope.sender.mailbox.reset();
    stored.envelope.recipients[0].original = "Sales\r\n@example.com";
    static_cast<void>(maildir().deliver(stored, 0, mailbox("bob")));
    EXPECT_EQ(text(files(box() / "new").at(0)), "Return-Path: <>\nDelivered-To: bob@example.com\nX-Original-To: Sales??@example.com\nx\n");
}

TEST_F(MaildirTest, TellsTheSubaddress) {
    auto stored = message("x\r\n");
    stored.envelope.recipients[0].mailbox = mailbox("bob+tag");
    static_cast<void>(maildir().deliver(stored, 0, mailbox("bob")));
    EXPECT_THAT(text(files(box() / "new").at(0)), testing::HasSubstr("\nX-Original-To: bob+tag@example.com\n"));
}

TEST_F(MaildirTest, LargeContentStreamsAndKeepsEveryLineEnd) {
    for (const auto where : {HeldContent::Where::memory, HeldContent::Where::disk}) {
        std::string content, expected(kHead);
        for (std::size_t line = 0; content.size() < 1'500'000; ++line) {  // line lengths shift, so CRLF falls on every border
            const std::string body(line % 97, 'a');
            content += body + "\r\n";
            expected += body + "\n";
        }
        content += std::string(262'144, '\r');
        expected += std::string(262'144, '\r');
        auto stored = message(content, where);
        stored.id.value += where == HeldContent::Where::disk ? 1 : 0;
        const auto before = fs::exists(box() / "new") ? files(box() / "new") : std::vector<fs::path>{};
        EXPECT_EQ(maildir().deliver(stored, 0, mailbox("bob")).kind, Kind::delivered);
        for (const auto& file : files(box() / "new"))
            if (std::ranges::find(before, file) == before.end()) EXPECT_TRUE(text(file) == expected);
    }
    EXPECT_EQ(files(box() / "new").size(), 2U);
}

TEST_F(MaildirTest, RecipientsOfOneMessageHaveTheirOwnFiles) {
    auto stored = message("x\r\n");
    stored.envelope.recipients.push_back({.mailbox = mailbox("bob+2"), .original = {}, .state = {}});
    EXPECT_EQ(maildir().deliver(stored, 0, mailbox("bob")).kind, Kind::delivered);
    EXPECT_EQ(maildir().deliver(stored, 1, mailbox("bob")).kind, Kind::delivered);
    EXPECT_EQ(files(box() / "new").size(), 2U);
}

TEST_F(MaildirTest, RepeatFindsTheFileInNew) {
    const auto stored = message("x\r\n");
    static_cast<void>(maildir().deliver(stored, 0, mailbox("bob")));
    const auto again = maildir().deliver(stored, 0, mailbox("bob"));
    EXPECT_EQ(again.kind, Kind::delivered);
    EXPECT_THAT(again.status, testing::HasSubstr("already"));
    EXPECT_EQ(files(box() / "new").size(), 1U);
    EXPECT_TRUE(files(box() / "tmp").empty());
}

TEST_F(MaildirTest, RepeatAfterACrashFindsTheFileAReaderMoved) {
    const auto stored = message("x\r\n");
    static_cast<void>(maildir().deliver(stored, 0, mailbox("bob")));
    const auto file = files(box() / "new").at(0);
    fs::rename(file, box() / "cur" / (file.filename().string() + ":2,S"));
    auto restarted = options();
    restarted.started = kAccepted + std::chrono::seconds(1);
    EXPECT_EQ(Maildir(restarted).deliver(stored, 0, mailbox("bob")).kind, Kind::delivered);
    EXPECT_TRUE(files(box() / "new").empty());
}

TEST_F(MaildirTest, RepeatOfARecipientInDoubtLooksIntoCur) {
    auto stored = message("x\r\n");
    static_cast<void>(maildir().deliver(stored, 0, mailbox("bob")));
    const auto file = files(box() / "new").at(0);
    fs::rename(file, box() / "cur" / file.filename());
    stored.envelope.recipients[0].state.standing = spool::Standing::in_doubt;
    EXPECT_EQ(maildir().deliver(stored, 0, mailbox("bob")).kind, Kind::delivered);
    EXPECT_TRUE(files(box() / "new").empty());
}

TEST_F(MaildirTest, NamesThatOnlyBeginAlikeAreOtherMessages) {
    auto stored = message("x\r\n");
    for (std::uint32_t index = 1; index < 13; ++index)
        stored.envelope.recipients.push_back({.mailbox = mailbox("bob"), .original = {}, .state = {}});
    for (auto& recipient : stored.envelope.recipients) recipient.state.attempts = 1;
    auto short_host = options();
    short_host.hostname = "mx";
    EXPECT_EQ(maildir().deliver(stored, 12, mailbox("bob")).kind, Kind::delivered);
    EXPECT_EQ(maildir().deliver(stored, 1, mailbox("bob")).kind, Kind::delivered);
    EXPECT_EQ(Maildir(short_host).deliver(stored, 1, mailbox("bob")).kind, Kind::delivered);
    EXPECT_EQ(files(box() / "new").size(), 3U);
}

TEST_F(MaildirTest, LeftoverInTmpIsReplaced) {
    const auto stored = message("whole\r\n");
    static_cast<void>(maildir().deliver(stored, 0, mailbox("bob")));
    const auto file = files(box() / "new").at(0);
    std::string name = file.filename().string();
    name.resize(name.find(",S="));
    fs::remove(file);
    std::ofstream(box() / "tmp" / name) << "half of somethi";
    EXPECT_EQ(maildir().deliver(stored, 0, mailbox("bob")).kind, Kind::delivered);
    EXPECT_EQ(text(file), std::string(kHead) + "whole\n");
    EXPECT_TRUE(files(box() / "tmp").empty());
}

TEST_F(MaildirTest, RemovedFoldersComeBack) {
    const auto box_again = maildir();
    static_cast<void>(box_again.deliver(message("x\r\n"), 0, mailbox("bob")));
    for (const auto* gone : {"new", "tmp", "."}) {
        fs::remove_all(*gone == '.' ? box() : box() / gone);
        EXPECT_EQ(box_again.deliver(message("x\r\n"), 0, mailbox("bob")).kind, Kind::delivered) << gone;
        EXPECT_EQ(files(box() / "new").size(), 1U);
    }
}

class MaildirLinkTest : public MaildirTest, public testing::WithParamInterface<const char*> {};

TEST_P(MaildirLinkTest, IsNotFollowed) {
    static_cast<void>(maildir().deliver(message("x\r\n"), 0, mailbox("bob")));
    const fs::path elsewhere = root_ / "elsewhere";
    const fs::path linked = fs::path(root_ / "mail" / GetParam());
    fs::rename(linked, elsewhere);
    fs::create_directory_symlink(elsewhere, linked);
    auto another = message("y\r\n");
    ++another.id.value;
    const auto outcome = maildir().deliver(another, 0, mailbox("bob"));
    EXPECT_EQ(outcome.kind, Kind::deferred);
    EXPECT_TRUE(outcome.status.starts_with("451 4.3.5 ")) << outcome.status;
    EXPECT_EQ(outcome.status.find(root_.string()), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Links, MaildirLinkTest,
                         testing::Values("example.com", "example.com/bob", "example.com/bob/new", "example.com/bob/tmp"));

TEST_F(MaildirTest, LinkToNowhereIsNotFilled) {
    fs::create_directories(root_ / "mail/example.com");
    fs::create_directory_symlink(root_ / "planted", box());
    EXPECT_EQ(maildir().deliver(message("x\r\n"), 0, mailbox("bob")).kind, Kind::deferred);
    EXPECT_FALSE(fs::exists(root_ / "planted"));
}

TEST_F(MaildirTest, FileWhereAFolderShouldBeDefers) {
    fs::create_directories(root_ / "mail/example.com");
    std::ofstream(root_ / "mail/example.com/bob") << "a file";
    const auto outcome = maildir().deliver(message("x\r\n"), 0, mailbox("bob"));
    EXPECT_EQ(outcome.kind, Kind::deferred);
    EXPECT_TRUE(outcome.status.starts_with("451 4.3.5 ")) << outcome.status;
}

TEST_F(MaildirTest, FolderOfSomeoneElseDefers) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can give a folder away";
    static_cast<void>(maildir().deliver(message("x\r\n"), 0, mailbox("bob")));
    ASSERT_EQ(::chown((box() / "new").c_str(), 12345, 12345), 0);
    auto another = message("y\r\n");
    ++another.id.value;
    const auto outcome = maildir().deliver(another, 0, mailbox("bob"));
    EXPECT_EQ(outcome.kind, Kind::deferred);
    EXPECT_THAT(outcome.status, testing::HasSubstr("belongs to someone else"));
}

/// Root may write anywhere; another user's view of a read-only folder is what counts.
RecipientOutcome deliver_as_nobody(const Maildir& maildir, const spool::StoredMessage& stored) {
    RecipientOutcome outcome;
    std::thread([&] {
        if (::geteuid() == 0) static_cast<void>(::setfsuid(65534));
        outcome = maildir.deliver(stored, 0, mailbox("bob"));
    }).join();
    return outcome;
}

TEST_F(MaildirTest, ReadOnlyFolderDefers) {
    fs::create_directories(root_ / "mail");
    fs::permissions(root_, fs::perms::owner_all | fs::perms::others_read | fs::perms::others_exec);
    fs::permissions(root_ / "mail", fs::perms::owner_read | fs::perms::owner_exec | fs::perms::others_read | fs::perms::others_exec);
    const auto outcome = deliver_as_nobody(maildir(), message("x\r\n"));
    EXPECT_EQ(outcome.kind, Kind::deferred);
    EXPECT_TRUE(outcome.status.starts_with("451 4.3.0 ")) << outcome.status;
    EXPECT_THAT(outcome.status, testing::HasSubstr("ermission denied"));
}

TEST_F(MaildirTest, UnreadableContentDefersAndLeavesNothing) {
    auto stored = message("");
    stored.content = std::make_shared<UnreadableContent>(1'000'000, 300'000);
    const auto outcome = maildir().deliver(stored, 0, mailbox("bob"));
    EXPECT_EQ(outcome.kind, Kind::deferred);
    EXPECT_TRUE(files(box() / "new").empty());
    EXPECT_TRUE(files(box() / "tmp").empty());
}

TEST_F(MaildirTest, HostileLocalPartsStayInTheirFolder) {
    for (const std::string& local :
         {std::string("../../../x"), std::string("/etc"), std::string(".."), std::string("a\0b", 3), std::string(64, '/')}) {
        const auto outcome = maildir().deliver(message("x\r\n"), 0, mailbox(local));
        EXPECT_EQ(outcome.kind, Kind::delivered) << outcome.status;
        const auto folder = maildir().folder(mailbox(local));
        EXPECT_EQ(folder.parent_path(), root_ / "mail/example.com");
        EXPECT_EQ(files(folder / "new").size(), 1U) << folder;
    }
    EXPECT_EQ(files(root_).size(), 1U);
}

TEST_F(MaildirTest, PathThatCannotExistFails) {
    auto addressed = options();
    addressed.path_template = (root_ / "{address}").string();
    const std::string domain = std::string(63, 'a') + "." + std::string(63, 'b') + "." + std::string(63, 'c') + ".example";
    const auto outcome = Maildir(addressed).deliver(message("x\r\n"), 0, mailbox(std::string(64, '/'), domain));
    EXPECT_EQ(outcome.kind, Kind::failed);
    EXPECT_TRUE(outcome.status.starts_with("550 5.3.5 ")) << outcome.status;
}

TEST_F(MaildirTest, ManyThreadsDeliverIntoOneNewMailbox) {
    const auto shared = maildir();
    {
        std::vector<std::jthread> threads;
        for (std::uint64_t index = 0; index < 16; ++index) {
            threads.emplace_back([&shared, index] {
                auto stored = message("x\r\n");
                stored.id.value += index;
                EXPECT_EQ(shared.deliver(stored, 0, mailbox("bob")).kind, Kind::delivered);
            });
        }
    }
    EXPECT_EQ(files(box() / "new").size(), 16U);
}

TEST_F(MaildirTest, HostnameCannotBreakTheFileName) {
    auto odd = options();
    odd.hostname = "a/b:c,d";
    EXPECT_EQ(Maildir(odd).deliver(message("x\r\n"), 0, mailbox("bob")).kind, Kind::delivered);
    EXPECT_THAT(files(box() / "new").at(0).filename().string(), testing::HasSubstr(".a_b_c_d,S="));
}

TEST(MaildirFolder, WithoutAFixedFolderIsRelative) {
    EXPECT_EQ(Maildir({.path_template = "{local}", .hostname = "h", .started = {}}).folder(mailbox("bob")), "./bob");
    EXPECT_EQ(Maildir({.path_template = "/{local}/Maildir", .hostname = "h", .started = {}}).folder(mailbox("bob")), "/bob/Maildir");
}

}  // namespace
}  // namespace thurn::delivery
