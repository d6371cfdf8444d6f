#include "milter/protocol.h"
#include "support/conversation_fixture.h"
#include "support/scripted_filter.h"

namespace thurn::inbound {
namespace {

using namespace std::string_literals;
using support::milter_packet;
using support::ScriptedFilter;
using testing::Contains;
using testing::ElementsAreArray;
using DefaultAction = MilterOptions::DefaultAction;

const std::string kContinue = milter_packet('c');

class MiltersTest : public ConversationTest {
protected:
    void use(const ScriptedFilter& filter, DefaultAction action = DefaultAction::tempfail, std::string name = "f") {
        options_.milters.push_back({.name = std::move(name),
                                    .socket = {.path = filter.path(), .host = {}},
                                    .default_action = action,
                                    .command_timeout = std::chrono::seconds(1),
                                    .content_timeout = std::chrono::seconds(1)});
    }
    /// The reply to the content, or to what was refused before it.
    std::string send(TestClient& client, const std::string& content = "Subject: x\r\nX-A: 1\r\n\r\nHello.\r\n") {
        for (const auto* line : {"MAIL FROM:<carl@there.example>", "RCPT TO:<anna@here.example>", "DATA"}) {
            const auto reply = client.ask(line);
            if (!reply.starts_with("2") && !reply.starts_with("3")) return reply;
        }
        return client.ask(content + ".");
    }
    /// What was stored behind our own `Received`.
    std::string stored(std::size_t number = 0) {
        const auto whole = text(accepted().at(number));
        std::size_t at = 0;
        do at = whole.find("\r\n", at) + 2;
        while (whole[at] == ' ' || whole[at] == '\t');
        return whole.substr(at);
    }
    std::string told() { return journal_.story(); }
    void begin() {
        if (service_)
            service_->configure(std::make_shared<const Options>(options_));
        else
            start();
    }
};

TEST_F(MiltersTest, TellsEveryStepAndKeepsTheConnection) {
    ScriptedFilter filter;
    use(filter);
    begin();
    {
        auto client = greeted();
        EXPECT_THAT(send(*client), StartsWith("250 2.0.0"));
        EXPECT_THAT(client->ask("RUBBISH x"), StartsWith("500 "));
        EXPECT_THAT(client->ask("MAIL FROM:<> SIZE=100"), StartsWith("250 "));
        EXPECT_THAT(client->ask("RSET"), StartsWith("250 "));
        EXPECT_THAT(send(*client), StartsWith("250 2.0.0"));
        EXPECT_THAT(client->ask("QUIT"), StartsWith("221 "));
        EXPECT_EQ(client->hear(), "");
    }
    std::vector<std::string> steps;
    for (const auto& one : filter.heard_to_the_end())
        if (one[0] != 'D') steps.push_back(one);
    steps.at(1) = steps[1].substr(0, 13);
    const std::vector<std::string> message{
        "M<carl@there.example>|", "R<anna@here.example>|", "T", "LSubject|x|", "LX-A|1|", "N", "BHello.\r\n", "E"};
    std::vector<std::string> expected{std::string("O\0\0\0\6\0\0\1\xff\0\x1f\xf7\xff", 13), "C[127.0.0.1]|", "Hclient.example|"};
    for (auto& c : expected[0])
        if (c == '\0') c = '|';
    expected.insert(expected.end(), message.begin(), message.end());
    expected.insert(expected.end(), {"Uunknown|", "M<>|SIZE=100|", "A"});
    expected.insert(expected.end(), message.begin(), message.end());
    expected.emplace_back("Q");
    EXPECT_THAT(steps, ElementsAreArray(expected));
    EXPECT_EQ(filter.connections(), 1);
    EXPECT_THAT(filter.heard(),
                Contains(AllOf(StartsWith("DMi|" + accepted()[0].id.text()), HasSubstr("{mail_addr}|carl@there.example|"))));
    EXPECT_THAT(filter.heard(), Contains(AllOf(StartsWith("DC"), HasSubstr("{client_addr}|127.0.0.1|"), HasSubstr("{daemon_name}|mx|"))));
    EXPECT_EQ(stored(), "Subject: x\r\nX-A: 1\r\n\r\nHello.\r\n");
}

TEST_F(MiltersTest, MakesEveryChange) {
    ScriptedFilter first({{'E', milter_packet('h', "X-B\0two\0"s) + milter_packet('i', "\0\0\0\0X-Top\0top\0"s) +
                                    milter_packet('m', "\0\0\0\1x-a\0changed\0"s) + milter_packet('m', "\0\0\0\1Subject\0\0"s) +
                                    milter_packet('e', "<new@there.example>\0"s) + milter_packet('+', "<bob@here.example>\0"s) +
                                    milter_packet('2', "carl@far.example\0NOTIFY=NEVER\0"s) + milter_packet('-', "<anna@here.example>\0"s) +
                                    milter_packet('b', "new\n") + milter_packet('b', "body") + milter_packet('p') +
                                    milter_packet('q', "look at it\0"s) + kContinue}});
    ScriptedFilter second({{'E', milter_packet('h', "X-C\0three\0"s) + kContinue}});
    use(first);
    use(second, DefaultAction::tempfail, "g");
    begin();
    auto client = greeted();
    EXPECT_THAT(send(*client), StartsWith("250 2.0.0"));
    EXPECT_EQ(stored(), "X-Top: top\r\nX-A: changed\r\nX-B: two\r\nX-C: three\r\n\r\nnew\r\nbody\r\n");
    EXPECT_THAT(second.heard(),
                AllOf(Contains("LX-Top|top|"), Contains("LX-A|changed|"), Not(Contains("LSubject|x|")), Contains("Bnew\r\nbody\r\n")));
    const auto envelope = accepted()[0].envelope;
    EXPECT_EQ(mail::render_path(envelope.sender), "new@there.example");
    ASSERT_EQ(envelope.recipients.size(), 2U);
    EXPECT_EQ(mail::render_mailbox(envelope.recipients[0].mailbox), "bob@here.example");
    EXPECT_EQ(mail::render_mailbox(envelope.recipients[1].mailbox), "carl@far.example");
    EXPECT_TRUE(envelope.recipients[1].notify.given);
    EXPECT_EQ(envelope.recipients[0].state.standing, spool::Standing::held);
    EXPECT_EQ(envelope.recipients[0].state.last_status, "held: f: look at it");
    EXPECT_THAT(told(), AllOf(HasSubstr("milter.f"), HasSubstr("adds X-B: two"), HasSubstr("removes Subject number 1"),
                              HasSubstr("adds recipient <carl@far.example>"), HasSubstr("replaces the body, 11 octets"),
                              HasSubstr("asks for quarantine: look at it"), HasSubstr("milter g: adds X-C: three")));
}

TEST_F(MiltersTest, WritesLongContentAnew) {
    ScriptedFilter filter({{'B', "hang"}, {'E', milter_packet('h', "X-B\0two\0"s) + kContinue}}, milter::step::silent_body);
    use(filter);
    begin();
    auto client = greeted();
    std::string body;
    for (int line = 0; line < 5000; ++line) body += "a line of a long message, number " + std::to_string(line) + "\r\n";
    EXPECT_THAT(send(*client, "Subject: x\r\n\r\n" + body), StartsWith("250 "));
    EXPECT_TRUE(stored() == "Subject: x\r\nX-B: two\r\n\r\n" + body);
    std::string seen;
    for (const auto& one : filter.heard())
        if (one[0] == 'B') seen += one.substr(1);
    EXPECT_TRUE(seen == body);
}

TEST_F(MiltersTest, SaysWhatTheFilterSays) {
    struct Row {
        char step;
        std::string answer;
        const char* reply;
    };
    for (const auto& [step, answer, reply] : std::vector<Row>{{'C', milter_packet('r'), "550 5.7.1 refused by a content filter"},
                                                              {'H', milter_packet('t'), "451 4.7.1"},
                                                              {'M', milter_packet('y', "553 5.1.8 not you\0"s), "553 5.1.8 not you"},
                                                              {'R', milter_packet('y', "450 4.7.1 greylisted\0"s), "450 4.7.1 greylisted"},
                                                              {'T', milter_packet('r'), "550 5.7.1"},
                                                              {'L', milter_packet('r'), "550 5.7.1"},
                                                              {'N', milter_packet('t'), "451 4.7.1"},
                                                              {'B', milter_packet('y', "554 spam\0"s), "554 5.7.1 spam"},
                                                              {'E', milter_packet('r'), "550 5.7.1"},
                                                              {'E', milter_packet('4'), "421 4.7.1"}}) {
        ScriptedFilter filter({{step, answer}});
        options_.milters.clear();
        use(filter);
        begin();
        auto client = greeted();
        EXPECT_THAT(send(*client), StartsWith(reply)) << step;
        if (*reply == '4' && reply[1] == '2') continue;
        if (step == 'R') client->ask("RSET");
        filter.answer(step, milter_packet('c'));
        const bool for_good = step == 'C' || step == 'H';
        EXPECT_THAT(send(*client), StartsWith(for_good ? reply : "250 ")) << step << ": the next message";
    }
}

TEST_F(MiltersTest, DiscardsWhatAFilterWantsDiscarded) {
    for (const char step : {'M', 'R', 'T', 'L', 'B', 'E'}) {
        ScriptedFilter filter({{step, milter_packet('d')}});
        options_.milters.clear();
        use(filter);
        begin();
        auto client = greeted();
        EXPECT_THAT(send(*client), StartsWith("250 2.0.0 queued as ")) << step;
        EXPECT_TRUE(accepted().empty()) << step;
        filter.answer(step, milter_packet('c'));
    }
    EXPECT_THAT(told(), AllOf(HasSubstr("discarded"), HasSubstr("discard by milter.f")));
}

TEST_F(MiltersTest, AsksNoMoreOnceAFilterHasAccepted) {
    ScriptedFilter filter({{'M', milter_packet('a')}});
    use(filter);
    begin();
    auto client = greeted();
    EXPECT_THAT(send(*client), StartsWith("250 "));
    EXPECT_THAT(send(*client), StartsWith("250 "));
    EXPECT_THAT(filter.heard(), AllOf(Not(Contains(StartsWith("R"))), Not(Contains("E"))));
    EXPECT_EQ(std::ranges::count_if(filter.heard(), [](const auto& one) { return one[0] == 'M'; }), 2) << "the next message is another";
}

TEST_F(MiltersTest, ConnectsAnewToAFilterThatLeftBetweenMessages) {
    ScriptedFilter filter({{'E', kContinue + "leave"}});
    use(filter);
    begin();
    auto client = greeted();
    for (int k = 0; k < 3; ++k) {
        EXPECT_THAT(send(*client), StartsWith("250 ")) << k;
        filter.wait_for_ends(k + 1);
    }
    EXPECT_EQ(filter.connections(), 3);
}

struct FailureCase {
    const char* name;
    DefaultAction action;
    const char* reply;
    bool kept;
    bool held;
};
class FailingFilterTest : public MiltersTest, public testing::WithParamInterface<FailureCase> {};

TEST_P(FailingFilterTest, LosesNoMail) {
    const auto& row = GetParam();
    for (const char step : {'C', 'M', 'R', 'T', 'L', 'B', 'E'})
        for (const std::string& trouble : {"leave"s, "hang"s, "220 mx.there.example ESMTP\r\n"s, milter_packet('h', "X-A\0"s)}) {
            if (trouble == "hang" && step != 'E') continue;  // it takes a second
            ScriptedFilter filter({{step, trouble}});
            options_.milters.clear();
            use(filter, row.action);
            begin();
            accepted_.with([](auto& all) { all.clear(); });
            auto client = greeted();
            EXPECT_THAT(send(*client), StartsWith(row.reply)) << step << trouble;
            ASSERT_EQ(accepted().size(), row.kept ? 1U : 0U) << step << trouble;
            if (row.kept) {
                EXPECT_EQ(stored(), "Subject: x\r\nX-A: 1\r\n\r\nHello.\r\n");
                EXPECT_EQ(accepted()[0].envelope.recipients[0].state.standing == spool::Standing::held, row.held);
            }
            filter.answer(step, milter_packet('c'));
            client->ask("RSET");
            EXPECT_THAT(send(*client), StartsWith("250 ")) << "it is tried again: " << step << trouble;
        }
}

INSTANTIATE_TEST_SUITE_P(Every, FailingFilterTest,
                         testing::Values(FailureCase{"Tempfail", DefaultAction::tempfail, "451 4.7.1", false, false},
                                         FailureCase{"Accept", DefaultAction::accept, "250 ", true, false},
                                         FailureCase{"Reject", DefaultAction::reject, "550 5.7.1", false, false},
                                         FailureCase{"Quarantine", DefaultAction::quarantine, "250 ", true, true}),
                         [](const auto& row) { return std::string(row.param.name); });

/// The reply tells which: without an end of their own, signs of life would keep the client waiting for good.
TEST_F(MiltersTest, SignsOfLifeDoNotCountForEver) {
    for (const char step : {'R', 'L', 'E'}) {
        ScriptedFilter filter({{step, "progress"}});
        options_.milters.clear();
        use(filter);
        options_.milters[0].command_timeout = options_.milters[0].content_timeout = std::chrono::seconds(600);
        options_.milters[0].total_timeout = std::chrono::seconds(1);
        begin();
        auto client = greeted();
        EXPECT_THAT(send(*client), StartsWith("451 4.7.1")) << step;
        EXPECT_TRUE(accepted().empty());
    }
}

class RedirectedTest : public MiltersTest {
protected:
    RedirectedTest() {
        auto book = std::make_shared<policy::Rulebook>();
        EXPECT_TRUE(book->rules.add({.name = "elsewhere",
                                     .stage = policy::Stage::rcpt,
                                     .when = "recipient = 'anna@here.example'",
                                     .action = policy::Action::redirect,
                                     .to = "store@far.example"}));
        options_.rulebook = std::move(book);
    }
    /// Whom the message goes to, that the client sends to these.
    std::vector<std::string> sent_to(std::initializer_list<const char*> named, const std::string& changes) {
        ScriptedFilter filter({{'E', changes + kContinue}});
        use(filter);
        begin();
        auto client = greeted();
        EXPECT_THAT(client->ask("MAIL FROM:<carl@there.example>"), StartsWith("250 "));
        for (const auto* one : named) EXPECT_THAT(client->ask(fmt::format("RCPT TO:<{}>", one)), StartsWith("250 "));
        EXPECT_THAT(client->ask("DATA"), StartsWith("354 "));
        EXPECT_THAT(client->ask("Subject: x\r\n\r\nHello.\r\n."), StartsWith("250 "));
        heard_ = filter.heard();
        std::vector<std::string> recipients;
        for (const auto& message : accepted())
            for (const auto& one : message.envelope.recipients) recipients.push_back(mail::render_mailbox(one.mailbox));
        return recipients;
    }
    std::vector<std::string> heard_;
};

TEST_F(RedirectedTest, AFilterRemovesARecipientByTheNameItHeard) {
    EXPECT_THAT(sent_to({"anna@here.example", "bob@here.example"}, milter_packet('-', "<anna@here.example>\0"s)),
                ElementsAre("bob@here.example"));
    EXPECT_THAT(heard_, Contains(HasSubstr("R<anna@here.example>")));
}

TEST_F(RedirectedTest, WhoWasNamedBesidesStays) {
    directory_.add_domain("far.example");
    directory_.add_account("store@far.example", "x");
    EXPECT_THAT(sent_to({"anna@here.example", "store@far.example"}, milter_packet('-', "<anna@here.example>\0"s)),
                ElementsAre("store@far.example"));
}

TEST_F(RedirectedTest, AFilterMayRemoveWhoGetsItInstead) {
    EXPECT_THAT(sent_to({"anna@here.example", "bob@here.example"}, milter_packet('-', "<store@far.example>\0"s)),
                ElementsAre("bob@here.example"));
}

TEST_F(MiltersTest, CountsAChangeThatCannotBeMadeAsAFailure) {
    ScriptedFilter filter({{'E', milter_packet('h', "X-B\0two\0"s) + milter_packet('+', "<no address\0"s) + kContinue}});
    use(filter, DefaultAction::accept);
    begin();
    auto client = greeted();
    EXPECT_THAT(send(*client), StartsWith("250 "));
    EXPECT_EQ(stored(), "Subject: x\r\nX-A: 1\r\n\r\nHello.\r\n") << "none of its changes is made";
    EXPECT_EQ(accepted()[0].envelope.recipients.size(), 1U);
}

TEST_F(MiltersTest, IsNotThereForOtherListeners) {
    ScriptedFilter filter({{'M', milter_packet('r')}});
    use(filter);
    options_.milters[0].on = {policy::Role::submission};
    begin();
    auto client = greeted();
    EXPECT_THAT(send(*client), StartsWith("250 "));
    EXPECT_EQ(filter.connections(), 0);
    auto user = logged_in();
    EXPECT_THAT(user->ask("MAIL FROM:<anna@here.example>"), StartsWith("550 5.7.1"));
    EXPECT_THAT(filter.heard(), Contains(AllOf(StartsWith("DM"), HasSubstr("{auth_type}|PLAIN|{auth_authen}|anna@here.example|"))));
}

TEST_F(MiltersTest, ShowsWhatWeCompleteOfSubmittedMail) {
    ScriptedFilter filter({{'E', milter_packet('h', "X-B\0two\0"s) + kContinue}});
    use(filter);
    begin();
    auto client = logged_in();
    client->ask("MAIL FROM:<anna@here.example>");
    client->ask("RCPT TO:<bob@here.example>");
    client->ask("DATA");
    EXPECT_THAT(client->ask("Subject: x\r\n\r\nHello.\r\n."), StartsWith("250 "));
    EXPECT_THAT(filter.heard(), AllOf(Contains(StartsWith("LDate|")), Contains(StartsWith("LMessage-ID|<"))));
    const auto whole = text(accepted()[0]);
    EXPECT_EQ(whole.find("\r\nDate:"), whole.rfind("\r\nDate:")) << whole;
    EXPECT_THAT(whole, HasSubstr("\r\nSubject: x\r\nX-B: two\r\n\r\nHello.\r\n"));
}

TEST(MilterSocket, IsReadAndWritten) {
    for (const std::string text : {"unix:/run/f.sock", "inet:127.0.0.1:8891", "inet:[::1]:8891", "inet:filter.example:1"}) {
        const auto socket = parse_milter_socket(text);
        ASSERT_TRUE(socket) << text;
        EXPECT_EQ(render_milter_socket(*socket), text);
    }
    for (const auto* text : {"", "unix:", "unix:relative", "inet:", "inet:host", "inet:host:0", "inet:host:x", "inet:host:70000",
                             "inet::25", "inet:a b:25", "/run/f.sock"})
        EXPECT_FALSE(parse_milter_socket(text)) << text;
    EXPECT_FALSE(parse_milter_socket("unix:/" + std::string(107, 'x')));
}

}  // namespace
}  // namespace thurn::inbound
