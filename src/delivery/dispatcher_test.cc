#include "delivery/dispatcher.h"

#include "mail/mailbox.h"
#include "spool/memory_spool.h"
#include "support/dns_server.h"
#include "support/fake_clock.h"
#include "support/fake_random.h"
#include "support/memory_directory.h"
#include "support/memory_journal.h"
#include "support/scripted_peer.h"

#include <filesystem>
#include <fstream>
#include <future>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace thurn::delivery {
namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;
using spool::Standing;
using support::ScriptedPeer;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

mail::Mailbox mailbox(std::string_view text) { return mail::parse_mailbox(text, mail::Charset::ascii).value(); }

/// Waits for what other threads do; the test fails when it does not come.
template <class Condition>
testing::AssertionResult eventually(Condition condition) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (std::chrono::steady_clock::now() < until) {
        if (condition()) return testing::AssertionSuccess();
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return testing::AssertionFailure() << "it did not come to pass";
}

/// A spool whose disk fails for changes as often as it is told, and that counts them.
class FaultySpool final : public spool::Spool {
public:
    std::unique_ptr<spool::Draft> draft(base::MessageId id) override { return memory.draft(id); }
    void commit(std::unique_ptr<spool::Draft> draft, spool::Envelope envelope, Committed done) override {
        memory.commit(std::move(draft), std::move(envelope), std::move(done));
    }
    void update(std::vector<spool::RecipientUpdate> updates, spool::Sync sync, Updated done) override {
        ++update_calls;
        if (failing_updates) return done(base::fail(base::ErrorKind::disk, "told to fail"));
        memory.update(std::move(updates), sync, std::move(done));
    }
    base::Result<spool::StoredMessage> load(base::MessageId id) override {
        if (failing_loads > 0 && failing_loads-- > 0) return base::fail(base::ErrorKind::disk, "told to fail");
        if (damaged) return base::fail(base::ErrorKind::corrupt, "told to be");
        if (throwing_loads > 0 && throwing_loads-- > 0) throw std::bad_alloc();
        return memory.load(id);
    }
    base::Result<std::vector<spool::DueRecipient>> due(base::Time until, const spool::DueRecipient* after, std::size_t limit) override {
        return memory.due(until, after, limit);
    }
    base::Result<std::vector<spool::Listed>> list(base::MessageId after, std::size_t limit) override { return memory.list(after, limit); }
    spool::SpoolStats stats() override { return memory.stats(); }
    base::MessageId newest() override { return memory.newest(); }
    bool has_room() const override { return memory.has_room(); }

    spool::MemorySpool memory;
    std::atomic<int> update_calls = 0;
    std::atomic<bool> failing_updates = false;
    std::atomic<int> failing_loads = 0;
    std::atomic<int> throwing_loads = 0;
    std::atomic<bool> damaged = false;
};

// The beginning of each conversation with a server, and one message it answers as told.
const std::string kHello = "S: 220 mx ESMTP\nC: EHLO\nS: 250-mx\nS: 250 PIPELINING\n";
const std::string kEnvelope = "C: MAIL FROM\nC: RCPT TO\nC: DATA\nS: 250 2.1.0 ok\nS: 250 2.1.5 ok\nS: 354 go on\n";
const std::string kTaken = kEnvelope + "D:\nS: 250 2.0.0 taken\n";
const std::string kQuit = "C: QUIT\nS: 221 bye\n";
const std::string kBusy = "S: 421 4.3.2 busy\n";

class DispatcherTest : public testing::Test {
protected:
    DispatcherTest() {
        std::string name = (fs::temp_directory_path() / "thurn-dispatcher-XXXXXX").string();
        root_ = ::mkdtemp(name.data());
        directory_.add_domain("here.example");
        directory_.add_account("anna@here.example");
        directory_.add_account("bob@here.example");
        options_.hostname = "mx.here.example";
        options_.postmaster = "postmaster@here.example";
        options_.sweep_every = std::chrono::milliseconds(2);
        options_.retry.steps = {std::chrono::minutes(5), std::chrono::minutes(10)};
        options_.retry.jitter_percent = 0;
    }
    ~DispatcherTest() override {
        if (dispatcher_) {
            stop();
            loops_.halt();
            pool_.stop();
            resolver_->stop();
            loops_.stop();
        }
        std::error_code ignored;
        fs::remove_all(root_, ignored);
    }

    /// Mail for there.example goes to that port.
    void start(std::uint16_t port = 1) {
        resolver_ = net::Resolver::start({.servers = {dns_}, .dnssec = false}).value();
        rules_.push_back({.sender = {},
                          .sender_domain = {},
                          .recipient = {},
                          .recipient_domain = "there.example",
                          .hop = route::ToHost{"127.0.0.1", port, false, route::TlsDemand::none, ""},
                          .origin = "test:1"});
        rules_.push_back({.sender = {},
                          .sender_domain = {},
                          .recipient = {},
                          .recipient_domain = "dust.example",
                          .hop = route::Discarded{},
                          .origin = "test:2"});
        Carriers carriers{
            .options = std::make_shared<const DispatcherOptions>(options_),
            .router = std::make_shared<const route::Router>(rules_, directory_),
            .sites = std::make_shared<SiteFinder>(*resolver_, random_, SiteFinder::Options{},
                                                  [](const std::string&) -> base::Result<smtp::ClientCredentials> { return {}; }),
            .smtp = std::make_shared<const SmtpCourier>(SmtpCourierOptions{.hello_name = "mx.here.example"}, nullptr, nullptr, pool_, log_),
            .maildir = std::make_shared<const Maildir>(
                MaildirOptions{.path_template = (root_ / "{local}").string(), .hostname = "mx.here.example", .started = clock_.now()})};
        dispatcher_ = std::make_unique<Dispatcher>(DispatcherDependencies{.spool = spool_,
                                                                          .journal = journal_,
                                                                          .log = log_,
                                                                          .clock = clock_,
                                                                          .random = random_,
                                                                          .ids = ids_,
                                                                          .loops = loops_,
                                                                          .pool = pool_,
                                                                          .directory = directory_},
                                                   queue::SchedulerOptions{}, std::move(carriers), loops_.loop(0).get_executor());
        dispatcher_->start();
        loops_.start();
    }
    void stop() { asio::co_spawn(dispatcher_->home(), dispatcher_->async_stop(grace_), asio::use_future).get(); }

    enum class HandOver { now, by_sweep };
    base::MessageId send(std::string_view from, const std::vector<std::string>& to, HandOver hand_over = HandOver::now) {
        const auto id = ids_.next();
        auto draft = spool_.draft(id);
        EXPECT_TRUE(draft->append("Subject: test\r\n\r\nHello.\r\n"));
        spool::Envelope envelope;
        if (!from.empty()) envelope.sender.mailbox = mailbox(from);
        envelope.wishes = wishes_;
        envelope.junk = junk_;
        for (const auto& one : to) {
            spool::Recipient recipient;
            recipient.mailbox = mailbox(one);
            recipient.state.due = clock_.now();
            recipient.state.standing = standing_;
            envelope.recipients.push_back(std::move(recipient));
        }
        spool_.commit(std::move(draft), std::move(envelope), [&](base::Result<spool::StoredMessage> stored) {
            if (hand_over == HandOver::now) dispatcher_->accept(*std::move(stored));
        });
        return id;
    }
    std::optional<spool::RecipientState> state(base::MessageId id, std::size_t index = 0) {
        auto loaded = spool_.memory.load(id);
        if (!loaded) return std::nullopt;
        return loaded->envelope.recipients.at(index).state;
    }
    bool deferred(base::MessageId id, std::uint32_t attempts, std::size_t index = 0) {
        const auto now = state(id, index);
        return now && now->standing == Standing::waiting && now->attempts >= attempts && now->due > clock_.now();
    }
    bool gone(base::MessageId id) { return !spool_.memory.load(id); }
    bool all_gone() { return spool_.stats().messages == 0 && active() == 0; }
    std::size_t active() {
        return asio::co_spawn(
                   dispatcher_->home(), [](Dispatcher& of) -> asio::awaitable<std::size_t> { co_return of.active(); }(*dispatcher_),
                   asio::use_future)
            .get();
    }
    base::Result<std::size_t> change(base::MessageId id, Change what) {
        return asio::co_spawn(dispatcher_->home(), dispatcher_->async_change(id, what), asio::use_future).get();
    }
    /// The messages in somebody's mailbox.
    std::vector<std::string> mail_of(const std::string& local) {
        std::vector<std::string> found;
        std::error_code none_yet;
        for (const auto& entry : fs::directory_iterator(root_ / local / "new", none_yet)) {
            std::ifstream in(entry.path(), std::ios::binary);
            found.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
        }
        return found;
    }

    fs::path root_;
    std::string dns_ = "127.0.0.1:1";
    std::chrono::milliseconds grace_ = std::chrono::seconds(10);
    support::FakeClock clock_;
    support::FakeRandom random_;
    support::MemoryDirectory directory_{"mx.here.example"};
    FaultySpool spool_;
    support::MemoryJournal journal_;
    base::NullLog log_;
    base::MessageIdSource ids_{clock_, 0, {}};
    net::Loops loops_{2};
    net::BlockingPool pool_{2};
    spool::Wishes wishes_;  // of what is sent
    Standing standing_ = Standing::waiting;
    bool junk_ = false;
    DispatcherOptions options_;
    std::vector<route::RouteRule> rules_;
    std::unique_ptr<net::Resolver> resolver_;
    std::unique_ptr<Dispatcher> dispatcher_;
};

TEST_F(DispatcherTest, PutsMailForOurOwnIntoTheirMailboxes) {
    start();
    send("carl@there.example", {"anna@here.example", "bob+tag@here.example"});
    EXPECT_TRUE(eventually([&] { return all_gone(); }));
    EXPECT_EQ(mail_of("anna").size(), 1);
    EXPECT_EQ(mail_of("bob").size(), 1);
    EXPECT_THAT(mail_of("anna").front(), HasSubstr("Hello."));
}

TEST_F(DispatcherTest, LeavesWhatIsHeldFromTheBeginningUntilItIsReleased) {
    start();
    standing_ = Standing::held;
    const auto held = send("carl@there.example", {"anna@here.example"});
    standing_ = Standing::waiting;
    send("carl@there.example", {"bob@here.example"});
    EXPECT_TRUE(eventually([&] { return mail_of("bob").size() == 1; }));
    EXPECT_EQ(state(held)->standing, Standing::held);
    EXPECT_EQ(mail_of("anna").size(), 0U);
    EXPECT_TRUE(change(held, Change::release));
    EXPECT_TRUE(eventually([&] { return all_gone(); }));
    EXPECT_EQ(mail_of("anna").size(), 1U);
}

TEST_F(DispatcherTest, PutsJunkIntoAFolderOfItsOwn) {
    start();
    junk_ = true;
    send("carl@there.example", {"anna@here.example"});
    EXPECT_TRUE(eventually([&] { return all_gone(); }));
    EXPECT_EQ(mail_of("anna").size(), 0U);
    EXPECT_EQ(mail_of("anna/.Junk").size(), 1U);
}

TEST_F(DispatcherTest, BringsWhatLiesInTheSpool) {
    start();
    for (int k = 0; k < 600; ++k) send("carl@there.example", {"anna@here.example"}, HandOver::by_sweep);
    EXPECT_TRUE(eventually([&] { return all_gone(); }));
    EXPECT_EQ(mail_of("anna").size(), 600);
}

TEST_F(DispatcherTest, BringsBackFreshMailForWhichThereWasNoRoom) {
    options_.active_messages = 4;
    start();
    for (int k = 0; k < 100; ++k) send("carl@there.example", {"anna@here.example"});
    EXPECT_TRUE(eventually([&] { return all_gone(); }));
    EXPECT_EQ(mail_of("anna").size(), 100);
}

TEST_F(DispatcherTest, ReplacesAliasesByTheirTargetsOnce) {
    directory_.add_alias("team@here.example", {"anna@here.example", "bob@here.example", "inner@here.example"});
    directory_.add_alias("inner@here.example", {"bob@here.example", "team@here.example"});
    start();
    send("carl@there.example", {"team@here.example", "anna@here.example", "inner@here.example"});
    EXPECT_TRUE(eventually([&] { return all_gone(); }));
    EXPECT_EQ(mail_of("anna").size(), 1);
    EXPECT_EQ(mail_of("bob").size(), 1);
}

TEST_F(DispatcherTest, EndsAliasesThatLeadOnWithoutEnd) {
    options_.alias_depth = 3;
    for (int k = 0; k < 5; ++k)
        directory_.add_alias("a" + std::to_string(k) + "@here.example", {"a" + std::to_string(k + 1) + "@here.example"});
    start();
    const auto id = send("anna@here.example", {"a0@here.example"});
    EXPECT_TRUE(eventually([&] { return gone(id) && all_gone(); }));
    ASSERT_EQ(mail_of("anna").size(), 1);
    EXPECT_THAT(mail_of("anna").front(), AllOf(HasSubstr("5.4.6"), HasSubstr("a0@here.example")));
}

TEST_F(DispatcherTest, WritesManyBouncesInTurn) {
    start();
    for (int k = 0; k < 100; ++k) send("anna@here.example", {"nobody@here.example"});
    EXPECT_TRUE(eventually([&] { return all_gone() && mail_of("anna").size() == 100; }));
}

TEST_F(DispatcherTest, AnAliasWhoseTargetsCannotBeRecordedStays) {
    directory_.add_alias("team@here.example", {"anna@here.example"});
    start();
    spool_.failing_updates = true;
    const auto id = send("carl@there.example", {"team@here.example"});
    EXPECT_TRUE(eventually([&] { return spool_.update_calls > 0 && active() == 0; }));
    EXPECT_TRUE(mail_of("anna").empty());
    ASSERT_TRUE(state(id));
    EXPECT_EQ(state(id)->standing, Standing::waiting);
    spool_.failing_updates = false;
}

TEST_F(DispatcherTest, CarriesToAHostAndKeepsTheConnectionForTheNext) {
    ScriptedPeer peer({kHello + kTaken + kTaken + kTaken + kQuit});
    start(peer.port());
    for (int k = 0; k < 3; ++k) {
        const auto id = send("anna@here.example", {"carl@there.example"});
        EXPECT_TRUE(eventually([&] { return gone(id); })) << k;
    }
    EXPECT_TRUE(eventually([&] { return all_gone(); }));
    stop();
    peer.finish();
    EXPECT_EQ(peer.wire().size(), 1);
}

TEST_F(DispatcherTest, TriesAgainWhatWasDeferred) {
    ScriptedPeer peer({kBusy, kHello + kTaken + kQuit});
    start(peer.port());
    const auto id = send("anna@here.example", {"carl@there.example"});
    ASSERT_TRUE(eventually([&] { return deferred(id, 1); }));
    EXPECT_EQ(state(id)->due, clock_.now() + std::chrono::minutes(5));
    EXPECT_THAT(state(id)->last_status, HasSubstr("busy"));
    EXPECT_THAT(state(id)->site, HasSubstr("127.0.0.1"));
    clock_.advance(std::chrono::minutes(5));
    EXPECT_TRUE(eventually([&] { return gone(id) && all_gone(); }));
    EXPECT_TRUE(mail_of("anna").empty());
}

TEST_F(DispatcherTest, SettlesEachRecipientForItself) {
    ScriptedPeer peer({kBusy, kHello + kTaken + kQuit});
    start(peer.port());
    const auto id = send("anna@here.example", {"bob@here.example", "carl@there.example"});
    ASSERT_TRUE(eventually([&] { return deferred(id, 1, 1) && mail_of("bob").size() == 1; }));
    EXPECT_TRUE(eventually([&] { return state(id, 0)->standing == Standing::delivered; }));
    clock_.advance(std::chrono::minutes(6));
    EXPECT_TRUE(eventually([&] { return gone(id) && all_gone(); }));
    EXPECT_EQ(mail_of("bob").size(), 1);
}

TEST_F(DispatcherTest, TellsTheSenderOfAFailureFromTheNullPath) {
    start();
    const auto id = send("anna@here.example", {"nobody@here.example", "bob@here.example"});
    EXPECT_TRUE(eventually([&] { return gone(id) && all_gone(); }));
    ASSERT_EQ(mail_of("anna").size(), 1);
    EXPECT_THAT(mail_of("anna").front(), AllOf(HasSubstr("Return-Path: <>"), HasSubstr("nobody@here.example"), HasSubstr("5.1.1"),
                                               HasSubstr("Subject: test"), Not(HasSubstr("Hello."))));
    EXPECT_EQ(mail_of("bob").size(), 1);
}

TEST_F(DispatcherTest, NeverAnswersABounceWithABounce) {
    start();
    const auto id = send("", {"nobody@here.example"});
    EXPECT_TRUE(eventually([&] { return gone(id) && all_gone(); }));
    EXPECT_EQ(spool_.stats().commits, 1);
    const auto bounced = send("lost@here.example", {"nobody@here.example"});  // the bounce's recipient is unknown too
    EXPECT_TRUE(eventually([&] { return gone(bounced) && all_gone(); }));
    EXPECT_EQ(spool_.stats().commits, 3);
}

TEST_F(DispatcherTest, KeepsAFailureUntilItsBounceIsStored) {
    start();
    const auto id = send("anna@here.example", {"nobody@here.example"}, HandOver::by_sweep);
    spool_.memory.refuse_commits(base::ErrorKind::full);
    ASSERT_TRUE(eventually([&] { return gone(id) || deferred(id, 1); }));
    spool_.memory.refuse_commits({});
    clock_.advance(std::chrono::minutes(6));
    EXPECT_TRUE(eventually([&] { return gone(id) && all_gone(); }));
    EXPECT_EQ(mail_of("anna").size(), 1);
}

TEST_F(DispatcherTest, BouncesWhatIsTooOld) {
    ScriptedPeer peer(std::vector<std::string>(20, kBusy));
    options_.retry.lifetime = std::chrono::minutes(12);
    start(peer.port());
    const auto id = send("anna@here.example", {"carl@there.example"});
    for (std::uint32_t attempt = 1; attempt <= 2; ++attempt) {
        ASSERT_TRUE(eventually([&] { return deferred(id, attempt); })) << attempt;
        clock_.set(state(id)->due);
    }
    EXPECT_TRUE(eventually([&] { return gone(id) && all_gone(); }));
    ASSERT_EQ(mail_of("anna").size(), 1);
    EXPECT_THAT(mail_of("anna").front(), AllOf(HasSubstr("5.4.7"), HasSubstr("busy")));
}

TEST_F(DispatcherTest, TellsOfADelayOnce) {
    ScriptedPeer peer(std::vector<std::string>(20, kBusy));
    options_.delay_notice = std::chrono::minutes(8);
    start(peer.port());
    const auto id = send("anna@here.example", {"carl@there.example"});
    for (std::uint32_t attempt = 1; attempt <= 4; ++attempt) {
        ASSERT_TRUE(eventually([&] { return deferred(id, attempt); })) << attempt;
        EXPECT_TRUE(eventually([&] { return mail_of("anna").size() == (attempt < 2 ? 0U : 1U); })) << attempt;
        clock_.set(state(id)->due);
    }
    EXPECT_THAT(mail_of("anna").front(), HasSubstr("Action: delayed"));
}

TEST_F(DispatcherTest, TellsOfADelayOnceWhenAnAttemptComesLate) {
    ScriptedPeer peer(std::vector<std::string>(20, kBusy));
    options_.delay_notice = std::chrono::minutes(8);
    start(peer.port());
    const auto id = send("anna@here.example", {"carl@there.example"});
    for (std::uint32_t attempt = 1; attempt <= 3; ++attempt) {
        ASSERT_TRUE(eventually([&] { return deferred(id, attempt); })) << attempt;
        EXPECT_TRUE(eventually([&] { return mail_of("anna").size() == (attempt < 2 ? 0U : 1U); })) << attempt;
        clock_.set(state(id)->due + std::chrono::minutes(4));
    }
    EXPECT_THAT(mail_of("anna").front(), HasSubstr("Action: delayed"));
}

TEST_F(DispatcherTest, GivesBackWhatItsSenderDoesNotWantLate) {
    ScriptedPeer peer(std::vector<std::string>(20, kBusy));
    start(peer.port());
    const auto deadline = clock_.now() + std::chrono::minutes(7);
    wishes_.deliver_by = spool::DeliverBy{.deadline = deadline, .after = spool::DeliverBy::After::give_back};
    const auto id = send("anna@here.example", {"carl@there.example"});
    ASSERT_TRUE(eventually([&] { return deferred(id, 1); }));
    clock_.set(state(id)->due);
    ASSERT_TRUE(eventually([&] { return deferred(id, 2); }));
    EXPECT_EQ(state(id)->due, deadline);
    wishes_ = {};
    clock_.set(deadline);
    ASSERT_TRUE(eventually([&] { return gone(id) && mail_of("anna").size() == 1; }));
    EXPECT_THAT(mail_of("anna").front(), AllOf(HasSubstr("Action: failed"), HasSubstr("Status: 5.4.7")));
}

TEST_F(DispatcherTest, TellsOnceThatItsSendersTimeIsOverAndGoesOn) {
    ScriptedPeer peer(std::vector<std::string>(20, kBusy));
    start(peer.port());
    const auto deadline = clock_.now() + std::chrono::minutes(7);
    wishes_.deliver_by = spool::DeliverBy{.deadline = deadline, .after = spool::DeliverBy::After::notify};
    const auto id = send("anna@here.example", {"carl@there.example"});
    for (std::uint32_t attempt = 1; attempt <= 5; ++attempt) {
        ASSERT_TRUE(eventually([&] { return deferred(id, attempt); })) << attempt;
        EXPECT_TRUE(eventually([&] { return mail_of("anna").size() == (attempt < 3 ? 0U : 1U); })) << attempt;
        if (attempt == 2) EXPECT_EQ(state(id)->due, deadline);
        clock_.set(state(id)->due);
    }
    EXPECT_THAT(mail_of("anna").front(), HasSubstr("Action: delayed"));
}

TEST_F(DispatcherTest, TellsThatNobodyKeepsTheTimeFromHereOn) {
    ScriptedPeer peer({kHello + kTaken + kQuit});
    start(peer.port());
    wishes_.deliver_by = spool::DeliverBy{.deadline = clock_.now() + std::chrono::minutes(7), .after = spool::DeliverBy::After::notify};
    const auto id = send("anna@here.example", {"carl@there.example"});
    ASSERT_TRUE(eventually([&] { return gone(id) && mail_of("anna").size() == 1; }));
    EXPECT_THAT(mail_of("anna").front(), HasSubstr("Action: relayed"));
}

TEST_F(DispatcherTest, ThrowsAwayOnlyWhatARouteSays) {
    start();
    const auto id = send("anna@here.example", {"x@dust.example"});
    EXPECT_TRUE(eventually([&] { return gone(id) && all_gone(); }));
    EXPECT_TRUE(mail_of("anna").empty());
    EXPECT_THAT(journal_.story(), HasSubstr("discarded"));
}

TEST_F(DispatcherTest, DefersWhileTheDirectoryFails) {
    start();
    directory_.fail_with({base::ErrorKind::disk, "the disk failed"});
    const auto id = send("carl@there.example", {"anna@here.example"});
    EXPECT_TRUE(eventually([&] { return deferred(id, 1); }));
    directory_.works_again();
    clock_.advance(std::chrono::minutes(6));
    EXPECT_TRUE(eventually([&] { return gone(id); }));
    EXPECT_EQ(mail_of("anna").size(), 1);
}

TEST_F(DispatcherTest, DoesNotDeliverAgainWhatItCouldNotRecord) {
    start();
    spool_.failing_updates = true;
    const auto id = send("carl@there.example", {"anna@here.example"});
    EXPECT_TRUE(eventually([&] { return spool_.update_calls > 0; }));
    const auto second = send("carl@there.example", {"bob@here.example"}, HandOver::by_sweep);  // shows that sweeps went by
    EXPECT_TRUE(eventually([&] { return mail_of("bob").size() == 1; }));
    EXPECT_EQ(active(), 2) << "what is not recorded stays under way";
    EXPECT_FALSE(gone(id));
    EXPECT_FALSE(gone(second));
    EXPECT_EQ(mail_of("anna").size(), 1);
}

TEST_F(DispatcherTest, GoesOnSweepingAfterAnException) {
    spool_.throwing_loads = 2;
    options_.sweep_anew = std::chrono::milliseconds(20);
    start();
    send("carl@there.example", {"anna@here.example"}, HandOver::by_sweep);
    const auto later = send("carl@there.example", {"bob@here.example"}, HandOver::by_sweep);
    EXPECT_TRUE(eventually([&] { return spool_.throwing_loads <= 0; }));
    const auto last = send("carl@there.example", {"bob@here.example"}, HandOver::by_sweep);
    EXPECT_TRUE(eventually([&] { return gone(last); }));
    EXPECT_TRUE(eventually([&] { return gone(later) && all_gone(); }));
    EXPECT_EQ(mail_of("anna").size(), 1);
}

TEST_F(DispatcherTest, ComesBackToWhatCouldNotBeLoaded) {
    spool_.failing_loads = 1;
    options_.sweep_anew = std::chrono::milliseconds(20);
    start();
    const auto id = send("carl@there.example", {"anna@here.example"}, HandOver::by_sweep);
    EXPECT_TRUE(eventually([&] { return gone(id); }));
}

TEST_F(DispatcherTest, DefersWhatIsDamagedOnTheDiskAndBouncesItInTheEnd) {
    spool_.damaged = true;
    options_.retry.lifetime = std::chrono::minutes(12);
    start();
    const auto id = send("anna@here.example", {"bob@here.example", "carl@there.example"}, HandOver::by_sweep);
    ASSERT_TRUE(eventually([&] { return deferred(id, 1) && deferred(id, 1, 1) && active() == 0; }));
    EXPECT_THAT(state(id)->last_status, HasSubstr("damaged"));
    for (int k = 0; k < 20 && !gone(id); ++k) {
        clock_.advance(std::chrono::minutes(6));
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    ASSERT_TRUE(eventually([&] { return gone(id); }));
    ASSERT_TRUE(eventually([&] { return mail_of("anna").size() == 1 && all_gone(); })) << "one report for both";
    EXPECT_THAT(mail_of("anna").front(), AllOf(HasSubstr("bob@here.example"), HasSubstr("carl@there.example"), HasSubstr("damaged")));
    EXPECT_TRUE(mail_of("bob").empty());
}

TEST_F(DispatcherTest, AsksTheNextHopOfARecipient) {
    const auto rcpt = [](const char* reply) {
        return kHello + "C: MAIL FROM:<>\nC: RCPT TO:<carl@there.example>\nS: 250 ok\nS: " + reply + "\n" + kQuit;
    };
    ScriptedPeer peer({rcpt("250 2.1.5 ok"), rcpt("550 5.1.1 nobody"), rcpt("553 what"), rcpt("550 5.7.1 you are blocked"),
                       rcpt("451 4.7.1 greylisted"), kHello + "C: MAIL\nC: RCPT\nS: 550 5.1.8 no bounces\nS: 503 no MAIL\n" + kQuit,
                       kBusy});
    start(peer.port());
    const auto ask = [this](const char* recipient) {
        return asio::co_spawn(dispatcher_->home(), dispatcher_->async_ask_next_hop(mailbox(recipient)), asio::use_future).get();
    };
    EXPECT_EQ(ask("anna@here.example").error().kind, base::ErrorKind::invalid) << "nobody else keeps it";
    EXPECT_EQ(ask("carl@there.example"), true);
    EXPECT_EQ(ask("carl@there.example"), false);
    EXPECT_EQ(ask("carl@there.example"), false);
    for (const auto* why : {"you are blocked", "greylisted", "MAIL FROM:<> was refused", "busy"})
        EXPECT_THAT(ask("carl@there.example").error().detail, HasSubstr(why));
    EXPECT_EQ(active(), 0U);
}

TEST_F(DispatcherTest, HoldsReleasesAndDeletes) {
    ScriptedPeer peer({kBusy, kHello + kTaken});
    start(peer.port());
    const auto id = send("anna@here.example", {"carl@there.example"});
    ASSERT_TRUE(eventually([&] { return deferred(id, 1) && active() == 0; }));
    EXPECT_EQ(change(id, Change::hold), 1);
    EXPECT_EQ(change(id, Change::hold), 0);
    EXPECT_EQ(change(id, Change::retry), 0);
    clock_.advance(std::chrono::hours(1));
    EXPECT_EQ(state(id)->standing, Standing::held);
    EXPECT_EQ(change(id, Change::release), 1);
    EXPECT_TRUE(eventually([&] { return gone(id); }));
    EXPECT_FALSE(change(id, Change::remove)) << "there is no such message any more";

    const auto unwanted = send("anna@here.example", {"carl@there.example"});
    peer.finish();
    ASSERT_TRUE(eventually([&] { return deferred(unwanted, 1) && active() == 0; }));
    EXPECT_EQ(change(unwanted, Change::remove), 1);
    EXPECT_TRUE(gone(unwanted));
    EXPECT_TRUE(mail_of("anna").empty());
}

TEST_F(DispatcherTest, ANameWhoseServersAreSilentHoldsUpNobodyElse) {
    const test::DnsServer silent([](const auto&) { return std::nullopt; });
    ScriptedPeer peer({kHello + kTaken + kQuit});
    dns_ = silent.address();
    start(peer.port());
    const auto id = send("anna@here.example", {"carl@silent.example", "dora@mute.example", "bob@here.example", "carl@there.example"});
    EXPECT_TRUE(eventually([&] { return state(id, 2)->standing == Standing::delivered && state(id, 3)->standing == Standing::delivered; }));
    EXPECT_EQ(state(id, 0)->attempts, 0);
    EXPECT_EQ(state(id, 1)->attempts, 0);
    EXPECT_TRUE(eventually([&] { return silent.queries() >= 2; })) << "both names are asked for at once";
}

TEST_F(DispatcherTest, ASlowSiteLeavesRoomForOthers) {
    asio::io_context nobody;
    const asio::ip::tcp::acceptor silent(nobody, {asio::ip::address_v4::loopback(), 0});  // connects, but nobody greets
    options_.active_messages = 30;
    grace_ = std::chrono::milliseconds(0);
    start(silent.local_endpoint().port());
    std::vector<base::MessageId> ids;
    for (int k = 0; k < 60; ++k) ids.push_back(send("anna@here.example", {"carl@there.example"}));
    std::vector<spool::RecipientState> away;
    EXPECT_TRUE(eventually([&] {
        away.clear();
        for (const auto id : ids)
            if (deferred(id, 0)) away.push_back(*state(id));
        return away.size() >= 30;
    }));
    EXPECT_THAT(away.back().last_status, HasSubstr("in line"));
    EXPECT_EQ(away.back().attempts, 0) << "it was not tried";
    EXPECT_EQ(away.back().site, away.front().site);
    const auto other = send("anna@here.example", {"bob@here.example"});
    EXPECT_TRUE(eventually([&] { return gone(other); }));
    EXPECT_LT(active(), 30);
}

TEST_F(DispatcherTest, PutsOffWhatComesForASiteAtRestToTheEndOfIt) {
    ScriptedPeer peer(std::vector<std::string>(5, kBusy));
    options_.retry.steps = {std::chrono::seconds(1)};
    start(peer.port());
    const auto first = send("anna@here.example", {"carl@there.example"});
    ASSERT_TRUE(eventually([&] { return deferred(first, 1) && active() == 0; }));
    const auto second = send("anna@here.example", {"carl@there.example"});
    ASSERT_TRUE(eventually([&] { return deferred(second, 1); }));
    EXPECT_THAT(state(second)->last_status, HasSubstr("could be reached lately"));
    EXPECT_EQ(state(second)->due, clock_.now() + std::chrono::seconds(30));
}

TEST_F(DispatcherTest, TriesASiteAtRestWhenTheOperatorAsks) {
    ScriptedPeer peer({kBusy, kBusy, kBusy, kBusy, kBusy, kHello + kTaken + kQuit});
    start(peer.port());
    const auto id = send("anna@here.example", {"carl@there.example"});
    for (std::uint32_t attempt = 1; attempt <= 5; ++attempt) {
        ASSERT_TRUE(eventually([&] { return deferred(id, attempt) && active() == 0; })) << attempt;
        EXPECT_THAT(state(id)->last_status, HasSubstr("busy")) << attempt;
        EXPECT_EQ(change(id, Change::retry), 1);
    }
    EXPECT_TRUE(eventually([&] { return gone(id); }));
}

TEST_F(DispatcherTest, SurvivesChangesWhileMailIsUnderWay) {
    start();
    std::vector<base::MessageId> ids;
    for (int k = 0; k < 50; ++k) ids.push_back(send("", {"anna@here.example", "bob@here.example", "nobody@here.example"}));
    const Change all[] = {Change::hold, Change::retry, Change::release};
    for (int k = 0; k < 300; ++k) std::ignore = change(ids[static_cast<std::size_t>(k) % ids.size()], all[k % 3]);
    for (const auto id : ids) std::ignore = change(id, Change::release);
    EXPECT_TRUE(eventually([&] {
        for (const auto id : ids) std::ignore = change(id, Change::release);
        return all_gone();
    }));
    EXPECT_EQ(mail_of("anna").size(), 50);
    EXPECT_EQ(mail_of("bob").size(), 50);
}

TEST_F(DispatcherTest, StopsWhileAServerIsSilentAndLeavesTheMailInTheSpool) {
    ScriptedPeer peer({kHello + kTaken + kQuit, "H:\n"});
    start(peer.port());
    const auto first = send("anna@here.example", {"carl@there.example"});
    EXPECT_TRUE(eventually([&] { return gone(first); }));
    stop();
    const auto late = send("anna@here.example", {"carl@there.example", "bob@here.example"});
    EXPECT_EQ(active(), 0);
    EXPECT_EQ(state(late)->standing, Standing::waiting);
    EXPECT_TRUE(mail_of("bob").empty());
}

TEST_F(DispatcherTest, StopRecordsWhatHasEnded) {
    start();
    for (int k = 0; k < 50; ++k) send("carl@there.example", {"anna@here.example"});
    stop();
    EXPECT_EQ(mail_of("anna").size() + spool_.stats().messages, 50);
}

}  // namespace
}  // namespace thurn::delivery
