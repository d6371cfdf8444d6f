#include "delivery/failure.h"

#include <gtest/gtest.h>

namespace thurn::delivery {
namespace {

struct StatusCase {
    const char* name;
    const char* status;
    std::optional<int> code;
    const char* enhanced;
};
class SplitStatusTest : public testing::TestWithParam<StatusCase> {};

TEST_P(SplitStatusTest, GivesWhatIsThere) {
    const auto parts = split_status(GetParam().status);
    EXPECT_EQ(parts.code, GetParam().code);
    EXPECT_EQ(parts.enhanced, GetParam().enhanced);
}

INSTANTIATE_TEST_SUITE_P(Statuses, SplitStatusTest,
                         testing::Values(StatusCase{"Both", "550 5.1.1 no such user", 550, "5.1.1"},
                                         StatusCase{"NoText", "250 2.0.0", 250, "2.0.0"},
                                         StatusCase{"NoEnhanced", "451 try later", 451, ""}, StatusCase{"CodeAlone", "250", 250, ""},
                                         StatusCase{"ThreeDigits", "421 4.123.456 x", 421, "4.123.456"},
                                         StatusCase{"Words", "discarded by route 1", {}, ""}, StatusCase{"Empty", "", {}, ""},
                                         StatusCase{"LongNumber", "2500 2.0.0", {}, ""}, StatusCase{"Space", " 250", {}, ""}),
                         [](const auto& row) { return std::string(row.param.name); });

struct ProbeCase {
    const char* reply;
    bool no_such_mailbox;
};

TEST(SaysNoSuchMailbox, TellsTheAddressFromTheClientAndTheMoment) {
    const ProbeCase cases[] = {
        {"550 5.1.1 unknown user", true},
        {"550 5.1.2 no such domain here", true},
        {"553 5.1.3 bad local part", true},
        {"551 5.1.6 has moved", true},
        {"556 5.1.10 takes no mail", true},
        {"550 5.4.1 Recipient address rejected: Access denied", true},
        {"554 5.1.1 the status counts", true},
        {"550 No Such User Here", true},
        {"550 #5.1.0 Address rejected.", true},
        {"551 User not local", true},
        {"553 mailbox name not allowed", true},
        {"250 2.1.5 ok", false},
        {"252 cannot verify", false},
        {"450 4.1.1 not verified yet", false},
        {"451 greylisted", false},
        {"550 5.1.0 Sender address rejected", false},
        {"550 5.1.4 ambiguous", false},
        {"550 5.1.7 sender's syntax", false},
        {"550 5.1.8 sender's domain not found", false},
        {"550 5.2.1 mailbox disabled", false},
        {"552 5.2.2 over quota", false},
        {"550 5.3.4 too big", false},
        {"550 5.4.6 loop", false},
        {"550 5.7.1 Service unavailable; client host blocked", false},
        {"554 5.7.1 Relay access denied", false},
        {"550 5.7.25 no reverse DNS", false},
        {"550 4.7.1 code and status contradict each other", false},
        {"450 5.1.1 likewise", false},
        {"552 exceeded storage", false},
        {"554 transaction failed", false},
        {"503 bad sequence", false},
        {"530 5.7.0 STARTTLS first", false},
        {"521 no mail here", false},
    };
    for (const auto& [text, expected] : cases) {
        smtp::ReplyReader reader;
        reader.receive(std::string(text) + "\r\n");
        const auto reply = reader.next();
        ASSERT_TRUE(reply && *reply) << text;
        EXPECT_EQ(says_no_such_mailbox(**reply), expected) << text;
    }
}

}  // namespace
}  // namespace thurn::delivery
