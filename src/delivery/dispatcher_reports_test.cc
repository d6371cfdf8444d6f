// What senders are told: bounces, delays, and deliveries that had to be in time.
#include "support/dispatcher_fixture.h"

namespace thurn::delivery {
namespace {

TEST_F(DispatcherTest, TellsTheSenderOfAFailureFromTheNullPath) {
    start();
    const auto id = send("anna@here.example", {"nobody@here.example", "bob@here.example"});
    EXPECT_TRUE(eventually([&] { return gone(id) && all_gone(); }));
    ASSERT_EQ(mail_of("anna").size(), 1);
    EXPECT_THAT(mail_of("anna").front(), AllOf(HasSubstr("Return-Path: <>"), HasSubstr("nobody@here.example"), HasSubstr("5.1.1"),
                                               HasSubstr("Subject: test"), Not(HasSubstr("Hello."))));
    EXPECT_EQ(mail_of("bob").size(), 1);
}

TEST_F(DispatcherTest, AReportIsAsUrgentAsWhatItIsAbout) {
    ScriptedPeer peer(
        {"S: 220 mx\nC: EHLO\nS: 250-mx\nS: 250 MT-PRIORITY\nC: MAIL FROM:<> MT-PRIORITY=4\nS: 250 ok\nC: RCPT TO:<carl@there.example>\n"
         "S: 250 ok\nC: DATA\nS: 354 go\nD:\nS: 250 2.0.0 taken\nC: QUIT\n"});
    start(peer.port());
    wishes_.priority = 4;
    const auto id = send("carl@there.example", {"nobody@here.example"});
    EXPECT_TRUE(eventually([&] { return gone(id) && all_gone(); }));
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

TEST_F(DispatcherTest, WritesManyBouncesInTurn) {
    start();
    for (int k = 0; k < 100; ++k) send("anna@here.example", {"nobody@here.example"});
    EXPECT_TRUE(eventually([&] { return all_gone() && mail_of("anna").size() == 100; }));
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

}  // namespace
}  // namespace thurn::delivery
