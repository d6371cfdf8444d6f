// Policy servers and web hooks, asked by a conversation.
#include "support/conversation_fixture.h"
#include "support/scripted_peer.h"

namespace thurn::inbound {
namespace {

using support::ScriptedPeer;
using testing::SizeIs;
using DefaultAction = PolicyServerOptions::DefaultAction;
using policy::Stage;

class PolicyAskingTest : public ConversationTest {
protected:
    void use(PolicyServerOptions server) {
        auto book = std::make_shared<policy::Rulebook>();
        for (auto& rule : rules_asking(server.asked, kPolicyServer)) EXPECT_TRUE(book->rules.add(std::move(rule)));
        for (auto& rule : behind_) EXPECT_TRUE(book->rules.add(std::move(rule)));
        server.time_limit = std::chrono::seconds(1);
        options_.policy_servers = {std::move(server)};
        options_.rulebook = std::move(book);
        start();
    }
    static PolicyServerOptions delegated(const ScriptedPeer& peer, std::vector<Stage> stages = {Stage::rcpt}) {
        return {.asked = {.name = "pd", .stages = std::move(stages), .tell = {"client.name"}},
                .socket = {.path = {}, .host = "127.0.0.1", .port = peer.port()}};
    }
    static PolicyServerOptions hook(const ScriptedPeer& peer) {
        return {.asked = {.name = "hook"}, .url = WebAddress{.host = "127.0.0.1", .port = peer.port(), .target = "/ask?x=1"}};
    }
    std::string to(TestClient& client, const std::string& recipient) { return client.ask("RCPT TO:<" + recipient + ">"); }
    std::string rcpt(const std::string& recipient = "anna@here.example") {
        auto client = greeted();
        EXPECT_THAT(client->ask("MAIL FROM:<carl@there.example> SIZE=100"), StartsWith("250 "));
        return to(*client, recipient);
    }
    std::vector<policy::RuleText> behind_;
};

TEST_F(PolicyAskingTest, AsksOverOneConnectionAndDoesAsItIsTold) {
    ScriptedPeer peer({"L: recipient=anna\ns: action=DUNNO||\nL: recipient=bob\ns: action=REJECT 5.7.9 not bob||"});
    use(delegated(peer));
    auto client = greeted();
    EXPECT_THAT(client->ask("MAIL FROM:<carl@there.example>"), StartsWith("250 "));
    EXPECT_THAT(to(*client, "anna@here.example"), StartsWith("250 "));
    EXPECT_EQ(to(*client, "bob@here.example"), "550 5.7.9 not bob");
    ASSERT_THAT(peer.wire(), SizeIs(1));
    EXPECT_THAT(
        peer.wire()[0],
        AllOf(StartsWith("request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\nclient_address=127.0.0.1\n"),
              HasSubstr("\nclient_name=unknown\n"), HasSubstr("\nsender=carl@there.example\n"), HasSubstr("\nhelo_name=client.example\n")));
}

TEST_F(PolicyAskingTest, AKeptConnectionThatDiedIsReplacedOnce) {
    ScriptedPeer peer({"L: recipient=anna\ns: action=DUNNO||\nL: recipient=bob", "L: recipient=bob\ns: action=450 later||"});
    use(delegated(peer));
    auto client = greeted();
    EXPECT_THAT(client->ask("MAIL FROM:<carl@there.example>"), StartsWith("250 "));
    EXPECT_THAT(to(*client, "anna@here.example"), StartsWith("250 "));
    EXPECT_EQ(to(*client, "bob@here.example"), "450 4.7.1 later");
}

TEST_F(PolicyAskingTest, WhoTalksUnaskedAnswersNothing) {
    std::promise<void> answered;
    std::promise<void> talked;
    int called = 0;
    ScriptedPeer peer({"L: recipient=anna\ns: action=DUNNO||\n!:\ns: action=OK||\n!:\nH:", "L: recipient=bob\ns: action=REJECT||"}, nullptr,
                      [&] { called++ == 0 ? answered.get_future().wait() : talked.set_value(); });
    use(delegated(peer));
    auto client = greeted();
    EXPECT_THAT(client->ask("MAIL FROM:<carl@there.example>"), StartsWith("250 "));
    EXPECT_THAT(to(*client, "anna@here.example"), StartsWith("250 "));
    answered.set_value();
    talked.get_future().wait();
    EXPECT_THAT(to(*client, "bob@here.example"), StartsWith("550 5.7.1 "));
}

TEST_F(PolicyAskingTest, IsAskedAtEveryStageItIsFor) {
    ScriptedPeer peer(
        {"L: =CONNECT\ns: action=DUNNO||\nL: =EHLO\ns: action=DUNNO||\nL: =MAIL\ns: action=PREPEND X-Asked: yes||\n"
         "L: =DATA\ns: action=DUNNO||\nL: =END-OF-MESSAGE\ns: action=DUNNO||"});
    use(delegated(peer, {Stage::connect, Stage::helo, Stage::mail, Stage::data, Stage::content}));
    auto client = greeted();
    for (const auto* line : {"MAIL FROM:<>", "RCPT TO:<anna@here.example>"}) EXPECT_THAT(client->ask(line), StartsWith("250 ")) << line;
    EXPECT_THAT(client->ask("DATA"), StartsWith("354 "));
    EXPECT_THAT(client->ask("Subject: x\r\n\r\nHello.\r\n."), StartsWith("250 "));
    EXPECT_THAT(text(accepted().at(0)), StartsWith("X-Asked: yes\r\n"));
    EXPECT_THAT(peer.wire().at(0), AllOf(HasSubstr("recipient=anna@here.example\nrecipient_count=1\n"), HasSubstr("\nsender=\n")));
}

TEST_F(PolicyAskingTest, DeferIfPermitGivesWayToARejection) {
    behind_.push_back({.name = "later", .stage = Stage::rcpt, .when = "recipient like 'bob@*'", .action = policy::Action::reject});
    ScriptedPeer peer({"L: recipient=anna\ns: action=DEFER_IF_PERMIT greylisted||\nL: recipient=bob\ns: action=DEFER_IF_PERMIT||"});
    use(delegated(peer));
    auto client = greeted();
    EXPECT_THAT(client->ask("MAIL FROM:<carl@there.example>"), StartsWith("250 "));
    EXPECT_EQ(to(*client, "anna@here.example"), "450 4.7.1 greylisted");
    EXPECT_THAT(to(*client, "bob@here.example"), StartsWith("550 5.7.1 "));
}

TEST_F(PolicyAskingTest, ACopyGoesToWhomTheServerNames) {
    ScriptedPeer peer(
        {"L: recipient=anna\ns: action=BCC archive@elsewhere.example||\nL: recipient=bob\ns: action=BCC archive@elsewhere.example||\n"
         "L: recipient=postmaster\ns: action=BCC anna@here.example||\nL: =DATA\ns: action=BCC audit@elsewhere.example||"});
    use(delegated(peer, {Stage::rcpt, Stage::data}));
    auto client = greeted();
    EXPECT_THAT(client->ask("MAIL FROM:<carl@there.example>"), StartsWith("250 "));
    for (const auto* who : {"anna@here.example", "bob@here.example", "postmaster@here.example"})
        EXPECT_THAT(to(*client, who), StartsWith("250 ")) << who;
    EXPECT_THAT(client->ask("DATA"), StartsWith("354 "));
    EXPECT_THAT(client->ask("Subject: x\r\n\r\nHello.\r\n."), StartsWith("250 "));
    const auto messages = accepted();
    std::map<std::string, mail::Notify> recipients;
    for (const auto& one : messages.at(0).envelope.recipients) recipients.emplace(mail::render_mailbox(one.mailbox), one.notify);
    ASSERT_THAT(recipients, SizeIs(5));
    EXPECT_EQ(recipients.at("archive@elsewhere.example"), mail::Notify{.given = true}) << "nobody is told of it";
    EXPECT_EQ(recipients.at("audit@elsewhere.example"), mail::Notify{.given = true});
    EXPECT_EQ(recipients.at("anna@here.example"), mail::Notify{}) << "who gets it anyway gets it once, as its sender wants";
    EXPECT_THAT(text(messages[0]), testing::Not(HasSubstr("archive"))) << "nor are readers";
}

TEST_F(PolicyAskingTest, ACopyOfWhatIsRefusedGoesNowhere) {
    behind_.push_back({.name = "no-bob", .stage = Stage::rcpt, .when = "recipient like 'bob@*'", .action = policy::Action::reject});
    ScriptedPeer peer({"L: recipient=bob\ns: action=BCC archive@elsewhere.example||\nL: recipient=anna\ns: action=DUNNO||"});
    use(delegated(peer));
    auto client = greeted();
    EXPECT_THAT(client->ask("MAIL FROM:<carl@there.example>"), StartsWith("250 "));
    EXPECT_THAT(to(*client, "bob@here.example"), StartsWith("550 "));
    EXPECT_THAT(to(*client, "anna@here.example"), StartsWith("250 "));
    EXPECT_THAT(client->ask("DATA"), StartsWith("354 "));
    EXPECT_THAT(client->ask("Subject: x\r\n\r\nHello.\r\n."), StartsWith("250 "));
    EXPECT_THAT(accepted().at(0).envelope.recipients, SizeIs(1));
}

class UndoableActionTest : public PolicyAskingTest, public testing::WithParamInterface<const char*> {};
TEST_P(UndoableActionTest, PutsOff) {
    ScriptedPeer peer({fmt::format("L: anna\ns: action={}||", GetParam())});
    use(delegated(peer));
    EXPECT_THAT(rcpt(), StartsWith("451 4.3.5 "));
}
INSTANTIATE_TEST_SUITE_P(Actions, UndoableActionTest, testing::Values("FILTER smtp:[127.0.0.1]:10025", "BCC not an address", "BCC"));

TEST_F(PolicyAskingTest, WithoutAMessageThereIsNothingToCopy) {
    ScriptedPeer peer({"L: =EHLO\ns: action=BCC anna@here.example||"});
    use(delegated(peer, {Stage::helo}));
    auto client = connect(mx_);
    EXPECT_THAT(client->hear(), StartsWith("220 "));
    EXPECT_THAT(client->ask("EHLO client.example"), StartsWith("451 4.3.5 "));
}

TEST_F(PolicyAskingTest, NobodyIsLetRelay) {
    ScriptedPeer peer({"-"});
    use(delegated(peer));
    EXPECT_THAT(rcpt("somebody@elsewhere.example"), StartsWith("550 5.7.1 "));
    EXPECT_THAT(peer.wire(), SizeIs(0));
}

struct Trouble {
    const char* name;
    std::vector<std::string> scripts;
};
class PolicyTroubleTest : public PolicyAskingTest, public testing::WithParamInterface<Trouble> {};

TEST_P(PolicyTroubleTest, PutsOff) {
    ScriptedPeer peer(GetParam().scripts);
    if (GetParam().scripts.empty()) peer.finish();
    use(delegated(peer));
    EXPECT_EQ(rcpt(), "451 4.3.5 this server cannot decide about it at the moment, please try again later");
}
TEST_P(PolicyTroubleTest, GoesOnWhereTheConfigurationWantsIt) {
    ScriptedPeer peer(GetParam().scripts);
    if (GetParam().scripts.empty()) peer.finish();
    auto server = delegated(peer);
    server.default_action = DefaultAction::accept;
    use(std::move(server));
    EXPECT_THAT(rcpt(), StartsWith("250 "));
}
TEST_P(PolicyTroubleTest, AHookIsNoDifferent) {
    ScriptedPeer peer(GetParam().scripts);
    if (GetParam().scripts.empty()) peer.finish();
    use(hook(peer));
    EXPECT_THAT(rcpt(), StartsWith("451 4.3.5 "));
}
INSTANTIATE_TEST_SUITE_P(Servers, PolicyTroubleTest,
                         testing::Values(Trouble{"Absent", {}}, Trouble{"LeavesAtOnce", {"-"}}, Trouble{"LeavesHavingHeard", {"L: =RCPT"}},
                                         Trouble{"Silent", {"H:"}}, Trouble{"Rubbish", {"s: 220 hello||\nH:"}},
                                         Trouble{"Half", {"L: anna\ns: action=OK|"}}, Trouble{"Slow", {"L: anna\nP: action=OK"}}),
                         [](const auto& row) { return std::string(row.param.name); });

TEST_F(PolicyAskingTest, AHookIsToldTheFactsAndKeepsItsConnection) {
    ScriptedPeer peer(
        {"L: anna@\ns: HTTP/1.1 200 OK|Content-Length: 2||{}\n"
         "L: bob@\ns: HTTP/1.1 200 OK|Transfer-Encoding: chunked||\ns: 1F|{\"action\":\"defer\",\"text\":\"hm\"} |0||"});
    auto server = hook(peer);
    server.authorization = "Basic eDp5";
    use(std::move(server));
    auto client = greeted();
    EXPECT_THAT(client->ask("MAIL FROM:<carl@there.example>"), StartsWith("250 "));
    EXPECT_THAT(to(*client, "anna@here.example"), StartsWith("250 "));
    EXPECT_EQ(to(*client, "bob@here.example"), "450 4.7.1 hm");
    ASSERT_THAT(peer.wire(), SizeIs(1));
    EXPECT_THAT(peer.wire()[0],
                AllOf(StartsWith("POST /ask?x=1 HTTP/1.1\r\nHost: 127.0.0.1:"), HasSubstr("\r\nAuthorization: Basic eDp5\r\n"),
                      HasSubstr("\r\nContent-Type: application/json\r\n"), HasSubstr("\"sender\":\"carl@there.example\"")));
}

TEST_F(PolicyAskingTest, AHookThatClosesIsAskedOverAnother) {
    const std::string answer = "HTTP/1.0 200 OK|Content-Type: application/json||{}";
    ScriptedPeer peer({"L: anna@\ns: " + answer, "L: bob@\ns: " + answer});
    use(hook(peer));
    auto client = greeted();
    EXPECT_THAT(client->ask("MAIL FROM:<carl@there.example>"), StartsWith("250 "));
    EXPECT_THAT(to(*client, "anna@here.example"), StartsWith("250 "));
    EXPECT_THAT(to(*client, "bob@here.example"), StartsWith("250 "));
}

class HookTroubleTest : public PolicyAskingTest, public testing::WithParamInterface<const char*> {};
TEST_P(HookTroubleTest, PutsOff) {
    ScriptedPeer peer({std::string("L: anna@\ns: ") + GetParam()});
    use(hook(peer));
    EXPECT_THAT(rcpt(), StartsWith("451 4.3.5 "));
}
INSTANTIATE_TEST_SUITE_P(Answers, HookTroubleTest,
                         testing::Values("HTTP/1.1 500 Oops|Content-Length: 2||{}", "HTTP/1.1 302 Found|Location: /x|Content-Length: 0||",
                                         "HTTP/1.1 200 OK|Content-Length: 5||nope.", "HTTP/1.1 200 OK|Content-Length: 70000||{}",
                                         "HTTP/1.1 200 OK|Content-Length: 50||{}",
                                         "HTTP/1.1 200 OK|Content-Length: 18||{\"action\":\"hoorah\"}"));

struct UrlCase {
    const char* url;
    WebAddress address;
};
TEST(WebAddress, IsReadFromItsUrl) {
    const std::vector<UrlCase> cases{
        {"http://127.0.0.1:8080/policy", {.host = "127.0.0.1", .port = 8080, .target = "/policy"}},
        {"https://check.example.net", {.tls = true, .host = "check.example.net", .port = 443, .target = "/"}},
        {"http://[::1]:81?a=b", {.host = "::1", .port = 81, .target = "/?a=b"}},
        {"http://[2001:db8::1]/x", {.host = "2001:db8::1", .port = 80, .target = "/x"}},
    };
    for (const auto& [url, address] : cases) EXPECT_EQ(parse_web_address(url).value(), address) << url;
    for (const auto* wrong : {"", "ftp://a/", "http://", "http://u:p@a/", "http://a:0/", "http://a:99999/", "http://a:x/", "http://a b/",
                              "http://a/\r\nX: y", "http://a/#f", "http://a_b..c/", "127.0.0.1:80"})
        EXPECT_FALSE(parse_web_address(wrong)) << wrong;
}

}  // namespace
}  // namespace thurn::inbound
