// Mail on its way: into mailboxes, through aliases, to other hosts, and what an operator changes of it.
#include "support/dispatcher_fixture.h"

#include <tuple>

namespace thurn::delivery {
namespace {

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

TEST_F(DispatcherTest, ThrowsAwayOnlyWhatARouteSays) {
    start();
    const auto id = send("anna@here.example", {"x@dust.example"});
    EXPECT_TRUE(eventually([&] { return gone(id) && all_gone(); }));
    EXPECT_TRUE(mail_of("anna").empty());
    EXPECT_THAT(journal_.story(), HasSubstr("discarded"));
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

}  // namespace
}  // namespace thurn::delivery
