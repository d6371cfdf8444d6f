#include "milter/answer.h"

#include "milter/protocol.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace thurn::milter {
namespace {

using namespace std::string_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using Kind = Verdict::Kind;

struct AnswerCase {
    const char* name;
    char word;
    std::string payload;
    Said said;
};
class AnswerTest : public testing::TestWithParam<AnswerCase> {};

TEST_P(AnswerTest, IsRead) {
    const auto& row = GetParam();
    const auto said = parse_answer({row.word, row.payload});
    ASSERT_TRUE(said) << said.error().detail;
    EXPECT_EQ(*said, row.said);
}

INSTANTIATE_TEST_SUITE_P(
    Every, AnswerTest,
    testing::Values(
        AnswerCase{"Continue", 'c', "", Verdict{Kind::proceed}}, AnswerCase{"Accept", 'a', "", Verdict{Kind::accept}},
        AnswerCase{"Discard", 'd', "", Verdict{Kind::discard}}, AnswerCase{"Reject", 'r', "", Verdict{Kind::reject}},
        AnswerCase{"Tempfail", 't', "", Verdict{Kind::tempfail}}, AnswerCase{"Skip", 's', "", Verdict{Kind::skip}},
        AnswerCase{"ConnectionFailed", 'f', "", Verdict{Kind::connection_failed}},
        AnswerCase{"ShutDown", '4', "", Verdict{Kind::shut_down}}, AnswerCase{"VerdictWithNul", 'c', "\0"s, Verdict{Kind::proceed}},
        AnswerCase{"Progress", 'p', "", Progress{}},
        AnswerCase{"Reply", 'y', "550 5.7.1 no 100%%\0"s, Verdict{Kind::reply, ReplyText{550, mail::EnhancedStatus{5, 7, 1}, {"no 100%"}}}},
        AnswerCase{"ReplyOfLines", 'y', "451-4.7.1 not\r\n451 4.7.1 now\0"s,
                   Verdict{Kind::reply, ReplyText{451, mail::EnhancedStatus{4, 7, 1}, {"not", "now"}}}},
        AnswerCase{"ReplyWithoutStatus", 'y', "554 no\0"s, Verdict{Kind::reply, ReplyText{554, std::nullopt, {"no"}}}},
        AnswerCase{"ReplyOfACodeAlone", 'y', "421\0"s, Verdict{Kind::reply, ReplyText{421, std::nullopt, {""}}}},
        AnswerCase{"StatusOfAnotherClassIsText", 'y', "550 4.7.1 x\0"s, Verdict{Kind::reply, ReplyText{550, std::nullopt, {"4.7.1 x"}}}},
        AnswerCase{"AddHeader", 'h', "X-A\0b c\0"s, Change(AddHeader{"X-A", "b c"})},
        AnswerCase{"InsertHeader", 'i', "\0\0\0\1X-A\0b\0"s, Change(InsertHeader{1, "X-A", "b"})},
        AnswerCase{"ChangeHeader", 'm', "\0\0\0\2X-A\0\0"s, Change(ChangeHeader{2, "X-A", ""})},
        AnswerCase{"ChangeHeaderZeroIsTheFirst", 'm', "\0\0\0\0X-A\0b\0"s, Change(ChangeHeader{1, "X-A", "b"})},
        AnswerCase{"ChangeSender", 'e', "<a@b.example>\0"s, Change(ChangeSender{"<a@b.example>", ""})},
        AnswerCase{"ChangeSenderWithParameters", 'e', "<>\0RET=HDRS\0"s, Change(ChangeSender{"<>", "RET=HDRS"})},
        AnswerCase{"AddRecipient", '+', "<a@b.example>\0"s, Change(AddRecipient{"<a@b.example>", ""})},
        AnswerCase{"AddRecipientWithParameters", '2', "a@b.example\0NOTIFY=NEVER\0"s, Change(AddRecipient{"a@b.example", "NOTIFY=NEVER"})},
        AnswerCase{"RemoveRecipient", '-', "<a@b.example>\0"s, Change(RemoveRecipient{"<a@b.example>"})},
        AnswerCase{"ReplaceBody", 'b', "new\0body"s, Change(ReplaceBody{"new\0body"s})},
        AnswerCase{"Quarantine", 'q', "virus\0"s, Change(Quarantine{"virus"})}),
    [](const auto& row) { return std::string(row.param.name); });

struct BadAnswer {
    const char* name;
    char word;
    std::string payload;
    const char* told;
};
class BadAnswerTest : public testing::TestWithParam<BadAnswer> {};

TEST_P(BadAnswerTest, IsRefusedAndNamed) {
    const auto& row = GetParam();
    const auto said = parse_answer({row.word, row.payload});
    ASSERT_FALSE(said);
    EXPECT_THAT(said.error().detail, HasSubstr(row.told));
}

INSTANTIATE_TEST_SUITE_P(
    Every, BadAnswerTest,
    testing::Values(BadAnswer{"NoWord", 'Z', "", "octet 90"}, BadAnswer{"VerdictWithMore", 'c', "x", "a verdict"},
                    BadAnswer{"ReplyOfSuccess", 'y', "250 ok\0"s, "4xx or 5xx"}, BadAnswer{"ReplyWithoutCode", 'y', "5x0 no\0"s, "a code"},
                    BadAnswer{"ReplyOfFourDigits", 'y', "5500 no\0"s, "a code"},
                    BadAnswer{"ReplyOfTwoCodes", 'y', "550-a\r\n551 b\0"s, "several codes"},
                    BadAnswer{"ReplyWithControlOctets", 'y', "550 a\x1b[2J\0"s, "printable"},
                    BadAnswer{"ReplyWithABareCr", 'y', "550 a\r250 b\0"s, "printable"}, BadAnswer{"ReplyCutOff", 'y', "550 a", "cut off"},
                    BadAnswer{"ReplyTooLong", 'y', "550 " + std::string(981, 'x') + "\0"s, "too long"},
                    BadAnswer{"HeaderCutOff", 'h', "X-A\0b"s, "added header"}, BadAnswer{"HeaderGoesOn", 'h', "X-A\0b\0c"s, "added header"},
                    BadAnswer{"HeaderNameEmpty", 'h', "\0b\0"s, "a name"},
                    BadAnswer{"HeaderNameWithColon", 'i', "\0\0\0\0X:\0b\0"s, "a name"},
                    BadAnswer{"HeaderNameWithLineEnd", 'm', "\0\0\0\1X\r\nY\0b\0"s, "a name"},
                    BadAnswer{"InsertWithoutIndex", 'i', "\0\0\0"s, "inserted header"},
                    BadAnswer{"RecipientCutOff", '+', "<a@b>", "recipient"}, BadAnswer{"SenderGoesOn", 'e', "a\0b\0c\0"s, "sender"},
                    BadAnswer{"QuarantineCutOff", 'q', "", "quarantine"}, BadAnswer{"NegotiationCutOff", 'O', "\0\0\0\6"s, "negotiation"},
                    BadAnswer{"MacrosOfNoStage", 'O', "\0\0\0\6\0\0\0\0\0\0\0\0\0\0\0\7i\0"s, "a stage"},
                    BadAnswer{"MacrosCutOff", 'O', "\0\0\0\6\0\0\0\0\0\0\0\0\0\0\0\1i"s, "negotiation"}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(Answer, ReadsAnAgreementWithMacros) {
    const auto said = parse_answer({'O', "\0\0\0\6\0\0\1\x3f\0\x10\0\0\0\0\0\0{client_addr}, j\0\0\0\0\5\0"s});
    ASSERT_TRUE(said);
    const auto& agreement = std::get<Agreement>(*said);
    EXPECT_EQ(agreement.version, 6U);
    EXPECT_EQ(agreement.actions, 0x13fU);
    EXPECT_EQ(agreement.steps, step::leading_space);
    ASSERT_EQ(agreement.macros.size(), kStages);
    EXPECT_THAT(*agreement.macros[0], ElementsAre("{client_addr}", "j"));
    EXPECT_FALSE(agreement.macros[1]);
    EXPECT_THAT(*agreement.macros[5], ElementsAre());
}

TEST(ReplyText, HasLimits) {
    std::string lines;
    for (int k = 0; k < 33; ++k) lines += "550-x\r\n";
    EXPECT_EQ(parse_reply_text(lines).error().kind, base::ErrorKind::too_long);
    EXPECT_TRUE(parse_reply_text(lines.substr(7)));
}

}  // namespace
}  // namespace thurn::milter
