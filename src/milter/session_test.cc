#include "milter/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace thurn::milter {
namespace {

using namespace std::string_literals;
using testing::HasSubstr;
using Kind = Verdict::Kind;

std::string packet(char word, std::string_view payload = {}) {
    PacketWriter writer;
    writer.begin(word);
    writer.octets(payload);
    writer.end();
    return writer.take();
}

std::string agreement(std::uint32_t version, std::uint32_t actions, std::uint32_t steps, std::string_view macros = {}) {
    PacketWriter writer;
    writer.begin('O');
    writer.number(version);
    writer.number(actions);
    writer.number(steps);
    writer.octets(macros);
    writer.end();
    return writer.take();
}

/// `D C name value` for each packet, NUL shown as `|`.
std::string shown(std::string_view wire) {
    PacketReader reader(std::size_t{1} << 20);
    reader.receive(wire);
    std::string text;
    while (const auto next = reader.next().value()) {
        text += next->word;
        for (const char c : next->payload) text += c == '\0' ? '|' : c;
        text += '\n';
    }
    return text;
}

/// A session past its negotiation.
Session agreed(std::uint32_t steps = 0, std::string_view macros = {}, std::uint32_t version = 6, Session::Options options = {}) {
    Session session(options);
    session.negotiate();
    EXPECT_TRUE(session.waits());
    std::ignore = session.take_output();
    session.receive(agreement(version, action::all, steps, macros));
    EXPECT_TRUE(std::holds_alternative<Agreement>(session.next().value().value()));
    EXPECT_FALSE(session.waits());
    return session;
}

/// What the filter answers to the open step.
Said answered(Session& session, const std::string& wire) {
    session.receive(wire);
    return session.next().value().value();
}
void proceed(Session& session) {
    EXPECT_TRUE(session.waits());
    EXPECT_EQ(answered(session, packet('c')), Said(Verdict{}));
    EXPECT_FALSE(session.waits());
}

const Macros kMacros{{"j", "mx.here.example"},
                     {"i", "ID"},
                     {"{client_addr}", "192.0.2.1"},
                     {"{mail_addr}", "a@b.example"},
                     {"{rcpt_addr}", "c@d.example"},
                     {"{tls_version}", "TLSv1.3"},
                     {"{odd}", "x"}};

TEST(MilterSession, OffersAllItKnows) {
    Session session;
    session.negotiate();
    EXPECT_EQ(session.take_output(), "\0\0\0\x0dO\0\0\0\6\0\0\1\xff\0\x1f\xf7\xff"s);
}

TEST(MilterSession, SaysEveryStep) {
    auto session = agreed();
    session.connect({.family = Client::Family::ipv4, .name = "client.example", .port = 4711, .address = "192.0.2.1"}, kMacros);
    EXPECT_EQ(shown(session.take_output()),
              "DCj|mx.here.example|{client_addr}|192.0.2.1|\nCclient.example|4\x12\x67"
              "192.0.2.1|\n");
    proceed(session);
    session.helo("he.example", kMacros);
    EXPECT_EQ(shown(session.take_output()), "DH{tls_version}|TLSv1.3|\nHhe.example|\n");
    proceed(session);
    session.mail(std::vector<std::string>{"<a@b.example>", "SIZE=5"}, kMacros);
    EXPECT_EQ(shown(session.take_output()), "DMi|ID|{mail_addr}|a@b.example|\nM<a@b.example>|SIZE=5|\n");
    proceed(session);
    session.rcpt(std::vector<std::string>{"<c@d.example>"}, kMacros);
    EXPECT_EQ(shown(session.take_output()), "DRi|ID|{rcpt_addr}|c@d.example|\nR<c@d.example>|\n");
    proceed(session);
    session.data(kMacros);
    EXPECT_EQ(shown(session.take_output()), "DTi|ID|\nT\n");
    proceed(session);
    session.header("Subject", " a\r\n b\0c"s);
    EXPECT_EQ(shown(session.take_output()), "LSubject|a\n bc|\n");
    proceed(session);
    session.end_of_header(kMacros);
    EXPECT_EQ(shown(session.take_output()), "DNi|ID|\nN\n");
    proceed(session);
    session.body("text\r\n");
    EXPECT_EQ(shown(session.take_output()), "Btext\r\n\n");
    proceed(session);
    session.end_of_message(kMacros);
    EXPECT_EQ(shown(session.take_output()), "DEi|ID|{tls_version}|TLSv1.3|\nE\n");
    EXPECT_EQ(answered(session, packet('p')), Said(Progress{}));
    EXPECT_TRUE(session.waits());
    EXPECT_EQ(answered(session, packet('q', "bad\0"s)), Said(Change(Quarantine{"bad"})));
    proceed(session);
    session.abort();
    session.unknown("VRFY x", kMacros);
    EXPECT_EQ(shown(session.take_output()), "A\nUVRFY x|\n");
    proceed(session);
    session.quit_and_reconnect();
    session.quit();
    EXPECT_EQ(shown(session.take_output()), "K\nQ\n");
    EXPECT_FALSE(session.waits());
}

TEST(MilterSession, LeavesOutWhatIsNotWantedButItsMacros) {
    auto session = agreed(step::no_connect | step::no_helo | step::no_mail | step::no_rcpt | step::no_data | step::no_headers |
                          step::no_end_of_header | step::no_body | step::no_unknown);
    session.connect({}, kMacros);
    session.helo("x", kMacros);
    session.mail(std::vector<std::string>{"<>"}, kMacros);
    session.rcpt(std::vector<std::string>{"<a@b>"}, kMacros);
    session.data(kMacros);
    session.header("A", "b");
    session.end_of_header(kMacros);
    session.body("x");
    session.unknown("x", kMacros);
    EXPECT_FALSE(session.waits());
    EXPECT_EQ(shown(session.take_output()),
              "DCj|mx.here.example|{client_addr}|192.0.2.1|\nDH{tls_version}|TLSv1.3|\nDMi|ID|{mail_addr}|a@b.example|\n"
              "DRi|ID|{rcpt_addr}|c@d.example|\nDTi|ID|\nDNi|ID|\n");
    session.end_of_message({});
    EXPECT_TRUE(session.waits());
}

TEST(MilterSession, DoesNotWaitWhereTheFilterIsSilent) {
    auto session = agreed(step::silent_connect | step::silent_helo | step::silent_mail | step::silent_rcpt | step::silent_data |
                          step::silent_header | step::silent_end_of_header | step::silent_body | step::silent_unknown);
    session.connect({}, {});
    session.helo("x", {});
    session.mail(std::vector<std::string>{"<>"}, {});
    session.rcpt(std::vector<std::string>{"<a@b>"}, {});
    session.data({});
    session.header("A", "b");
    session.end_of_header({});
    session.body("x");
    session.unknown("x", {});
    EXPECT_FALSE(session.waits());
    EXPECT_EQ(shown(session.take_output()), "C|U\nHx|\nM<>|\nR<a@b>|\nT\nLA|b|\nN\nBx\nUx|\n");
}

TEST(MilterSession, KeepsTheSpaceForWhoWantsIt) {
    auto session = agreed(step::leading_space);
    session.header("A", "  b");
    EXPECT_EQ(shown(session.take_output()), "LA|  b|\n");
}

TEST(MilterSession, SendsTheMacrosThatWereAskedFor) {
    auto session = agreed(0, "\0\0\0\2odd {i} {none}\0\0\0\0\1\0"s);
    session.helo("x", kMacros);
    session.mail(std::vector<std::string>{"<>"}, {{"{odd}", "x"}, {"i", "ID"}});
    EXPECT_EQ(shown(session.take_output()), "Hx|\nDM{odd}|x|i|ID|\nM<>|\n");
}

TEST(MilterSession, SpeaksOlderVersions) {
    auto session = agreed(0, {}, 2);
    session.data(kMacros);
    session.unknown("x", kMacros);
    EXPECT_FALSE(session.waits());
    EXPECT_EQ(session.take_output(), "");
}

TEST(MilterSession, ReadsAnswersInEverySplit) {
    const std::string wire = packet('h', "A\0b\0"s) + packet('b', "new") + packet('p') + packet('y', "550 5.7.1 no\0"s);
    for (std::size_t cut = 0; cut <= wire.size(); ++cut) {
        auto session = agreed();
        session.end_of_message({});
        std::vector<Said> said;
        for (const auto& piece : {wire.substr(0, cut), wire.substr(cut)}) {
            session.receive(piece);
            while (auto next = session.next().value()) said.push_back(*std::move(next));
        }
        ASSERT_EQ(said.size(), 4U) << cut;
        EXPECT_EQ(said[1], Said(Change(ReplaceBody{"new"}))) << cut;
        EXPECT_EQ(std::get<Verdict>(said[3]).kind, Kind::reply) << cut;
        EXPECT_FALSE(session.waits());
    }
}

TEST(MilterSession, SkipsTheBodyWhereThatWasAgreed) {
    auto session = agreed(step::skip);
    session.body("x");
    EXPECT_EQ(answered(session, packet('s')), Said(Verdict{Kind::skip}));
}

struct WrongCase {
    const char* name;
    void (*step)(Session&);
    std::string answer;
    const char* told;
};
class WrongAnswerTest : public testing::TestWithParam<WrongCase> {};

TEST_P(WrongAnswerTest, EndsTheSession) {
    auto session = agreed(0, {}, 6, {.most_octets = 1000, .changes = 2, .changed_octets = 100});
    if (GetParam().step) GetParam().step(session);
    session.receive(GetParam().answer);
    base::Result<std::optional<Said>> next = session.next();
    while (next && *next) next = session.next();
    ASSERT_FALSE(next);
    EXPECT_THAT(next.error().detail, HasSubstr(GetParam().told));
    EXPECT_FALSE(session.waits());
    EXPECT_FALSE(session.next()) << "it is dead";
}

constexpr auto kBody = [](Session& session) { session.body("x"); };
constexpr auto kEnd = [](Session& session) { session.end_of_message({}); };

INSTANTIATE_TEST_SUITE_P(
    Every, WrongAnswerTest,
    testing::Values(WrongCase{"ToNothing", nullptr, packet('c'), "to nothing"},
                    WrongCase{"ChangeTooEarly", kBody, packet('h', "A\0b\0"s), "before the end"},
                    WrongCase{"SkipNotAgreed", kBody, packet('s'), "skips"}, WrongCase{"SkipAtTheEnd", kEnd, packet('s'), "skips"},
                    WrongCase{"NegotiationAgain", kBody, agreement(6, 0, 0), "negotiation"},
                    WrongCase{"TooManyChanges", kEnd, packet('q', "\0"s) + packet('q', "\0"s) + packet('q', "\0"s), "more than 2"},
                    WrongCase{"TooMuchBody", kEnd, packet('b', std::string(60, 'x')) + packet('b', std::string(60, 'x')), "100 octets"},
                    WrongCase{"TooLong", kEnd, packet('b', std::string(1000, 'x')), "1001 octets"},
                    WrongCase{"TwoVerdicts", kEnd, packet('c') + packet('c'), "to nothing"},
                    WrongCase{"Rubbish", kBody, "220 mx ESMTP\r\n", "octets, more than"}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(MilterSession, RefusesAgreementsThatCannotBe) {
    for (const auto& [wire, told] : {std::pair{agreement(7, 0, 0), "version 7"},
                                     {agreement(1, 0, 0), "version 1"},
                                     {agreement(6, 0x200, 0), "not offered"},
                                     {packet('c'), "negotiation"}}) {
        Session session;
        session.negotiate();
        session.receive(wire);
        const auto next = session.next();
        ASSERT_FALSE(next) << told;
        EXPECT_THAT(next.error().detail, HasSubstr(told));
    }
}

TEST(MilterSession, RefusesChangesThatWereNotAgreedOn) {
    Session session;
    session.negotiate();
    session.receive(agreement(6, action::add_headers, 0));
    std::ignore = session.next();
    session.end_of_message({});
    EXPECT_TRUE(std::holds_alternative<Change>(answered(session, packet('h', "A\0b\0"s))));
    session.receive(packet('-', "<a@b>\0"s));
    EXPECT_THAT(session.next().error().detail, HasSubstr("agreed"));
}

TEST(MilterSession, CountsChangesOfEachMessageAnew) {
    auto session = agreed(step::no_mail, {}, 6, {.changes = 1});
    for (int k = 0; k < 3; ++k) {
        session.mail(std::vector<std::string>{"<>"}, {});
        session.end_of_message({});
        std::ignore = answered(session, packet('q', "\0"s));
        proceed(session);
    }
}

}  // namespace
}  // namespace thurn::milter
