#include "dns/dns.h"

#include "support/dns_packet.h"

#include <gtest/gtest.h>

namespace thurn::dns {
namespace {

using namespace std::string_literals;
using test::be16;
using test::be32;
using test::character_string;
using test::mx_rdata;
using test::pointer;
using test::soa_rdata;
using test::wire_name;

constexpr unsigned kA = 1, kCname = 5, kSoa = 6, kPtr = 12, kMx = 15, kTxt = 16, kAaaa = 28, kTlsa = 52;
constexpr unsigned kQuestionName = 12;  // its offset in a packet

test::PacketBuilder ok(std::string_view question, Type type) { return {7, 0, question, static_cast<unsigned>(type)}; }

Answer parse(const test::PacketBuilder& builder, const Question& question) {
    auto answer = parse_answer(builder.packet(), question);
    EXPECT_TRUE(answer.has_value()) << answer.error().detail;
    return answer ? *answer : Answer{};
}

void expect_syntax_error(const test::PacketBuilder& builder, const Question& question) {
    const auto answer = parse_answer(builder.packet(), question);
    ASSERT_FALSE(answer.has_value());
    EXPECT_EQ(answer.error().kind, base::ErrorKind::syntax) << answer.error().detail;
}

TEST(DnsAnswer, GivesAddresses) {
    const auto four =
        parse(ok("a.example", Type::a).answer("A.Example", kA, 300, "\xc0\x00\x02\x01"s).answer("a.example", kA, 60, "\xc0\x00\x02\x02"s),
              {"a.example", Type::a});
    EXPECT_EQ(four.status, Status::ok);
    EXPECT_EQ(four.records, (std::vector<Record>{Ipv4{{192, 0, 2, 1}}, Ipv4{{192, 0, 2, 2}}}));
    EXPECT_EQ(four.ttl, std::chrono::seconds(60));
    EXPECT_EQ(four.canonical_name, "a.example");
    EXPECT_FALSE(four.secure);
    const auto six = parse(ok("a.example", Type::aaaa).answer_raw(pointer(kQuestionName), kAaaa, 300, std::string(15, '\0') + '\1'),
                           {"a.example", Type::aaaa});
    EXPECT_EQ(six.records, (std::vector<Record>{Ipv6{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}}}));
}

TEST(DnsAnswer, GivesMxWithCompressedExchange) {
    const auto answer =
        parse(ok("example.org", Type::mx)
                  .answer_raw(pointer(kQuestionName), kMx, 300, be16(10) + character_string("MX1") + pointer(kQuestionName)),
              {"example.org", Type::mx});
    EXPECT_EQ(answer.records, (std::vector<Record>{Mx{10, "mx1.example.org"}}));
}

TEST(DnsAnswer, GivesNullMxAsAnEmptyExchange) {
    const auto answer = parse(ok("example.org", Type::mx).answer("example.org", kMx, 300, mx_rdata(0, ".")), {"example.org", Type::mx});
    EXPECT_EQ(answer.records, (std::vector<Record>{Mx{0, ""}}));
}

TEST(DnsAnswer, JoinsTextStrings) {
    const std::string long_string(255, 'x');
    const auto answer =
        parse(ok("example.org", Type::txt)
                  .answer("example.org", kTxt, 300, character_string(long_string) + character_string("") + character_string("\0\xff"s)),
              {"example.org", Type::txt});
    EXPECT_EQ(answer.records, (std::vector<Record>{Text{long_string + "\0\xff"s}}));
}

TEST(DnsAnswer, BearsATextWithoutStrings) {
    const auto answer = parse(ok("example.org", Type::txt).answer("example.org", kTxt, 300, "").answer("example.org", kTxt, 300, "\1a"),
                              {"example.org", Type::txt});
    EXPECT_EQ(answer.records, (std::vector<Record>{Text{""}, Text{"a"}}));
}

TEST(DnsAnswer, LeavesOtherTypesAsTheyAre) {
    for (const auto& rdata : {""s, "\x03"s, "\x03\x01"s, "\x03\x01\x01"s, "\x03\x01\x01\xab"s}) {  // judged by who knows TLSA
        const auto answer =
            parse(ok("_25._tcp.a.example", Type::tlsa).answer("_25._tcp.a.example", kTlsa, 300, rdata), {"_25._tcp.a.example", Type::tlsa});
        EXPECT_EQ(answer.records, (std::vector<Record>{Opaque{rdata}}));
    }
}

TEST(DnsAnswer, FollowsAliasesInAnyOrder) {
    auto builder = ok("www.example", Type::a);
    builder.answer("c.example", kA, 300, "\xc0\x00\x02\x01"s)
        .answer("b.example", kCname, 20, wire_name("c.example"))
        .answer("www.example", kCname, 300, wire_name("b.example"));
    const auto answer = parse(builder, {"www.example", Type::a});
    EXPECT_EQ(answer.status, Status::ok);
    EXPECT_EQ(answer.canonical_name, "c.example");
    EXPECT_EQ(answer.ttl, std::chrono::seconds(20));
    EXPECT_EQ(parse(builder, {"www.example", Type::cname}).records, (std::vector<Record>{NameRecord{"b.example"}}))
        << "asked for the alias itself";
}

TEST(DnsAnswer, RefusesALoopOfAliases) {
    expect_syntax_error(ok("a.example", Type::a)
                            .answer("a.example", kCname, 300, wire_name("b.example"))
                            .answer("b.example", kCname, 300, wire_name("a.example")),
                        {"a.example", Type::a});
    expect_syntax_error(ok("a.example", Type::a).answer("a.example", kCname, 300, wire_name("a.example")), {"a.example", Type::a});
}

TEST(DnsAnswer, TellsAnAliasThatLeadsNowhere) {
    auto builder = ok("a.example", Type::a);
    builder.answer("a.example", kCname, 300, wire_name("b.example")).authority("example", kSoa, 900, soa_rdata(30));
    const auto answer = parse(builder, {"a.example", Type::a});
    EXPECT_EQ(answer.status, Status::no_data);
    EXPECT_EQ(answer.canonical_name, "b.example");
    EXPECT_EQ(answer.ttl, std::chrono::seconds(30)) << "RFC 2308 §5";
}

TEST(DnsAnswer, TellsNoNameFromNoDataAndFailure) {
    const Question question{"a.example", Type::mx};
    EXPECT_EQ(parse({1, 3, "a.example", kMx}, question).status, Status::no_name);
    EXPECT_EQ(parse({1, 0, "a.example", kMx}, question).status, Status::no_data);
    for (const unsigned code : {1U, 2U, 4U, 5U, 9U, 15U}) {
        const auto answer = parse({1, code, "a.example", kMx}, question);
        EXPECT_EQ(answer.status, Status::failed) << code;
        EXPECT_FALSE(answer.detail.empty());
    }
    EXPECT_EQ(parse(test::PacketBuilder(1, 0, "a.example", kMx).flags(0x0200), question).status, Status::failed) << "truncated";
}

TEST(DnsAnswer, IgnoresRecordsOfOtherNamesTypesAndClasses) {
    auto builder = ok("a.example", Type::a);
    builder.answer("evil.example", kA, 300, "\x06\x06\x06\x06"s)
        .answer("a.example", kTxt, 300, "malformed TXT"s)
        .answer("a.example", kAaaa, 300, "short"s);
    EXPECT_EQ(parse(builder, {"a.example", Type::a}).status, Status::no_data);
    std::string chaos = ok("a.example", Type::a).answer("a.example", kA, 300, "\x06\x06\x06\x06"s).packet();
    chaos[chaos.size() - 11] = '\3';  // the class
    EXPECT_EQ(parse_answer(chaos, {"a.example", Type::a})->status, Status::no_data);
}

TEST(DnsAnswer, TreatsALifetimeWithTheHighBitAsZero) {
    EXPECT_EQ(parse(ok("a.example", Type::a).answer("a.example", kA, 0x80000001U, "\x01\x02\x03\x04"s), {"a.example", Type::a}).ttl,
              std::chrono::seconds(0));
}

TEST(DnsAnswer, EscapesOctetsNoHostNameHas) {
    const std::string odd = character_string("a\0.\xff\"( \\\r\n"s) + character_string("EXAMPLE") + '\0';
    const auto answer = parse(ok("1.2.0.192.in-addr.arpa", Type::ptr).answer("1.2.0.192.in-addr.arpa", kPtr, 300, odd),
                              {"1.2.0.192.in-addr.arpa", Type::ptr});
    EXPECT_EQ(answer.records, (std::vector<Record>{NameRecord{R"(a\000\046\255\034\040\032\092\013\010.example)"}}));
}

struct RdataCase {
    const char* name;
    Type type;
    std::string rdata;
};
class MalformedRdataTest : public testing::TestWithParam<RdataCase> {};

TEST_P(MalformedRdataTest, IsRefused) {
    const auto& [name, type, rdata] = GetParam();
    expect_syntax_error(
        ok("a.example", type).answer("a.example", static_cast<unsigned>(type), 300, rdata).answer("b.example", kA, 300, "more"),
        {"a.example", type});
}

INSTANTIATE_TEST_SUITE_P(
    , MalformedRdataTest,
    testing::Values(RdataCase{"ShortA", Type::a, "\1\2\3"}, RdataCase{"LongA", Type::a, "\1\2\3\4\5"}, RdataCase{"EmptyA", Type::a, ""},
                    RdataCase{"ShortAaaa", Type::aaaa, "\1\2\3\4"}, RdataCase{"EmptyMx", Type::mx, ""},
                    RdataCase{"MxWithoutExchange", Type::mx, be16(10)}, RdataCase{"MxCutInExchange", Type::mx, be16(10) + "\3mx"s},
                    RdataCase{"MxWithoutRoot", Type::mx, be16(10) + "\2mx"s},
                    RdataCase{"MxWithMoreBehind", Type::mx, mx_rdata(10, "mx.example") + "x"},
                    RdataCase{"MxHalfAPointer", Type::mx, be16(10) + "\xc0"s}, RdataCase{"TxtCut", Type::txt, "\5abc"s},
                    RdataCase{"TxtSecondCut", Type::txt, "\1a\2b"s}, RdataCase{"EmptyPtr", Type::ptr, ""},
                    RdataCase{"PtrReservedLabel", Type::ptr,
                              "\x40"
                              "a\0"s},
                    RdataCase{"PtrOtherReservedLabel", Type::ptr,
                              "\x80"
                              "a\0"s},
                    RdataCase{"PtrForwardPointer", Type::ptr, pointer(0x3fff)}, RdataCase{"CnameEmpty", Type::cname, ""}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(DnsAnswer, RefusesCompressionLoops) {
    const Question question{"a.example", Type::ptr};
    const std::string whole = ok("a.example", Type::ptr).packet();
    const auto here = static_cast<unsigned>(whole.size());
    expect_syntax_error(ok("a.example", Type::ptr).answer_raw(pointer(here), kPtr, 1, ""), question);
    expect_syntax_error(ok("a.example", Type::ptr).answer_raw("\1x"s + pointer(here), kPtr, 1, ""), question);
    expect_syntax_error(ok("a.example", Type::ptr).answer_raw(pointer(here + 40), kPtr, 1, std::string(60, '\0')), question);
    std::string hops = whole;  // each pointer to the one before it: backwards, but too many
    hops[7] = '\1';
    std::string staircase = pointer(kQuestionName);
    for (unsigned at = 0; at < 500; ++at) staircase += pointer(here + 11 + 2 * at);
    expect_syntax_error(
        ok("a.example", Type::ptr).answer_raw("\0"s, kTxt, 1, staircase).answer_raw(pointer(here + 11 + 2 * 500), kPtr, 1, "\0"s),
        question);
}

TEST(DnsAnswer, RefusesNamesTooLong) {
    std::string name;
    for (int label = 0; label < 4; ++label) name += character_string(std::string(63, 'a'));
    expect_syntax_error(ok("a.example", Type::ptr).answer("a.example", kPtr, 1, name + '\0'), {"a.example", Type::ptr});
    name.resize(name.size() - 64);
    name += character_string(std::string(61, 'a'));
    const auto longest = parse(ok("a.example", Type::ptr).answer("a.example", kPtr, 1, name + '\0'), {"a.example", Type::ptr});
    EXPECT_EQ(std::get<NameRecord>(longest.records.at(0)).target.size(), 253U);
    std::string many;
    for (int label = 0; label < 127; ++label) many += "\1a"s;
    EXPECT_EQ(parse(ok("a.example", Type::ptr).answer("a.example", kPtr, 1, many + '\0'), {"a.example", Type::ptr}).records.size(), 1U);
    expect_syntax_error(ok("a.example", Type::ptr).answer("a.example", kPtr, 1, many + "\1a\0"s), {"a.example", Type::ptr});
}

TEST(DnsAnswer, IsRefusedWhereverItIsCut) {
    auto builder = ok("www.example", Type::mx);
    builder.answer_raw(pointer(kQuestionName), kCname, 300, character_string("b") + pointer(16))
        .answer("b.example", kMx, 300, mx_rdata(10, "mx.example"))
        .authority("example", kSoa, 300, soa_rdata(60));
    const std::string packet = builder.packet();
    ASSERT_EQ(parse_answer(packet, {"www.example", Type::mx})->records, (std::vector<Record>{Mx{10, "mx.example"}}));
    for (std::size_t cut = 0; cut < packet.size(); ++cut) {
        const std::string part = packet.substr(0, cut);  // its own allocation, so that ASan sees a read beyond it
        EXPECT_FALSE(parse_answer(part, {"www.example", Type::mx}).has_value()) << "cut at " << cut;
    }
}

TEST(DnsAnswer, RefusesQuestionsAndNamesThatAreNone) {
    std::string query = ok("a.example", Type::a).packet();
    query[2] = '\1';
    EXPECT_FALSE(parse_answer(query, {"a.example", Type::a}).has_value());
    for (const auto* name : {"a..b", ".a", "a\\", "a\\25", "a\\256"})
        EXPECT_FALSE(parse_answer(ok("a.example", Type::a).packet(), {name, Type::a}).has_value()) << name;
}

TEST(DnsName, ReadsBackWhatItRenders) {
    for (const auto* text :
         {"", "a", "a.b.example", R"(\000\255\046.x)", "_25._tcp.mx.example", "*.example", "0/25.2.0.192.in-addr.arpa"}) {
        const auto name = parse_name(text);
        ASSERT_TRUE(name.has_value()) << text;
        EXPECT_EQ(render_name(*name), text);
    }
    EXPECT_EQ(parse_name("A.Example."), parse_name("a.example"));
    EXPECT_EQ(parse_name("."), parse_name(""));
    EXPECT_EQ(render_name(parse_name(R"(\.\a)").value()), R"(\046a)");
    EXPECT_FALSE(parse_name("..").has_value());
    EXPECT_EQ(parse_name(std::string(64, 'a')).error().kind, base::ErrorKind::too_long);
}

struct Ipv6Case {
    std::array<std::uint16_t, 8> groups;
    const char* text;
};

TEST(Ipv6Text, IsAsRfc5952HasIt) {
    for (const auto& [groups, text] :
         {Ipv6Case{{0, 0, 0, 0, 0, 0, 0, 0}, "::"}, Ipv6Case{{0, 0, 0, 0, 0, 0, 0, 1}, "::1"}, Ipv6Case{{1, 0, 0, 0, 0, 0, 0, 0}, "1::"},
          Ipv6Case{{0x2001, 0xdb8, 0, 0, 1, 0, 0, 1}, "2001:db8::1:0:0:1"},
          Ipv6Case{{0x2001, 0xdb8, 0, 1, 1, 1, 1, 1}, "2001:db8:0:1:1:1:1:1"}, Ipv6Case{{0x2001, 0, 0, 1, 0, 0, 0, 1}, "2001:0:0:1::1"},
          Ipv6Case{{0xfe80, 0, 0, 0, 0xabcd, 0x0ef0, 0x10, 0xffff}, "fe80::abcd:ef0:10:ffff"},
          Ipv6Case{{0, 0, 0, 0, 0, 0xffff, 0xc000, 0x0201}, "::ffff:192.0.2.1"}, Ipv6Case{{0, 1, 2, 3, 4, 5, 6, 7}, "0:1:2:3:4:5:6:7"},
          Ipv6Case{{1, 2, 3, 4, 5, 6, 0, 0}, "1:2:3:4:5:6::"}}) {
        Ipv6 address;
        for (std::size_t at = 0; at < 8; ++at) {
            address.octets[2 * at] = static_cast<std::uint8_t>(groups[at] >> 8U);
            address.octets[2 * at + 1] = static_cast<std::uint8_t>(groups[at] & 0xffU);
        }
        EXPECT_EQ(render_ipv6(address), text);
    }
}

TEST(ReverseNames, AreUnderArpa) {
    EXPECT_EQ(render_ipv4({{192, 0, 2, 1}}), "192.0.2.1");
    EXPECT_EQ(reverse_name(Ipv4{{1, 2, 3, 4}}), "4.3.2.1.in-addr.arpa");
    Ipv6 address;  // 2001:db8::567:89ab, the example of RFC 3596 §2.5 in another prefix
    address.octets = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0x05, 0x67, 0x89, 0xab};
    EXPECT_EQ(reverse_name(address), "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
}

}  // namespace
}  // namespace thurn::dns
