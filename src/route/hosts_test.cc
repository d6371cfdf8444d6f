#include "route/hosts.h"

#include "support/fake_random.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace thurn::route {
namespace {

using dns::Status;
using dns::Type;

Address ip(std::string_view text) {
    auto parsed = parse_address(text);
    EXPECT_TRUE(parsed) << text;
    return parsed.value_or(Address{});
}

/// A small internet: `example.com MX 10 mx.example.com`, one record a line; `NAME TYPE !failed`, `!bogus`, `!no_name` for trouble.
/// A name without any line is NXDOMAIN, one with lines of other types has no data.
class Zone {
public:
    explicit Zone(std::vector<std::string> lines) {
        for (const auto& line : lines) add(line);
    }
    [[nodiscard]] dns::Answer answer(const dns::Question& question) const {
        const auto found = answers_.find(question);
        if (found != answers_.end()) return found->second;
        return {.status = names_.contains(question.name) ? Status::no_data : Status::no_name,
                .records = {},
                .canonical_name = question.name,
                .detail = {}};
    }
    void reverse() {
        for (auto& [question, answer] : answers_) std::ranges::reverse(answer.records);
    }

private:
    void add(const std::string& line) {
        std::vector<std::string> words;
        for (std::size_t at = 0; at < line.size();) {
            const auto end = std::min(line.find(' ', at), line.size());
            words.push_back(line.substr(at, end - at));
            at = end + 1;
        }
        names_.insert(words[0]);
        if (words.size() == 1) return;
        const Type type = words[1] == "MX" ? Type::mx : words[1] == "A" ? Type::a : Type::aaaa;
        auto& answer = answers_[{words[0], type}];
        answer.status = Status::ok;
        answer.canonical_name = words[0];
        if (words[2] == "!failed")
            answer = {.status = Status::failed, .records = {}, .canonical_name = {}, .detail = "server said SERVFAIL"};
        else if (words[2] == "!bogus")
            answer = {.status = Status::bogus, .records = {}, .canonical_name = {}, .detail = "signature expired"};
        else if (words[2] == "!no_name")
            answer.status = Status::no_name;
        else if (type == Type::mx)
            answer.records.emplace_back(dns::Mx{static_cast<std::uint16_t>(std::stoi(words[2])), words.size() > 3 ? words[3] : ""});
        else if (const Address address = ip(words[2]); type == Type::a)
            answer.records.emplace_back(std::get<dns::Ipv4>(address));
        else
            answer.records.emplace_back(std::get<dns::Ipv6>(address));
    }
    std::map<dns::Question, dns::Answer> answers_;
    std::set<std::string> names_;
};

enum class Order { forward, backward };

Hosts drive(HostFinder finder, const Zone& zone, Order order = Order::forward) {
    for (int rounds = 0; !finder.done(); ++rounds) {
        EXPECT_LT(rounds, 5);
        auto questions = finder.questions();
        EXPECT_FALSE(questions.empty());
        if (order == Order::backward) std::ranges::reverse(questions);
        for (const auto& question : questions) finder.answer(question, zone.answer(question));
        if (rounds > 5) break;
    }
    return finder.take();
}

const Ourselves& ourselves() {
    static const Ourselves us{"MX.us.example", {ip("192.0.2.99"), ip("2001:db8::99")}};
    return us;
}

/// `site | host address, … | problem`
std::string told(const Hosts& hosts) {
    std::string text = hosts.site + " |";
    for (const auto& address : hosts.addresses) text += " " + address.host + "=" + render_address(address.address);
    if (hosts.problem) text += std::string(" | ") + (hosts.problem->permanent ? "bounce " : "defer ") + hosts.problem->status;
    return text;
}

struct Case {
    const char* name;
    std::vector<std::string> zone;
    const char* expected;
    HostFinder::Options options = {};
};
class ByMxTest : public testing::TestWithParam<Case> {};

TEST_P(ByMxTest, GivesTheSameForEveryOrderOfAnswers) {
    for (const auto order : {Order::forward, Order::backward})
        for (const bool reversed : {false, true})
            for (std::uint64_t seed = 1; seed < 4; ++seed) {
                support::FakeRandom random(seed);
                Zone zone(GetParam().zone);
                if (reversed) zone.reverse();
                const auto hosts = drive(HostFinder(ByMx{"d.example"}, ourselves(), random, GetParam().options), zone, order);
                EXPECT_EQ(told(hosts), GetParam().expected);
                EXPECT_EQ(hosts.addresses.empty(), hosts.problem.has_value());
                for (const auto& address : hosts.addresses) EXPECT_EQ(address.port, 25);
            }
}

INSTANTIATE_TEST_SUITE_P(
    Rfc5321Section51, ByMxTest,
    testing::Values(
        Case{"OneMx", {"d.example MX 10 a.example", "a.example A 192.0.2.1"}, "MX a.example | a.example=192.0.2.1"},
        Case{"LowestPreferenceFirst",
             {"d.example MX 20 a.example", "d.example MX 10 b.example", "a.example A 192.0.2.1", "b.example A 192.0.2.2"},
             "MX a.example, b.example | b.example=192.0.2.2 a.example=192.0.2.1"},
        Case{"Ipv6First",
             {"d.example MX 10 a.example", "a.example A 192.0.2.1", "a.example AAAA 2001:db8::1"},
             "MX a.example | a.example=2001:db8::1 a.example=192.0.2.1"},
        Case{"Ipv4FirstIfWished",
             {"d.example MX 10 a.example", "a.example A 192.0.2.1", "a.example AAAA 2001:db8::1"},
             "MX a.example | a.example=192.0.2.1 a.example=2001:db8::1",
             {.prefer_ipv4 = true}},
        Case{"Ipv4Only",
             {"d.example MX 10 a.example", "a.example A 192.0.2.1", "a.example AAAA 2001:db8::1"},
             "MX a.example | a.example=192.0.2.1",
             {.ipv6 = false}},
        Case{"Ipv6Only",
             {"d.example MX 10 a.example", "a.example A 192.0.2.1", "a.example AAAA 2001:db8::1"},
             "MX a.example | a.example=2001:db8::1",
             {.ipv4 = false}},
        Case{"NoAddressOfTheFamilyWeHave",
             {"d.example MX 10 a.example", "a.example AAAA 2001:db8::1"},
             " | | defer 451 4.4.4 no host of d.example has an IPv4 address",
             {.ipv6 = false}},
        Case{"NoMxButAddress", {"d.example A 192.0.2.1"}, "MX d.example | d.example=192.0.2.1"},
        Case{"NoMxButIpv6Address", {"d.example AAAA 2001:db8::1"}, "MX d.example | d.example=2001:db8::1"},
        Case{"NoMxNoAddress", {"d.example"}, " | | bounce 550 5.1.2 d.example has neither MX nor address"},
        Case{"NoSuchDomain", {}, " | | bounce 550 5.1.2 there is no domain d.example"},
        Case{"NullMx", {"d.example MX 0 ", "d.example A 192.0.2.1"}, " | | bounce 556 5.1.10 d.example accepts no mail (null MX)"},
        Case{"NullMxWrittenAsADot", {"d.example MX 0 ."}, " | | bounce 556 5.1.10 d.example accepts no mail (null MX)"},
        Case{"NullMxAmongOthersIsIgnored",
             {"d.example MX 0 .", "d.example MX 10 a.example", "a.example A 192.0.2.1"},
             "MX a.example | a.example=192.0.2.1"},
        Case{"MxLookupFails",
             {"d.example MX !failed", "d.example A 192.0.2.1"},
             " | | defer 451 4.4.3 the MX of d.example cannot be looked up: server said SERVFAIL"},
        Case{"MxForged",
             {"d.example MX !bogus"},
             " | | defer 451 4.4.3 the MX of d.example cannot be looked up (DNSSEC: the answer is forged): signature expired"},
        Case{"AMissingHostIsSkipped",
             {"d.example MX 10 gone.example", "d.example MX 20 a.example", "a.example A 192.0.2.1"},
             "MX a.example, gone.example | a.example=192.0.2.1"},
        Case{"AllHostsMissing",
             {"d.example MX 10 gone.example", "d.example MX 20 gone2.example"},
             " | | bounce 550 5.4.4 no MX host of d.example has an address"},
        Case{"AFailingHostIsPassedOver",
             {"d.example MX 10 sick.example", "d.example MX 20 a.example", "sick.example A !failed", "a.example A 192.0.2.1"},
             "MX a.example, sick.example | a.example=192.0.2.1"},
        Case{"OneFailingOneMissingIsForNow",
             {"d.example MX 10 sick.example", "d.example MX 20 gone.example", "sick.example A !failed"},
             " | | defer 451 4.4.3 addresses of sick.example cannot be looked up: server said SERVFAIL"},
        Case{"OneFamilyFailing",
             {"d.example MX 10 a.example", "a.example AAAA !failed", "a.example A 192.0.2.1"},
             "MX a.example | a.example=192.0.2.1"},
        Case{"ImplicitAddressFailing",
             {"d.example A !failed"},
             " | | defer 451 4.4.3 addresses of d.example cannot be looked up: server said SERVFAIL"},
        Case{"AddressAsMx",
             {"d.example MX 10 192.0.2.7", "d.example MX 20 a.example", "a.example A 192.0.2.1"},
             "MX a.example | a.example=192.0.2.1"},
        Case{"OnlyAnAddressAsMx", {"d.example MX 10 192.0.2.7"}, " | | bounce 550 5.4.4 no MX host of d.example has an address"},
        Case{"NoHostNameAsMx",
             {R"(d.example MX 10 a\032b.example)", "d.example MX 10 [192.0.2.1]", "d.example MX 20 a.example", "a.example A 192.0.2.1"},
             "MX a.example | a.example=192.0.2.1"},
        Case{"CaseAndFinalDot", {"d.example MX 10 A.Example.", "a.example A 192.0.2.1"}, "MX a.example | a.example=192.0.2.1"},
        Case{"TheSameHostTwice",
             {"d.example MX 20 a.example", "d.example MX 10 a.example", "a.example A 192.0.2.1"},
             "MX a.example | a.example=192.0.2.1"},
        Case{"WeAreSecond",
             {"d.example MX 10 a.example", "d.example MX 20 mx.us.example", "d.example MX 30 c.example", "a.example A 192.0.2.1",
              "c.example A 192.0.2.3"},
             "MX a.example, c.example, mx.us.example | a.example=192.0.2.1"},
        Case{"WeAreBest",
             {"d.example MX 10 mx.us.example", "d.example MX 20 c.example", "c.example A 192.0.2.3"},
             " | | bounce 554 5.4.6 mail for d.example loops back to myself"},
        Case{"WeAreAmongEquals",
             {"d.example MX 10 mx.us.example", "d.example MX 10 c.example", "c.example A 192.0.2.3"},
             " | | bounce 554 5.4.6 mail for d.example loops back to myself"},
        Case{"WeAreBestByAddress",
             {"d.example MX 10 other-name.example", "other-name.example A 192.0.2.99"},
             " | | bounce 554 5.4.6 mail for d.example loops back to myself"},
        Case{"WeAreSecondByIpv6Address",
             {"d.example MX 10 a.example", "d.example MX 20 other-name.example", "a.example A 192.0.2.1",
              "other-name.example AAAA 2001:db8::99"},
             "MX a.example, other-name.example | a.example=192.0.2.1"},
        Case{"WeAreTheImplicitHost", {"d.example A 192.0.2.99"}, " | | bounce 554 5.4.6 mail for d.example loops back to myself"},
        Case{"BetterHostSickAndWeAreNext",
             {"d.example MX 10 sick.example", "d.example MX 20 mx.us.example", "sick.example A !failed"},
             " | | defer 451 4.4.3 addresses of sick.example cannot be looked up: server said SERVFAIL"},
        Case{"SickHostBehindUsDoesNotMatter",
             {"d.example MX 10 mx.us.example", "d.example MX 20 sick.example", "sick.example A !failed"},
             " | | bounce 554 5.4.6 mail for d.example loops back to myself"},
        Case{"LoopbackIsUs",
             {"d.example MX 10 a.example", "a.example A 127.0.0.1"},
             " | | bounce 554 5.4.6 mail for d.example loops back to myself"},
        Case{"UnspecifiedIsUs",
             {"d.example MX 10 a.example", "a.example A 0.0.0.0", "a.example AAAA ::"},
             " | | bounce 554 5.4.6 mail for d.example loops back to myself"},
        Case{"Ipv6LoopbackIsUs",
             {"d.example MX 10 a.example", "a.example AAAA ::1"},
             " | | bounce 554 5.4.6 mail for d.example loops back to myself"},
        Case{"MappedLoopbackIsUs",
             {"d.example MX 10 a.example", "a.example AAAA ::ffff:127.0.0.1"},
             " | | bounce 554 5.4.6 mail for d.example loops back to myself"},
        Case{"LoopbackAmongOthersIsLeftOut",
             {"d.example MX 10 a.example", "a.example A 127.0.0.1", "a.example A 192.0.2.1"},
             "MX a.example | a.example=192.0.2.1"}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(ByMx, EqualsAreShuffledAndTheSiteStaysTheSame) {
    const Zone zone({"d.example MX 10 a.example", "d.example MX 10 b.example", "d.example MX 10 c.example", "d.example MX 20 last.example",
                     "a.example A 192.0.2.1", "b.example A 192.0.2.2", "c.example A 192.0.2.3", "last.example A 192.0.2.4"});
    std::map<std::string, int> firsts;
    support::FakeRandom random(7);
    for (int round = 0; round < 600; ++round) {
        const auto hosts = drive(HostFinder(ByMx{"d.example"}, ourselves(), random, {}), zone);
        ASSERT_EQ(hosts.addresses.size(), 4u);
        EXPECT_EQ(hosts.addresses.back().host, "last.example");
        EXPECT_EQ(hosts.site, "MX a.example, b.example, c.example, last.example");
        ++firsts[hosts.addresses.front().host];
    }
    EXPECT_EQ(firsts.size(), 3u);
    for (const auto& [host, count] : firsts) EXPECT_GT(count, 120) << host;
}

TEST(ByMx, DomainsThatShareHostsShareASite) {
    const Zone zone({"d.example MX 10 a.example", "d.example MX 20 b.example", "e.example MX 5 b.example", "e.example MX 5 a.example",
                     "a.example A 192.0.2.1", "b.example A 192.0.2.2"});
    support::FakeRandom random;
    EXPECT_EQ(drive(HostFinder(ByMx{"d.example"}, ourselves(), random, {}), zone).site,
              drive(HostFinder(ByMx{"e.example"}, ourselves(), random, {}), zone).site);
}

TEST(ByMx, TellsInTheReasonWhatItFound) {
    const Zone zone({"d.example MX 10 a.example", "d.example MX 20 gone.example", "d.example MX 30 mx.us.example",
                     "d.example MX 40 192.0.2.1", "a.example A 192.0.2.1"});
    support::FakeRandom random;
    EXPECT_EQ(drive(HostFinder(ByMx{"d.example"}, ourselves(), random, {}), zone).reason,
              "MX 10 a.example, 20 gone.example (no address), 30 mx.us.example (us); not used: 1");
    EXPECT_EQ(drive(HostFinder(ByMx{"a.example"}, ourselves(), random, {}), zone).reason, "no MX, address of a.example");
}

TEST(ByMx, UsesABoundedNumberOfHostsAndAddresses) {
    std::vector<std::string> lines;
    for (int host = 0; host < 100; ++host) {
        const std::string name = "h" + std::to_string(100 + host) + ".example";
        lines.push_back("d.example MX " + std::to_string(host) + " " + name);
        for (int i = 0; i < 30; ++i) lines.push_back(name + " A 198.51." + std::to_string(host) + "." + std::to_string(i + 1));
    }
    support::FakeRandom random;
    HostFinder finder(ByMx{"d.example"}, ourselves(), random, {});
    const Zone zone(lines);
    finder.answer({"d.example", Type::mx}, zone.answer({"d.example", Type::mx}));
    EXPECT_EQ(finder.questions().size(), 40u) << "20 hosts, two families";
    const auto hosts = drive(std::move(finder), zone);
    ASSERT_EQ(hosts.addresses.size(), 40u);
    EXPECT_EQ(hosts.addresses[9].host, "h100.example");
    EXPECT_EQ(hosts.addresses[10].host, "h101.example") << "one host does not crowd out the others";
}

TEST(ByMx, FamiliesAlternate) {
    const Zone zone({"d.example MX 10 a.example", "a.example A 192.0.2.1", "a.example A 192.0.2.2", "a.example A 192.0.2.3",
                     "a.example AAAA 2001:db8::1"});
    support::FakeRandom random;
    EXPECT_EQ(told(drive(HostFinder(ByMx{"d.example"}, ourselves(), random, {}), zone)),
              "MX a.example | a.example=2001:db8::1 a.example=192.0.2.1 a.example=192.0.2.2 a.example=192.0.2.3");
}

TEST(ByMx, IgnoresAnswersNobodyAskedFor) {
    const Zone zone({"d.example MX 10 a.example", "a.example A 192.0.2.1"});
    support::FakeRandom random;
    HostFinder finder(ByMx{"d.example"}, ourselves(), random, {});
    finder.answer({"a.example", Type::a}, zone.answer({"a.example", Type::a}));
    finder.answer({"evil.example", Type::mx}, zone.answer({"d.example", Type::mx}));
    EXPECT_FALSE(finder.done());
    EXPECT_EQ(finder.questions(), (std::vector<dns::Question>{{"d.example", Type::mx}}));
    finder.answer({"d.example", Type::mx}, zone.answer({"d.example", Type::mx}));
    finder.answer({"d.example", Type::mx}, zone.answer({"nothing.example", Type::mx}));
    EXPECT_EQ(told(drive(std::move(finder), zone)), "MX a.example | a.example=192.0.2.1");
}

TEST(ByMx, OfNoDomainGoesNowhere) {
    support::FakeRandom random;
    for (const char* domain : {"", "[192.0.2.1]"}) {
        HostFinder finder(ByMx{domain}, ourselves(), random, {});
        ASSERT_TRUE(finder.done());
        EXPECT_TRUE(finder.take().problem);
    }
}

struct HostCase {
    const char* name;
    ToHost hop;
    const char* expected;
};
class ToHostTest : public testing::TestWithParam<HostCase> {};
TEST_P(ToHostTest, AsksForAddressesOnly) {
    const Zone zone({"relay.example A 192.0.2.1", "relay.example AAAA 2001:db8::1", "relay.example MX 10 other.example",
                     "sick.example A !failed", "local.example A 127.0.0.1"});
    support::FakeRandom random;
    EXPECT_EQ(told(drive(HostFinder(GetParam().hop, random, {}), zone)), GetParam().expected);
}
INSTANTIATE_TEST_SUITE_P(
    Smarthosts, ToHostTest,
    testing::Values(
        HostCase{"ByName",
                 {.host = "Relay.example", .port = 587, .credentials_reference = {}},
                 "relay.example port 587 | relay.example=2001:db8::1 relay.example=192.0.2.1"},
        HostCase{"ByIpv4", {.host = "192.0.2.9", .port = 2525, .credentials_reference = {}}, "192.0.2.9 port 2525 | 192.0.2.9=192.0.2.9"},
        HostCase{"ByIpv6", {.host = "2001:db8::9", .credentials_reference = {}}, "2001:db8::9 port 25 | 2001:db8::9=2001:db8::9"},
        HostCase{"OnLoopback", {.host = "local.example", .credentials_reference = {}}, "local.example port 25 | local.example=127.0.0.1"},
        HostCase{"Failing",
                 {.host = "sick.example", .credentials_reference = {}},
                 " | | defer 451 4.4.3 addresses of sick.example cannot be looked up: server said SERVFAIL"},
        HostCase{"MissingIsASlipOfOurs",
                 {.host = "typo.example", .credentials_reference = {}},
                 " | | defer 451 4.4.4 the configured host typo.example has no address"}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(ToHost, KeepsItsPort) {
    support::FakeRandom random;
    const auto hosts = drive(HostFinder(ToHost{.host = "relay.example", .port = 587, .credentials_reference = {}}, random, {}),
                             Zone({"relay.example A 192.0.2.1"}));
    ASSERT_EQ(hosts.addresses.size(), 1u);
    EXPECT_EQ(hosts.addresses[0].port, 587);
}

TEST(HostFinder, NeedsNoAnswerForALocalSocket) {
    support::FakeRandom random(1);
    HostFinder finder(ToHost{.host = "localhost", .credentials_reference = {}, .socket = "/run/lmtp"}, random, {});
    ASSERT_TRUE(finder.done());
    const auto hosts = finder.take();
    EXPECT_EQ(hosts.site, "socket /run/lmtp");
    ASSERT_EQ(hosts.addresses.size(), 1U);
    EXPECT_EQ(hosts.addresses[0].socket, "/run/lmtp");
}

}  // namespace
}  // namespace thurn::route
