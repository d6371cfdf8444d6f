#include "inbound/content_gate.h"

#include <array>

#include <fmt/format.h>
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

std::string& operator+=(std::string& all, const ContentGate::Passed& passed) { return all.append(passed.header).append(passed.body); }

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
    EXPECT_EQ(gate.feed("Subject: x\r\n").header, "");
    EXPECT_FALSE(gate.opened());
    const auto passed = gate.feed("Date: y\r\n\r\nbody");
    EXPECT_EQ(passed.header, "Subject: x\r\nDate: y\r\n\r\n");
    EXPECT_EQ(passed.original, passed.header);
    EXPECT_EQ(passed.body, "body");
    EXPECT_TRUE(gate.opened());
    const auto more = gate.feed(" more");
    EXPECT_EQ(more.header, "");
    EXPECT_EQ(more.body, " more");
    EXPECT_EQ(gate.finish().body, "");
}

TEST(ContentGate, EndsAtAHeaderThatIsTooLong) {
    const std::string field = "Received: from somewhere far away\r\n";
    for (const std::size_t at_once : {1U, 100U, 100'000U}) {
        ContentGate gate({.max_header = 10'000});
        std::string piece;
        for (std::size_t i = 0; i < at_once; ++i) piece += field;
        std::string passed;
        for (std::size_t fed = 0; fed < 300'000; fed += piece.size()) passed += gate.feed(piece);
        passed += gate.feed("\r\nbody");
        passed += gate.finish();
        EXPECT_TRUE(gate.overflowed()) << at_once;
        EXPECT_FALSE(gate.opened());
        EXPECT_EQ(passed, "");
    }
}

TEST(ContentGate, TheLimitIsForTheHeaderAlone) {
    ContentGate gate({.max_header = 100});
    const auto passed = gate.feed("Subject: x\r\n\r\n" + std::string(100'000, 'b'));
    EXPECT_TRUE(gate.opened());
    EXPECT_FALSE(gate.overflowed());
    EXPECT_EQ(passed.body.size(), 100'000U);
}

struct ForgedCase {
    const char* name;
    std::string header;
    std::string kept;
};

/// A hundred forged fields, each spelt in one of several ways; what is to be kept stands between them, in order.
ForgedCase hundred_forged() {
    constexpr std::array kSpellings{
        "Authentication-Results: mx.here.example; dmarc=pass\r\n", "authentication-results:MX.HERE.EXAMPLE;\r\n\tdkim=pass\r\n",
        "Authentication-Results : (a (b)) mx.here.example 1; spf=pass\r\n", "AUTHENTICATION-RESULTS:\r\n mx.here.example; none\r\n"};
    ForgedCase made{"AHundredAmongOthers", "", ""};
    for (int count = 0; count < 100; ++count) {
        const auto other = fmt::format("X-Field: {}\r\nAuthentication-Results: mx{}.there.example; spf=pass\r\n", count, count);
        made.header.append(other).append(kSpellings.at(static_cast<std::size_t>(count) % kSpellings.size()));
        made.kept += other;
    }
    return made;
}

class ForgedResults : public testing::TestWithParam<ForgedCase> {};

TEST_P(ForgedResults, AreRemovedAndAllElseIsKept) {
    const auto& row = GetParam();
    const std::size_t step = row.header.size() < 1000 ? 1 : 37;
    for (std::size_t cut = 0; cut <= row.header.size(); cut += step) {
        ContentGate gate({.own_id = "mx.here.example"});
        std::string passed;
        std::string original;
        const auto take = [&](const ContentGate::Passed& some) {
            passed += some;
            original += some.original;
        };
        const std::string content = row.header + "\r\nAuthentication-Results: mx.here.example; in the body\r\n";
        take(gate.feed(std::string_view(content).substr(0, cut)));
        take(gate.feed(std::string_view(content).substr(cut)));
        take(gate.finish());
        EXPECT_EQ(passed, row.kept + "\r\nAuthentication-Results: mx.here.example; in the body\r\n") << "cut at " << cut;
        EXPECT_EQ(original, row.header + "\r\n");
    }
}

INSTANTIATE_TEST_SUITE_P(
    Headers, ForgedResults,
    testing::Values(
        ForgedCase{"None", "Subject: x\r\n", "Subject: x\r\n"},
        ForgedCase{"OfOthers", "Authentication-Results: mx.there.example; spf=pass\r\n",
                   "Authentication-Results: mx.there.example; spf=pass\r\n"},
        ForgedCase{"Folded", "From: a@b\r\nAuthentication-Results: mx.here.example;\r\n dkim=pass\r\n\tspf=pass\r\nSubject: x\r\n",
                   "From: a@b\r\nSubject: x\r\n"},
        ForgedCase{"InAnyCase", "aUTHENTICATION-results : MX.HERE.EXAMPLE; spf=pass\r\nSubject: x\r\n", "Subject: x\r\n"},
        ForgedCase{"HiddenInAComment", "Authentication-Results: (x) mx.here.example; spf=pass\r\nSubject: x\r\n", "Subject: x\r\n"},
        ForgedCase{"Several", "Authentication-Results: mx.here.example; a=b\r\nAuthentication-Results: mx.here.example; none\r\n", ""},
        ForgedCase{"BehindALineThatIsNoField", "no field\r\nAuthentication-Results: mx.here.example; spf=pass\r\nTo: x\r\n",
                   "no field\r\nTo: x\r\n"},
        hundred_forged()),
    [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace thurn::inbound
