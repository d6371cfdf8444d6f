#include "inbound/content_gate.h"

#include <gtest/gtest.h>

namespace thurn::inbound {
namespace {

struct GateCase {
    const char* name;
    std::string content;
    std::size_t received;
    bool date;
    bool message_id;
    bool eight_bit;
};

class ContentGateTest : public testing::TestWithParam<GateCase> {};

TEST_P(ContentGateTest, LetsTheSameOctetsThroughForEverySplit) {
    const auto& row = GetParam();
    for (std::size_t cut = 0; cut <= row.content.size(); ++cut) {
        ContentGate gate;
        const std::string_view content = row.content;
        std::string passed;
        passed += gate.feed(content.substr(0, cut));
        passed += gate.feed(content.substr(cut));
        passed += gate.finish();
        EXPECT_EQ(passed, content) << "cut at " << cut;
        EXPECT_TRUE(gate.opened());
        EXPECT_EQ(gate.received_fields(), row.received) << "cut at " << cut;
        EXPECT_EQ(gate.has_date(), row.date) << "cut at " << cut;
        EXPECT_EQ(gate.has_message_id(), row.message_id) << "cut at " << cut;
        EXPECT_EQ(gate.eight_bit(), row.eight_bit) << "cut at " << cut;
    }
}

TEST_P(ContentGateTest, LetsTheSameOctetsThroughOneByOne) {
    const auto& row = GetParam();
    ContentGate gate;
    std::string passed;
    for (const char octet : row.content) passed += gate.feed(std::string_view(&octet, 1));
    passed += gate.finish();
    EXPECT_EQ(passed, row.content);
    EXPECT_EQ(gate.received_fields(), row.received);
}

INSTANTIATE_TEST_SUITE_P(Contents, ContentGateTest,
                         testing::Values(GateCase{"Empty", "", 0, false, false, false},
                                         GateCase{"HeaderAndBody", "Date: now\r\nmessage-id: <a@b>\r\n\r\nbody\r\n", 0, true, true, false},
                                         GateCase{"NoHeader", "\r\nDate: in the body\r\n\r\nx\r\n", 0, false, false, false},
                                         GateCase{"NoBody", "RECEIVED: a\r\nReceived: b\r\n", 2, false, false, false},
                                         GateCase{"Fold", "Received: a\r\n Received: c\r\nDate:\r\n x\r\n\r\nReceived: d\r\n", 1, true,
                                                  false, false},
                                         GateCase{"EightBitBody", "Date: x\r\n\r\n0123456789abcdef\xc3\xa4\r\n", 0, true, false, true},
                                         GateCase{"EightBitHeader", "X: \xff\r\n\r\nbody\r\n", 0, false, false, true},
                                         GateCase{"EmptyLineInTheBody", "A: b\r\n\r\nx\r\n\r\ny\r\n", 0, false, false, false}),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(ContentGate, HoldsTheHeaderBackUntilItIsWhole) {
    ContentGate gate;
    EXPECT_EQ(gate.feed("Subject: x\r\n"), "");
    EXPECT_FALSE(gate.opened());
    EXPECT_EQ(gate.feed("Date: y\r\n\r\nbody"), "Subject: x\r\nDate: y\r\n\r\nbody");
    EXPECT_TRUE(gate.opened());
    EXPECT_EQ(gate.feed(" more"), " more");
    EXPECT_EQ(gate.finish(), "");
}

TEST(ContentGate, PassesAnEndlessHeaderOnAndCountsWhatItSaw) {
    ContentGate gate;
    const std::string field = "Received: from somewhere far away\r\n";
    std::string fed;
    std::string passed;
    while (fed.size() < 200 * 1024) {
        fed += field;
        passed += gate.feed(field);
    }
    EXPECT_TRUE(gate.opened());
    EXPECT_GE(gate.received_fields(), 64 * 1024 / field.size());
    passed += gate.finish();
    EXPECT_EQ(passed, fed);
}

}  // namespace
}  // namespace thurn::inbound
