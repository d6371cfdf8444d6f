#include "policy/lookup.h"

#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace thurn::policy {
namespace {

using dns::Answer;
using dns::Question;
using dns::Status;

dns::Record a(const char* text) { return std::get<dns::Ipv4>(*dns::parse_ip(text)); }
Answer records(std::vector<dns::Record> all) {
    Answer answer;
    answer.status = Status::ok;
    answer.records = std::move(all);
    return answer;
}
Answer nothing(Status status) {
    Answer answer;
    answer.status = status;
    answer.detail = "SERVFAIL";
    return answer;
}

const std::map<std::pair<std::string, dns::Type>, Answer> kZone{
    {{"mail.example", dns::Type::mx}, records({dns::Mx{10, "mx.mail.example"}})},
    {{"web.example", dns::Type::a}, records({a("192.0.2.80")})},
    {{"silent.example", dns::Type::mx}, records({dns::Mx{0, ""}})},
    {{"silent.example", dns::Type::a}, records({a("192.0.2.80")})},
    {{"broken.example", dns::Type::mx}, nothing(Status::failed)},
    {{"7.2.0.192.in-addr.arpa", dns::Type::ptr}, records({dns::NameRecord{"host.example"}})},
    {{"host.example", dns::Type::a}, records({a("192.0.2.7")})},
    {{"7.2.0.192.bl.example", dns::Type::a}, records({a("127.0.0.2"), a("127.0.0.10")})},
    {{"7.2.0.192.wl.example", dns::Type::a}, records({a("127.0.5.1")})},
    {{"7.2.0.192.closed.example", dns::Type::a}, records({a("127.255.255.254")})},
    {{"7.2.0.192.down.example", dns::Type::a}, nothing(Status::failed)},
    {{"spf.example", dns::Type::txt}, records({dns::Text{"v=spf1 ip4:192.0.2.7 -all"}})},
    {{"bad.example.dbl.example", dns::Type::a}, records({a("127.0.1.2")})},
    {{"host.example.names.example", dns::Type::a}, records({a("127.0.1.2")})},
    {{"10.2.0.192.in-addr.arpa", dns::Type::ptr}, nothing(Status::failed)},
};

Answer look_up(const Question& question) {
    const auto found = kZone.find({question.name, question.type});
    return found == kZone.end() ? nothing(Status::no_name) : found->second;
}

DnsblSet lists() {
    DnsblSet set;
    set.add({.name = "bl", .zone = "bl.example", .replies = {{*parse_network("127.0.0.2"), 3}, {*parse_network("127.0.0.8/29"), 5}}});
    set.add({.name = "wl", .zone = "wl.example", .weight = -2});
    set.add({.name = "down", .zone = "down.example"});
    set.add({.name = "closed", .zone = "closed.example"});
    set.add({.name = "dbl", .zone = "dbl.example", .about = DnsblSubject::sender_domain});
    set.add({.name = "names", .zone = "names.example", .about = DnsblSubject::client_name});
    set.add({.name = "untested_names", .zone = "names.example", .about = DnsblSubject::client_name});
    set.add({.name = "untested", .zone = "bl.example"});
    for (const auto& list : set.all())
        if (!list->said().name.starts_with("untested")) list->take_test({records({a("127.0.0.2")}), nothing(Status::no_name)});
    return set;
}

FactValue find_out(const std::string& name, const Subject& subject, const DnsblSet& set = lists()) {
    const auto lookup = begin_lookup({find_fact_kind(name), name}, subject, set);
    for (int round = 0; round < 10; ++round) {
        const auto open = lookup->questions();
        if (open.empty()) return lookup->take();
        for (const auto& question : open) lookup->answer(question, look_up(question));
    }
    ADD_FAILURE() << "asks for ever";
    return false;
}

struct Case {
    const char* fact;
    Subject subject;
    FactValue value;
};
class LookupTest : public testing::TestWithParam<Case> {};
TEST_P(LookupTest, Finds) { EXPECT_EQ(find_out(GetParam().fact, GetParam().subject), GetParam().value) << GetParam().fact; }

INSTANTIATE_TEST_SUITE_P(Sender, LookupTest,
                         testing::Values(Case{"sender.exists", {.sender_domain = "mail.example"}, true},
                                         Case{"sender.exists", {.sender_domain = "web.example"}, true},
                                         Case{"sender.exists", {.sender_domain = "silent.example"}, false},
                                         Case{"sender.exists", {.sender_domain = "nowhere.example"}, false},
                                         Case{"sender.exists", {.sender_domain = "broken.example"}, Unavailable{"SERVFAIL"}},
                                         Case{"sender.exists", {.sender_domain = "[192.0.2.1]"}, true}));
INSTANTIATE_TEST_SUITE_P(Helo, LookupTest,
                         testing::Values(Case{"helo.exists", {.helo = "host.example"}, true},
                                         Case{"helo.exists", {.helo = "x.example"}, false}, Case{"helo.exists", {.helo = "no name"}, false},
                                         Case{"helo.is_client", {.client_address = "192.0.2.7", .helo = "host.example"}, true},
                                         Case{"helo.is_client", {.client_address = "192.0.2.8", .helo = "host.example"}, false},
                                         Case{"helo.is_client", {.client_address = "192.0.2.8", .helo = "[192.0.2.8]"}, true},
                                         Case{"helo.is_client", {.client_address = "192.0.2.8", .helo = "[192.0.2.9]"}, false}));
INSTANTIATE_TEST_SUITE_P(Client, LookupTest,
                         testing::Values(Case{"client.name", {.client_address = "192.0.2.7"}, std::string("host.example")},
                                         Case{"client.name", {.client_address = "::ffff:192.0.2.7"}, std::string("host.example")},
                                         Case{"client.name", {.client_address = "192.0.2.9"}, std::string()},
                                         Case{"client.name", {.client_address = "local"}, std::string()}));
INSTANTIATE_TEST_SUITE_P(
    Spf, LookupTest,
    testing::Values(Case{"spf", {.client_address = "192.0.2.7", .reverse_path = "a@spf.example"}, std::string("pass")},
                    Case{"spf", {.client_address = "192.0.2.8", .reverse_path = "a@spf.example"}, std::string("fail")},
                    Case{"spf", {.client_address = "192.0.2.8", .reverse_path = "a@web.example"}, std::string("none")},
                    Case{"spf", {.client_address = "192.0.2.7", .helo = "spf.example"}, std::string("pass")},
                    Case{"spf", {.client_address = "local"}, Unavailable{"the client has no IP address"}},
                    Case{"spf", {.client_address = "192.0.2.8", .spf = mailauth::SpfResult::neutral}, std::string("neutral")}));
INSTANTIATE_TEST_SUITE_P(
    Lists, LookupTest,
    testing::Values(Case{"dnsbl.bl", {.client_address = "192.0.2.7"}, 5.0}, Case{"dnsbl.bl", {.client_address = "192.0.2.8"}, 0.0},
                    Case{"dnsbl.wl", {.client_address = "192.0.2.7"}, -2.0},
                    Case{"dnsbl.down", {.client_address = "192.0.2.7"}, Unavailable{"down.example: SERVFAIL"}},
                    Case{"dnsbl.dbl", {.sender_domain = "Bad.example"}, 1.0}, Case{"dnsbl.dbl", {.sender_domain = ""}, 0.0},
                    Case{"dnsbl.names", {.client_address = "192.0.2.7"}, 1.0}, Case{"dnsbl.names", {.client_address = "192.0.2.9"}, 0.0},
                    Case{"dnsbl.names", {.client_address = "192.0.2.10"}, Unavailable{"DNS gave no answer"}},
                    Case{"dnsbl.names", {.client_address = "local"}, 0.0},
                    Case{"dnsbl.untested_names", {.client_address = "192.0.2.7"}, Unavailable{"not tested yet"}},
                    Case{"dnsbl.untested", {.client_address = "192.0.2.7"}, Unavailable{"not tested yet"}},
                    Case{"dnsbl.none", {}, Unavailable{"there is no list \"none\""}},
                    Case{"dnsbl_score", {.client_address = "192.0.2.7"}, 3.0}));

class SettledLookupTest : public testing::TestWithParam<const char*> {};
/// Who is silent cannot hold up what is certain without him.
TEST_P(SettledLookupTest, AsksNoMoreOnceItIsCertain) {
    const auto lookup = begin_lookup({find_fact_kind("sender.exists"), "sender.exists"}, {.sender_domain = GetParam()}, {});
    const Question mx{GetParam(), dns::Type::mx};
    lookup->answer(mx, look_up(mx));
    EXPECT_TRUE(lookup->questions().empty());
    EXPECT_EQ(lookup->take(), FactValue(std::string_view(GetParam()) == "mail.example"));
}
INSTANTIATE_TEST_SUITE_P(Sender, SettledLookupTest, testing::Values("mail.example", "silent.example"));

TEST(SettledLookup, AnAddressDoesNotSettleWhetherThereIsANullMx) {
    const auto lookup = begin_lookup({find_fact_kind("sender.exists"), "sender.exists"}, {.sender_domain = "silent.example"}, {});
    lookup->answer({"silent.example", dns::Type::a}, look_up({"silent.example", dns::Type::a}));
    EXPECT_FALSE(lookup->questions().empty());
}

TEST(Dnsbl, RefusalPutsItOutOfOrder) {
    const auto set = lists();
    const Subject subject{.client_address = "192.0.2.7"};
    const std::string why = "closed.example answered 127.255.255.254, which is a refusal";
    EXPECT_EQ(find_out("dnsbl.closed", subject, set), FactValue(Unavailable{why}));
    EXPECT_EQ(set.find("closed")->trouble(), why);
    EXPECT_EQ(find_out("dnsbl.closed", {.client_address = "192.0.2.99"}, set), FactValue(Unavailable{why})) << "not asked any more";
}

TEST(Dnsbl, TestsSayWhetherItCanBeBelieved) {
    const Dnsbl list({.name = "l", .zone = "bl.example"});
    EXPECT_EQ(list.test_questions(),
              (std::vector<Question>{{"2.0.0.127.bl.example", dns::Type::a}, {"1.0.0.127.bl.example", dns::Type::a}}));
    const auto yes = records({a("127.0.0.2")});
    const auto no = nothing(Status::no_name);
    EXPECT_TRUE(list.take_test({yes, no}));
    EXPECT_EQ(list.trouble(), "");
    EXPECT_FALSE(list.take_test({yes, no})) << "no news";
    EXPECT_TRUE(list.take_test({yes, yes}));
    EXPECT_EQ(list.trouble(), "bl.example lists everybody");
    list.take_test({no, no});
    EXPECT_EQ(list.trouble(), "bl.example does not list what it must list for tests");
    list.take_test({nothing(Status::failed), no});
    EXPECT_EQ(list.trouble(), "bl.example does not answer: SERVFAIL");
    list.take_test({records({a("203.0.113.1")}), records({a("203.0.113.1")})});
    EXPECT_EQ(list.trouble(), "bl.example refuses our resolver: 203.0.113.1") << "a resolver that answers everything";
}

TEST(Dnsbl, AsksOnlyWhatItIsAbout) {
    const Dnsbl addresses({.name = "a", .zone = "z.example"});
    EXPECT_EQ(addresses.question_for("2001:db8::1")->name, "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.z.example");
    EXPECT_FALSE(addresses.question_for("a.example"));
    const Dnsbl domains({.name = "d", .zone = "z.example", .about = DnsblSubject::helo});
    EXPECT_EQ(domains.question_for("A.Example")->name, "a.example.z.example");
    EXPECT_FALSE(domains.question_for("192.0.2.1"));
    EXPECT_FALSE(domains.question_for("[192.0.2.1]"));
    EXPECT_EQ(domains.test_questions()[0].name, "test.z.example");
}

}  // namespace
}  // namespace thurn::policy
