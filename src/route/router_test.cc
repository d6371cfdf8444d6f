#include "route/router.h"

#include "route/address.h"
#include "support/memory_directory.h"

#include <chrono>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace thurn::route {
namespace {

std::string told(const NextHop& hop) {
    static const char* const demands[] = {"none", "may", "encrypt", "verify"};
    struct {
        std::string operator()(const LocalMailbox& to) const {
            return "mailbox " + (to.account.local.empty() ? "own" : mail::render_mailbox(to.account)) +
                   (to.detail.empty() ? "" : " (" + to.detail + ")");
        }
        std::string operator()(const Expansion& to) const {
            std::string text = "expand " + to.alias + " ->";
            for (const auto& target : to.targets) text += " " + mail::render_mailbox(target);
            return text;
        }
        std::string operator()(const ByMx& to) const { return "mx " + to.domain + " " + demands[static_cast<int>(to.tls)]; }
        std::string operator()(const ToHost& to) const {
            const bool lmtp = to.protocol == smtp::Protocol::lmtp;
            return std::string(lmtp              ? "lmtp "
                               : to.implicit_tls ? "smtps "
                                                 : "smtp ") +
                   (to.socket.empty() ? to.host + " " + std::to_string(to.port) : to.socket) + " " + demands[static_cast<int>(to.tls)] +
                   (to.credentials_reference.empty() ? "" : " " + to.credentials_reference) +
                   (to.account ? " for " + mail::render_mailbox(*to.account) : "");
        }
        std::string operator()(const Unroutable& to) const { return std::string(to.permanent ? "bounce " : "defer ") + to.status; }
        std::string operator()(const Discarded&) const { return "discard"; }
    } const teller;
    return std::visit(teller, hop);
}

struct HopCase {
    const char* text;
    TlsDemand tls;
    const char* auth;
    const char* expected;
};
class NextHopTest : public testing::TestWithParam<HopCase> {};
TEST_P(NextHopTest, IsRead) {
    const auto hop = parse_next_hop(GetParam().text, GetParam().tls, GetParam().auth);
    ASSERT_TRUE(hop) << hop.error().detail;
    EXPECT_EQ(told(*hop), GetParam().expected);
}
INSTANTIATE_TEST_SUITE_P(
    Hops, NextHopTest,
    testing::Values(HopCase{"smtp://relay.example", TlsDemand::may, "", "smtp relay.example 25 may"},
                    HopCase{"SMTP://Relay.Example:587", TlsDemand::encrypt, "file:/x", "smtp relay.example 587 encrypt file:/x"},
                    HopCase{"smtp://relay.example/", TlsDemand::none, "", "smtp relay.example 25 none"},
                    HopCase{"smtp://localhost:2525", TlsDemand::may, "", "smtp localhost 2525 may"},
                    HopCase{"smtp://192.0.2.1:2525", TlsDemand::may, "", "smtp 192.0.2.1 2525 may"},
                    HopCase{"smtp://[192.0.2.1]", TlsDemand::may, "", "smtp 192.0.2.1 25 may"},
                    HopCase{"smtp://[2001:DB8::1]:26", TlsDemand::may, "", "smtp 2001:db8::1 26 may"},
                    HopCase{"smtp://[IPv6:2001:db8::1]", TlsDemand::may, "", "smtp 2001:db8::1 25 may"},
                    HopCase{"smtp://bücher.example", TlsDemand::may, "", "smtp xn--bcher-kva.example 25 may"},
                    HopCase{"smtps://relay.example", TlsDemand::verify, "env:X", "smtps relay.example 465 verify env:X"},
                    HopCase{"smtps://relay.example:4650", TlsDemand::may, "", "smtps relay.example 4650 may"},
                    HopCase{"lmtp://mail.example:24", TlsDemand::encrypt, "file:/x", "lmtp mail.example 24 encrypt file:/x"},
                    HopCase{"lmtp://[2001:db8::1]:24", TlsDemand::may, "", "lmtp 2001:db8::1 24 may"},
                    HopCase{"lmtp+unix:/run/dovecot/lmtp", TlsDemand::may, "", "lmtp /run/dovecot/lmtp none"},
                    HopCase{"mx:other.example", TlsDemand::encrypt, "", "mx other.example encrypt"},
                    HopCase{"mx:", TlsDemand::may, "", "mx  may"}, HopCase{"discard:", TlsDemand::may, "", "discard"},
                    HopCase{"maildir:", TlsDemand::may, "", "mailbox own"},
                    HopCase{"maildir:anna@a.example", TlsDemand::may, "", "mailbox anna@a.example"},
                    HopCase{"error:5.7.1 go away", TlsDemand::may, "", "bounce 550 5.7.1 go away"},
                    HopCase{"error:4.3.2 later", TlsDemand::may, "", "defer 451 4.3.2 later"},
                    HopCase{"error:5.1.6", TlsDemand::may, "", "bounce 550 5.1.6 refused by a route"}));

TEST(NextHop, RefusesWhatIsNone) {
    for (const char* text : {"",
                             "relay.example",
                             "relay.example:25",
                             "http://relay.example",
                             "smtp:relay.example",
                             "smtp://",
                             "smtp://:25",
                             "smtp://relay.example:",
                             "smtp://relay.example:0",
                             "smtp://relay.example:65536",
                             "smtp://relay.example:25x",
                             "smtp://relay.example:-1",
                             "smtp://a b.example",
                             "smtp://u:p@relay.example",
                             "smtp://relay.example/path",
                             "smtp://relay.example?x",
                             "smtp://2001:db8::1",
                             "smtp://[2001:db8::1",
                             "smtp://[]",
                             "smtp://[relay.example]",
                             "smtp://[2001:db8::1]25",
                             "smtp://[::1]:",
                             "smtp://-x-.example..",
                             "error:",
                             "error:go away",
                             "error:2.0.0 ok",
                             "error:5.7.1 two\r\nlines",
                             "discard:x",
                             "maildir:/var/mail",
                             "maildir:anna",
                             "mx:[192.0.2.1]",
                             "mx:a b",
                             "lmtp://x",
                             "lmtp://x:25",
                             "lmtp:x:24",
                             "lmtp+unix:",
                             "lmtp+unix:run/lmtp",
                             "pipe:cat"})
        EXPECT_FALSE(parse_next_hop(text, TlsDemand::may, "")) << text;
    EXPECT_EQ(parse_next_hop("pipe:cat", TlsDemand::may, "").error().kind, base::ErrorKind::invalid);
    EXPECT_FALSE(parse_next_hop("lmtp+unix:/run/lmtp", TlsDemand::encrypt, ""));
    EXPECT_FALSE(parse_next_hop("lmtp+unix:/run/lmtp", TlsDemand::may, "file:/x"));
    EXPECT_TRUE(parse_next_hop("lmtp+unix:/" + std::string(106, 'x'), TlsDemand::may, ""));
    EXPECT_FALSE(parse_next_hop("lmtp+unix:/" + std::string(107, 'x'), TlsDemand::may, ""));
    EXPECT_FALSE(parse_next_hop("smtps://relay.example", TlsDemand::none, ""));
    EXPECT_FALSE(parse_next_hop("mx:", TlsDemand::may, "file:/x"));
    EXPECT_FALSE(parse_next_hop("error:5.7.1 " + std::string(1000, 'x'), TlsDemand::may, ""));
}

mail::Mailbox address(std::string_view text) {
    if (text == "postmaster") return {"postmaster", {}};
    auto parsed = mail::parse_mailbox(text, mail::Charset::utf8);
    EXPECT_TRUE(parsed) << text;
    return parsed.value_or(mail::Mailbox{});
}

mail::ReversePath sender(std::string_view text) { return text.empty() ? mail::ReversePath{} : mail::ReversePath{address(text)}; }

class RouterTest : public testing::Test {
protected:
    RouterTest() {
        directory_.add_domain("a.example");
        directory_.add_account("anna@a.example");
        directory_.add_alias("team@a.example", {"anna@a.example", "x@elsewhere.example"});
        directory_.add_literal("[192.0.2.99]");
    }
    RouteRule rule(std::string_view hop) {
        RouteRule made;
        auto parsed = parse_next_hop(hop, TlsDemand::may, "");
        EXPECT_TRUE(parsed) << hop;
        made.hop = parsed.value_or(Discarded{});
        made.origin = "thurn.toml:" + std::to_string(10 + rules_.size());
        return made;
    }
    std::string route(std::string_view to, std::string_view from = "s@sender.example") {
        Router router(rules_, directory_, mailboxes_);
        auto routed = router.route(sender(from), address(to));
        if (!routed) return "error " + routed.error().detail;
        return told(routed->hop) + " [" + routed->reason + "]";
    }
    support::MemoryDirectory directory_{"mx.a.example"};
    std::optional<ToHost> mailboxes_;
    std::vector<RouteRule> rules_;
};

TEST_F(RouterTest, WithoutRulesFollowsTheDirectoryThenMx) {
    EXPECT_EQ(route("Anna+Tag@a.example"), "mailbox anna@a.example (Tag) [local mailbox]");
    EXPECT_EQ(route("team@a.example"), "expand team@a.example -> anna@a.example x@elsewhere.example [alias team@a.example]");
    EXPECT_EQ(route("gone@a.example"), "bounce 550 5.1.1 no such mailbox here [local domain]");
    EXPECT_EQ(route("x@elsewhere.example"), "mx elsewhere.example may [MX]");
    EXPECT_EQ(route("\"anna@a.example\"@elsewhere.example"), "mx elsewhere.example may [MX]");
    EXPECT_EQ(route("postmaster"), "expand postmaster -> anna@a.example [alias postmaster]");
}

TEST_F(RouterTest, AServerMayKeepTheMailboxes) {
    mailboxes_ = std::get<ToHost>(*parse_next_hop("lmtp+unix:/run/lmtp", TlsDemand::may, ""));
    EXPECT_EQ(route("Anna@a.example"), "lmtp /run/lmtp none for anna@a.example [local mailbox]");
    EXPECT_EQ(route("anna+Tag@a.example"), "lmtp /run/lmtp none for anna+Tag@a.example [local mailbox]");
    EXPECT_EQ(route("team@a.example"), "expand team@a.example -> anna@a.example x@elsewhere.example [alias team@a.example]");
    EXPECT_EQ(route("gone@a.example"), "bounce 550 5.1.1 no such mailbox here [local domain]");
    EXPECT_EQ(route("x@elsewhere.example"), "mx elsewhere.example may [MX]");
    rules_.push_back(rule("maildir:"));
    rules_.back().recipient = "anna@a.example";
    EXPECT_EQ(route("anna@a.example"), "mailbox anna@a.example [[[route]] 1 (thurn.toml:10)]");
}

TEST_F(RouterTest, SendsLiteralsToTheirAddressButNeverToOurselves) {
    EXPECT_EQ(route("x@[192.0.2.1]"), "smtp 192.0.2.1 25 may [address literal]");
    EXPECT_EQ(route("x@[IPv6:2001:db8::1]"), "smtp 2001:db8::1 25 may [address literal]");
    EXPECT_EQ(route("postmaster@[192.0.2.99]"), "expand postmaster@[192.0.2.99] -> anna@a.example [alias postmaster@[192.0.2.99]]");
    EXPECT_EQ(route("anna@[192.0.2.99]"), "bounce 550 5.1.1 no such mailbox here [local domain]");
    for (const char* to : {"x@[127.0.0.1]", "x@[127.1.2.3]", "x@[0.0.0.0]", "x@[IPv6:::1]", "x@[IPv6:::]", "x@[IPv6:::ffff:127.0.0.1]"})
        EXPECT_NE(route(to).find("554 5.4.6"), std::string::npos) << to << route(to);
}

TEST_F(RouterTest, DefersWhatTheDirectoryCannotAnswer) {
    directory_.fail_with({base::ErrorKind::disk, "broken"});
    EXPECT_EQ(route("anna@a.example"), "error broken");
    EXPECT_EQ(route("x@elsewhere.example"), "error broken");
}

TEST_F(RouterTest, TakesTheFirstRuleThatMatches) {
    rules_.push_back(rule("smtp://first.example"));
    rules_.back().recipient_domain = "*.elsewhere.example";
    rules_.push_back(rule("smtp://second.example"));
    rules_.back().sender_domain = "sender.example";
    rules_.push_back(rule("discard:"));
    rules_.back().sender = "<>";
    rules_.push_back(rule("error:5.7.1 no"));
    rules_.back().recipient = "bad*@elsewhere.example";
    EXPECT_EQ(route("x@sub.ELSEWHERE.example"), "smtp first.example 25 may [[[route]] 1 (thurn.toml:10)]");
    EXPECT_EQ(route("x@elsewhere.example"), "smtp second.example 25 may [[[route]] 2 (thurn.toml:11)]");
    EXPECT_EQ(route("x@elsewhere.example", ""), "discard [[[route]] 3 (thurn.toml:12)]");
    EXPECT_EQ(route("Bad1@elsewhere.example", "o@other.example"), "bounce 550 5.7.1 no [[[route]] 4 (thurn.toml:13)]");
    EXPECT_EQ(route("x@elsewhere.example", "o@other.example"), "mx elsewhere.example may [MX]");
}

TEST_F(RouterTest, AllPatternsOfARuleMustMatch) {
    rules_.push_back(rule("discard:"));
    rules_.back().sender = "s@*";
    rules_.back().recipient = "*@elsewhere.example";
    EXPECT_NE(route("x@elsewhere.example").find("discard"), std::string::npos);
    EXPECT_EQ(route("x@elsewhere.example", "t@sender.example"), "mx elsewhere.example may [MX]");
    EXPECT_EQ(route("x@other.example"), "mx other.example may [MX]");
}

TEST_F(RouterTest, ASmarthostLeavesOurOwnMailboxesAlone) {
    rules_.push_back(rule("smtp://relay.example"));
    rules_.back().recipient_domain = "*";
    EXPECT_EQ(route("x@elsewhere.example"), "smtp relay.example 25 may [[[route]] 1 (thurn.toml:10)]");
    EXPECT_EQ(route("anna@a.example"), "mailbox anna@a.example [local mailbox]");
    EXPECT_EQ(route("gone@a.example"), "bounce 550 5.1.1 no such mailbox here [local domain]");
}

TEST_F(RouterTest, ANamedDomainMayBeSentAway) {
    rules_.push_back(rule("smtp://inner.example"));
    rules_.back().recipient_domain = "a.example";
    EXPECT_EQ(route("anna@a.example"), "smtp inner.example 25 may [[[route]] 1 (thurn.toml:10)]");
}

TEST_F(RouterTest, AnExceptionBeforeASmarthostGoesByMx) {
    rules_.push_back(rule("mx:"));
    rules_.back().recipient_domain = "direct.example";
    rules_.push_back(rule("smtp://relay.example"));
    EXPECT_EQ(route("x@direct.example"), "mx direct.example may [[[route]] 1 (thurn.toml:10)]");
    EXPECT_EQ(route("x@elsewhere.example"), "smtp relay.example 25 may [[[route]] 2 (thurn.toml:11)]");
}

TEST_F(RouterTest, AMaildirRuleFillsInTheMailbox) {
    rules_.push_back(rule("maildir:anna@a.example"));
    rules_.back().recipient = "everything@elsewhere.example";
    rules_.push_back(rule("maildir:"));
    EXPECT_EQ(route("everything@elsewhere.example"), "mailbox anna@a.example [[[route]] 1 (thurn.toml:10)]");
    EXPECT_EQ(route("anna+t@a.example"), "mailbox anna@a.example (t) [[[route]] 2 (thurn.toml:11)]");
    EXPECT_EQ(route("Some.One@elsewhere.example"), "mailbox some.one@elsewhere.example [[[route]] 2 (thurn.toml:11)]");
}

struct MachineCase {
    const char* address;
    bool this_machine;
};
class AddressTest : public testing::TestWithParam<MachineCase> {};
TEST_P(AddressTest, IsThisMachine) {
    const auto parsed = parse_address(GetParam().address);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(is_this_machine(*parsed), GetParam().this_machine);
    EXPECT_EQ(parse_address(render_address(*parsed)), parsed);
}
INSTANTIATE_TEST_SUITE_P(Addresses, AddressTest,
                         testing::Values(MachineCase{"127.0.0.1", true}, MachineCase{"127.255.255.255", true}, MachineCase{"0.0.0.0", true},
                                         MachineCase{"0.1.2.3", true}, MachineCase{"::", true}, MachineCase{"::1", true},
                                         MachineCase{"::2", false}, MachineCase{"::ffff:127.0.0.1", true},
                                         MachineCase{"::ffff:192.0.2.1", false}, MachineCase{"192.0.2.1", false},
                                         MachineCase{"10.0.0.1", false}, MachineCase{"2001:db8::1", false}, MachineCase{"100::", false}));

TEST(Address, IsNotReadFromOtherText) {
    for (const char* text : {"", "a", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "1.2.3.4 ", "::1%lo", "[::1]", ":::"})
        EXPECT_FALSE(parse_address(text)) << text;
    EXPECT_FALSE(parse_address(std::string_view("1.2.3.4\0x", 9)));
}

}  // namespace
}  // namespace thurn::route
