#include "policy/delegation.h"

#include <map>

#include <gtest/gtest.h>

namespace thurn::policy {
namespace {

using Reserve = Advice::Reserve;

/// The attributes of a request, which ends with its only empty line.
std::multimap<std::string, std::string> attributes(const std::string& request) {
    std::multimap<std::string, std::string> all;
    EXPECT_TRUE(request.ends_with("\n\n"));
    EXPECT_EQ(request.find("\n\n"), request.size() - 2);
    for (std::size_t at = 0; at + 1 < request.size();) {
        const auto end = request.find('\n', at);
        const auto line = request.substr(at, end - at);
        const auto equal = line.find('=');
        EXPECT_NE(equal, std::string::npos) << line;
        all.emplace(line.substr(0, equal), line.substr(equal + 1));
        at = end + 1;
    }
    return all;
}

std::string value(const std::multimap<std::string, std::string>& all, const std::string& name) {
    EXPECT_EQ(all.count(name), 1U) << name;
    const auto found = all.find(name);
    return found == all.end() ? "" : found->second;
}

TEST(DelegationRequest, HasWhatPostfixSays) {
    const auto sender = mail::parse_mailbox("carl@there.example").value();
    const auto recipient = mail::parse_mailbox("anna@here.example").value();
    const Situation now{.client_address = "192.0.2.1",
                        .login = "carl",
                        .helo = "client.example",
                        .sender = &sender,
                        .recipient = &recipient,
                        .recipient_count = 1,
                        .size = 1234};
    const Marks marks;
    const Question question{.stage = Stage::rcpt,
                            .now = now,
                            .marks = marks,
                            .told = {{"client.name", std::string("client.example")}},
                            .session = "s7",
                            .message = "01ABC",
                            .protocol = "ESMTP",
                            .mechanism = "PLAIN",
                            .client_port = 4711,
                            .server_address = "192.0.2.25",
                            .server_port = 25,
                            .tls_version = "TLSv1.3",
                            .tls_cipher = "TLS_AES_256_GCM_SHA384",
                            .tls_bits = 256};
    const auto request = render_delegation_request(question, "inner");
    EXPECT_TRUE(request.starts_with("request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\n"));
    const auto all = attributes(request);
    const std::map<std::string, std::string> expected{{"client_address", "192.0.2.1"},
                                                      {"client_name", "client.example"},
                                                      {"reverse_client_name", "client.example"},
                                                      {"client_port", "4711"},
                                                      {"server_address", "192.0.2.25"},
                                                      {"server_port", "25"},
                                                      {"helo_name", "client.example"},
                                                      {"sender", "carl@there.example"},
                                                      {"recipient", "anna@here.example"},
                                                      {"recipient_count", "0"},
                                                      {"queue_id", "01ABC"},
                                                      {"instance", "s7.01ABC"},
                                                      {"size", "1234"},
                                                      {"etrn_domain", ""},
                                                      {"stress", ""},
                                                      {"sasl_method", "PLAIN"},
                                                      {"sasl_username", "carl"},
                                                      {"sasl_sender", ""},
                                                      {"ccert_subject", ""},
                                                      {"ccert_issuer", ""},
                                                      {"ccert_fingerprint", ""},
                                                      {"ccert_pubkey_fingerprint", ""},
                                                      {"encryption_protocol", "TLSv1.3"},
                                                      {"encryption_cipher", "TLS_AES_256_GCM_SHA384"},
                                                      {"encryption_keysize", "256"},
                                                      {"policy_context", "inner"}};
    for (const auto& [name, wanted] : expected) EXPECT_EQ(value(all, name), wanted) << name;
}

TEST(DelegationRequest, BehindDataNamesTheOnlyRecipient) {
    const Marks marks;
    Situation now{.recipient_count = 1, .recipients = [] { return Texts{"anna@here.example"}; }};
    EXPECT_EQ(value(attributes(render_delegation_request({.stage = Stage::content, .now = now, .marks = marks}, "")), "recipient"),
              "anna@here.example");
    now.recipients = [] { return Texts{"anna@here.example", "bob@here.example"}; };
    now.recipient_count = 2;
    const auto all = attributes(render_delegation_request({.stage = Stage::data, .now = now, .marks = marks}, ""));
    EXPECT_EQ(value(all, "recipient"), "");
    EXPECT_EQ(value(all, "recipient_count"), "2");
    EXPECT_EQ(value(all, "protocol_state"), "DATA");
    EXPECT_EQ(value(all, "client_name"), "unknown");
}

TEST(DelegationRequest, NobodyAddsAnAttribute) {
    const Marks marks;
    using namespace std::string_literals;
    const auto evil = "x\nsasl_username=root\r\n\nrequest=\0smtpd\x01\x7f"s;
    const Situation now{.client_address = evil, .login = evil, .helo = evil};
    const Question question{
        .now = now, .marks = marks, .told = {{"client.name", evil}}, .session = evil, .message = evil, .mechanism = evil};
    const auto all = attributes(render_delegation_request(question, evil));
    EXPECT_EQ(value(all, "sasl_username").find_first_of(std::string_view("\0\r\n\x01\x7f", 5)), std::string::npos);
    EXPECT_TRUE(value(all, "helo_name").starts_with("x?sasl_username=root???request="));
    const std::string helo(5000, 'h');
    const Situation long_helo{.helo = helo};
    const auto request = render_delegation_request({.now = long_helo, .marks = marks}, "");
    EXPECT_EQ(value(attributes(request), "helo_name").size(), 2048U);
}

struct ActionCase {
    const char* said;
    Action action;
    Reserve reserve = Reserve::none;
    std::uint16_t code = 0;
    const char* text = "";
    const char* status = "";
};
class AccessActionTest : public testing::TestWithParam<ActionCase> {};
TEST_P(AccessActionTest, IsDoneAsPostfixDoes) {
    const auto& expected = GetParam();
    const auto advice = parse_access_action(expected.said);
    EXPECT_EQ(advice.action, expected.action);
    EXPECT_EQ(advice.reserve, expected.reserve);
    EXPECT_EQ(advice.code, expected.code);
    EXPECT_EQ(advice.text, expected.text);
    EXPECT_EQ(advice.status ? mail::render_status(*advice.status) : "", expected.status);
    EXPECT_EQ(advice.said, expected.said);
}
constexpr const char* kCannot = "this server cannot decide about it at the moment, please try again later";
INSTANTIATE_TEST_SUITE_P(
    Access5, AccessActionTest,
    testing::Values(ActionCase{"DUNNO", Action::none}, ActionCase{"dunno", Action::none},
                    ActionCase{"DUNNO multirecipient-mail - already accepted by previous query", Action::none},
                    ActionCase{"OK", Action::accept}, ActionCase{"ok", Action::accept}, ActionCase{"permit", Action::accept},
                    ActionCase{"1234567", Action::accept}, ActionCase{"REJECT", Action::reject},
                    ActionCase{"reject go away", Action::reject, Reserve::none, 0, "go away"},
                    ActionCase{"REJECT 5.7.23 SPF fail", Action::reject, Reserve::none, 0, "SPF fail", "5.7.23"},
                    ActionCase{"DEFER later", Action::defer, Reserve::none, 0, "later"},
                    ActionCase{"DEFER_IF_PERMIT Greylisted, see http://x.example/", Action::none, Reserve::if_permit, 0,
                               "Greylisted, see http://x.example/"},
                    ActionCase{"DEFER_IF_PERMIT 4.2.0 Greylisted", Action::none, Reserve::if_permit, 0, "Greylisted", "4.2.0"},
                    ActionCase{"DEFER_IF_REJECT", Action::none, Reserve::if_reject},
                    ActionCase{"450 4.7.1 come back", Action::defer, Reserve::none, 450, "come back", "4.7.1"},
                    ActionCase{"550 no", Action::reject, Reserve::none, 550, "no"}, ActionCase{"554", Action::reject, Reserve::none, 554},
                    ActionCase{"421 busy", Action::disconnect, Reserve::none, 421, "busy"},
                    ActionCase{"550 4.7.1 odd", Action::reject, Reserve::none, 550, "odd", "5.7.1"}, ActionCase{"HOLD", Action::hold},
                    ActionCase{"HOLD looks odd", Action::hold}, ActionCase{"DISCARD", Action::discard}, ActionCase{"WARN hm", Action::none},
                    ActionCase{"INFO hm", Action::none},
                    ActionCase{"FILTER smtp:[127.0.0.1]:10025", Action::defer, Reserve::none, 451, kCannot, "4.3.5"},
                    ActionCase{"BCC a@b.example", Action::none}, ActionCase{"BCC", Action::defer, Reserve::none, 451, kCannot, "4.3.5"},
                    ActionCase{"reject_unauth_destination", Action::defer, Reserve::none, 451, kCannot, "4.3.5"},
                    ActionCase{"250 ok", Action::defer, Reserve::none, 451, kCannot, "4.3.5"},
                    ActionCase{"", Action::defer, Reserve::none, 451, kCannot, "4.3.5"}));

TEST(AccessAction, CarriesAddressesAndHeaders) {
    EXPECT_EQ(parse_access_action("REDIRECT other@here.example").to, "other@here.example");
    EXPECT_EQ(parse_access_action("REDIRECT other@here.example").action, Action::redirect);
    EXPECT_EQ(parse_access_action("PREPEND X-Greylist: delayed 5 seconds").header, "X-Greylist: delayed 5 seconds");
    EXPECT_EQ(parse_access_action("PREPEND X-Greylist: delayed 5 seconds").action, Action::none);
    EXPECT_EQ(parse_access_action("bcc archive@here.example").bcc, "archive@here.example");
}

TEST(DelegationReply, IsWholeWithItsEmptyLine) {
    const std::string reply = "action=REJECT go away\n\n";
    for (std::size_t cut = 0; cut < reply.size(); ++cut) {
        const auto part = parse_delegation_reply(std::string_view(reply).substr(0, cut));
        ASSERT_TRUE(part) << cut;
        EXPECT_FALSE(*part) << cut;
    }
    EXPECT_EQ(parse_delegation_reply(reply).value()->action, Action::reject);
    EXPECT_EQ(parse_delegation_reply("action=dunno\r\n\r\n").value()->action, Action::none);
    EXPECT_EQ(parse_delegation_reply("other=1\naction=OK\n\n").value()->action, Action::accept);
    EXPECT_EQ(parse_delegation_reply("action=REJECT a=b\n\n").value()->text, "a=b");
}

TEST(DelegationReply, RefusesWhatIsNone) {
    for (const auto* wrong : {"\n", "\n\n", "x=1\n\n", "200 hello\r\n", "action=OK\naction=REJECT\n\n", "action=OK\n\naction=OK\n\n"}) {
        const auto reply = parse_delegation_reply(wrong);
        ASSERT_FALSE(reply) << wrong;
        EXPECT_EQ(reply.error().kind, base::ErrorKind::syntax);
    }
    EXPECT_EQ(parse_delegation_reply(std::string(9000, 'x')).error().kind, base::ErrorKind::too_long);
}

}  // namespace
}  // namespace thurn::policy
