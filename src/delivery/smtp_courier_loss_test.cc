// Hosts that do not answer, fail or hang up: what goes on to the next, and what may not.
#include "support/smtp_courier_fixture.h"

#include <chrono>
#include <thread>

namespace thurn::delivery {
namespace {

const std::string kEndlessReplyText = [] {
    std::string script = "S: 220 mx\nC: EHLO\n";
    for (int k = 0; k < 200; ++k) script += "S: 250-and more\n";
    return script + "H:\n";
}();
const char* const kEndlessReply = kEndlessReplyText.c_str();

struct OpeningCase {
    const char* name;
    const char* script;
    const char* status;
};
class SmtpOpeningTest : public SmtpCourierTest, public testing::WithParamInterface<OpeningCase> {};

TEST_P(SmtpOpeningTest, GoesOnToTheNextHost) {
    options_.greeting_timeout = options_.command_timeout = std::chrono::seconds(1);
    ScriptedPeer first({GetParam().script});
    ScriptedPeer second({kHello + kEnvelope + kContent + kQuit});
    add(message());
    EXPECT_EQ(carry({&first, &second}), queue::SiteOutcome::worked);
    EXPECT_EQ(outcome().kind, Kind::delivered);
    EXPECT_EQ(outcome().remote_host, "mx2.example");
    EXPECT_THAT(results(), ElementsAre("connection failed", "delivered"));
    EXPECT_THAT(source_->attempts[0].host, StartsWith("mx1.example "));
    EXPECT_FALSE(source_->attempts[0].replies.at(0).empty());
}

TEST_P(SmtpOpeningTest, DefersWhenThereIsNoOther) {
    options_.greeting_timeout = options_.command_timeout = std::chrono::seconds(1);
    ScriptedPeer only({GetParam().script});
    add(message("x\r\n", 2));
    EXPECT_EQ(carry({&only}), queue::SiteOutcome::unreachable);
    EXPECT_EQ(outcome(0, 0).kind, Kind::deferred);
    EXPECT_EQ(outcome(0, 1).kind, Kind::deferred);
    EXPECT_THAT(outcome().status, StartsWith(GetParam().status));
}

INSTANTIATE_TEST_SUITE_P(
    Openings, SmtpOpeningTest,
    testing::Values(OpeningCase{"Greeting421", "S: 421 4.3.2 busy\nH:\n", "421 4.3.2 busy"},
                    OpeningCase{"Greeting450", "S: 450 later\nH:\n", "450 later"},
                    OpeningCase{"Greeting554", "S: 554 5.7.1 go away\nH:\n", "451 4.7.1 mx1.example [127.0.0.1]:"},
                    OpeningCase{"ClosesAtOnce", "", "451 4.4.2 mx1.example "}, OpeningCase{"Resets", "R:\n", "451 4.4."},
                    OpeningCase{"Silent", "H:\n", "451 4.4.2 mx1.example "},
                    OpeningCase{"SpeaksHttp", "S: HTTP/1.1 400 Bad Request\nH:\n", "451 4.5.0 mx1.example "},
                    OpeningCase{"SilentAfterEhlo", "S: 220 mx\nC: EHLO\nH:\n", "451 4.4.2 mx1.example "},
                    OpeningCase{"Ehlo421", "S: 220 mx\nC: EHLO\nS: 421 4.3.2 closing\n", "421 4.3.2 closing"},
                    OpeningCase{"ClosesInTheEhloReply", "S: 220 mx\nC: EHLO\nS: 250-mx\ns: 250-PIP\n", "451 4.4.2 mx1.example "},
                    OpeningCase{"EndlessLine",
                                "S: 220 mx\nC: EHLO\ns: 250-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\nH:\n",
                                "451 4.4.2 mx1.example "},
                    OpeningCase{"OneOctetNowAndThen", "S: 220 mx\nC: EHLO\nP: 2\n", "451 4.4.2 mx1.example "},
                    OpeningCase{"EndlessReply", kEndlessReply, "451 4.5.0 mx1.example "},
                    OpeningCase{"TwoCodes", "S: 220 mx\nC: EHLO\nS: 250-mx\nS: 550 mx\nH:\n", "451 4.5.0 mx1.example "}),
    [](const auto& row) { return std::string(row.param.name); });

TEST_F(SmtpCourierTest, RefusedConnectionGoesOnToTheNextHost) {
    ScriptedPeer gone({});
    const auto port = gone.port();
    gone.finish();
    add_host(port, "dead.example");
    ScriptedPeer peer({kHello + kEnvelope + kContent + kEnvelope + kContent + kQuit});
    add(message());
    add(message());
    carry({&peer});
    EXPECT_EQ(outcome().kind, Kind::delivered);
    EXPECT_THAT(results(), ElementsAre("connection failed", "delivered", "delivered"));
    EXPECT_THAT(source_->attempts[0].replies.at(0), StartsWith("451 4.4.1 cannot connect to 127.0.0.1:"));
}

TEST_F(SmtpCourierTest, AllParcelsAtHandAreDeferredWhenNoHostIsThere) {
    ScriptedPeer gone({});
    const auto port = gone.port();
    gone.finish();
    add_host(port, "dead.example");
    add_host(port, "dead.example");
    for (int k = 0; k < 3; ++k) add(message());
    EXPECT_EQ(carry({}), queue::SiteOutcome::unreachable);
    EXPECT_EQ(source_->settlements.size(), 3U);
    for (std::size_t k = 0; k < 3; ++k) EXPECT_EQ(outcome(k).kind, Kind::deferred);
    EXPECT_EQ(source_->attempts.size(), 2U) << "one per host, not per parcel";
    EXPECT_EQ(source_->marked, 0);
}

struct LossCase {
    const char* name;
    const char* script;  // behind the hello
};
class SmtpLossTest : public SmtpCourierTest, public testing::WithParamInterface<LossCase> {};

TEST_P(SmtpLossTest, BeforeTheDotGoesOnToTheNextHost) {
    options_.command_timeout = std::chrono::seconds(1);
    ScriptedPeer first({kHello + GetParam().script});
    ScriptedPeer second({kHello + kEnvelope + kContent + kQuit});
    add(message());
    EXPECT_EQ(carry({&first, &second}), queue::SiteOutcome::worked);
    EXPECT_EQ(outcome().kind, Kind::delivered);
    EXPECT_EQ(outcome().remote_host, "mx2.example");
    EXPECT_THAT(results(), ElementsAre("connection failed", "delivered"));
}

INSTANTIATE_TEST_SUITE_P(Losses, SmtpLossTest,
                         testing::Values(LossCase{"ClosesAfterMail", "C: MAIL\n"}, LossCase{"ResetsAfterMail", "C: MAIL\nR:\n"},
                                         LossCase{"ClosesBefore354", "C: MAIL\nC: RCPT\nC: DATA\nS: 250 ok\nS: 250 ok\n"},
                                         LossCase{"HangsAfterData", "C: MAIL\nC: RCPT\nC: DATA\nS: 250 ok\nS: 250 ok\nH:\n"},
                                         LossCase{"421ToMail", "C: MAIL\nS: 421 4.3.2 closing\n"},
                                         LossCase{"421ToData", "C: MAIL\nC: RCPT\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 421 4.3.2 closing\n"},
                                         LossCase{"Garbage", "C: MAIL\nS: what?\nH:\n"}, LossCase{"354ToMail", "C: MAIL\nS: 354 go\nH:\n"},
                                         LossCase{"250ToData", "C: MAIL\nC: RCPT\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 250 ok\nH:\n"}),
                         [](const auto& row) { return std::string(row.param.name); });

TEST_F(SmtpCourierTest, RecipientRefusedBeforeTheLossIsNotAskedAgain) {
    ScriptedPeer first({kHello + "C: MAIL\nC: RCPT\nC: RCPT\nC: DATA\nS: 250 ok\nS: 550 5.1.1 who\nS: 421 4.3.2 closing\n"});
    ScriptedPeer second({kHello + "C: MAIL\nC: RCPT TO:<bob1@\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 354 go\n" + kContent + kQuit});
    add(message("x\r\n", 2));
    carry({&first, &second});
    EXPECT_EQ(outcome(0, 0).kind, Kind::failed);
    EXPECT_EQ(outcome(0, 1).kind, Kind::delivered);
}

TEST_F(SmtpCourierTest, LostAfterTheDotIsDeferredAndNotSentElsewhere) {
    for (const char* end : {"D:\n", "D:\nR:\n", "D:\ns: 250 2.0.0 tak\n", "D:\nS: 421 4.3.2 closing\n", "D:\nS: rubbish\n", "D:\nH:\n"}) {
        source_ = std::make_shared<FakeSource>();
        destination_ = {};
        options_.ending_timeout = std::chrono::seconds(1);
        ScriptedPeer first({kHello + kEnvelope + end});
        ScriptedPeer second({});
        add(message());
        carry({&first, &second});
        EXPECT_EQ(outcome().kind, Kind::deferred) << end;
        EXPECT_THAT(results(), ElementsAre("deferred")) << end;
        EXPECT_EQ(source_->settlements.size(), 1U);
    }
}

TEST_F(SmtpCourierTest, HostLostAfterTheDotIsNotTriedWithTheNextParcel) {
    ScriptedPeer first({kHello + kEnvelope + "D:\n"});
    ScriptedPeer second({kHello + kEnvelope + kContent + kQuit});
    add(message());
    add(message());
    EXPECT_EQ(carry({&first, &second}), queue::SiteOutcome::worked);
    EXPECT_EQ(outcome(0).kind, Kind::deferred);
    EXPECT_THAT(outcome(0).status, StartsWith("451 4.4.2 "));
    EXPECT_THAT(outcome(0).status, HasSubstr("may have been delivered"));
    EXPECT_EQ(outcome(1).remote_host, "mx2.example");
}

TEST_F(SmtpCourierTest, KeptConnectionThatDiedIsReplacedWithoutBlame) {
    for (const char* end : {"", "C: MAIL\nS: 421 4.4.2 idle\n", "R:\n"}) {
        source_ = std::make_shared<FakeSource>();
        destination_ = {};
        ScriptedPeer peer({kHello + kEnvelope + kContent + end, kHello + kEnvelope + kContent + kQuit});
        add(message());
        add(message());
        EXPECT_EQ(carry({&peer}), queue::SiteOutcome::worked);
        EXPECT_EQ(outcome(1).kind, Kind::delivered) << end;
        EXPECT_THAT(results(), ElementsAre("delivered", "connection failed", "delivered")) << end;
    }
}

TEST_F(SmtpCourierTest, HostThatEndsEachConnectionAfterOneMessageIsSparedTheSecond) {
    const std::string once = kHello + kEnvelope + kContent;
    ScriptedPeer peer({once + "C: MAIL\nS: 421 4.7.0 one message only\n", once + kQuit, once + kQuit});
    for (int k = 0; k < 3; ++k) add(message());
    carry({&peer});
    EXPECT_EQ(outcome(2).kind, Kind::delivered);
    EXPECT_THAT(results(), ElementsAre("delivered", "connection failed", "delivered", "delivered"));
}

TEST_F(SmtpCourierTest, HostsGetANewChanceAfterSuccess) {
    ScriptedPeer peer({kHello + kEnvelope + kContent + kEnvelope + "D:\n", kHello + kEnvelope + kContent + kQuit});
    for (int k = 0; k < 3; ++k) add(message());
    EXPECT_EQ(carry({&peer}), queue::SiteOutcome::worked);
    EXPECT_EQ(outcome(0).kind, Kind::delivered);
    EXPECT_EQ(outcome(1).kind, Kind::deferred);
    EXPECT_EQ(outcome(2).kind, Kind::delivered);
}

TEST_F(SmtpCourierTest, PeerThatDoesNotReadEndsAtTheDeadline) {
    options_.content_timeout = std::chrono::seconds(1);
    ScriptedPeer peer({kHello + kEnvelope + "!:\n"}, nullptr, [this] {
        // Lingers until the courier has given up.
        for (int waited = 0; waited < 500 && !given_up_; ++waited) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    });
    add(message(std::make_shared<HeldContent>(std::string(900'000, 'x') + std::string(20 << 20, 'y'), HeldContent::Where::disk)));
    carry({&peer});
    EXPECT_EQ(outcome().kind, Kind::deferred);
}

TEST_F(SmtpCourierTest, EachReplyOfAPipelineHasItsOwnLimit) {
    options_.greeting_timeout = options_.command_timeout = options_.content_timeout = options_.ending_timeout = std::chrono::seconds(30);
    const std::string mail = kHello + "C: MAIL\nC: RCPT\nC: DATA\nS: 250 ok\n";
    for (const auto& [limit, script] : {std::pair(&options_.rcpt_timeout, mail), std::pair(&options_.data_timeout, mail + "S: 250 ok\n")}) {
        options_.rcpt_timeout.reset();
        *limit = std::chrono::seconds(1);
        ScriptedPeer peer({script + "H:\n"});
        destination_.hosts.addresses.clear();
        source_ = std::make_shared<FakeSource>();
        add(message());
        carry({&peer});
        EXPECT_EQ(outcome().kind, Kind::deferred);
        EXPECT_LT(source_->attempts.at(0).took, std::chrono::seconds(10));
    }
}

}  // namespace
}  // namespace thurn::delivery
