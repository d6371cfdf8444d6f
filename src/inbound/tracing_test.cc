// What the trace tells of what was refused.
#include "support/conversation_fixture.h"

#include <sstream>

#include <fmt/format.h>

namespace thurn::inbound {
namespace {

using policy::Action;
using policy::Stage;

class TracingTest : public ConversationTest {
protected:
    void rule(policy::RuleText said) {
        auto book = std::make_shared<policy::Rulebook>();
        ASSERT_TRUE(book->rules.add(std::move(said)));
        options_.rulebook = std::move(book);
    }
    /// The kinds of events so far, and the stages of decisions: `refused rcpt`.
    std::string told() {
        std::string all;
        std::istringstream story(journal_.story());
        for (std::string line; std::getline(story, line);) {
            std::istringstream words(line.substr(14));  // behind the time
            std::string event, stage;
            words >> event >> stage;
            all += event + " ";
            if (event == "decided") all += stage.substr(0, stage.find(':')) + " ";
        }
        return all;
    }
};

TEST_F(TracingTest, ATransactionWithARefusalThatEndsWithoutAMessageIsToldOnce) {
    start();
    auto client = greeted();
    client->ask("MAIL FROM:<a@b.example>");
    EXPECT_THAT(client->ask("RCPT TO:<x@far.example>"), StartsWith("550 5.7.1"));
    EXPECT_THAT(client->ask("RCPT TO:<anna@here.example>"), StartsWith("250 "));
    EXPECT_EQ(told(), "") << "it may come to a message still";
    client->ask("RSET");
    EXPECT_EQ(told(), "refused decided rcpt decided rcpt ");
    EXPECT_THAT(journal_.story(), HasSubstr("from <a@b.example> to <anna@here.example>, <x@far.example>"));
    client->ask("MAIL FROM:<a@b.example>");
    client->ask("RSET");
    EXPECT_EQ(told(), "refused decided rcpt decided rcpt ") << "nothing was refused";
}

TEST_F(TracingTest, EachRefusedRecipientIsTold) {
    start();
    auto client = greeted();
    client->ask("MAIL FROM:<a@b.example>");
    for (const auto* recipient : {"x@far.example", "y@far.example", "y@far.example"})
        EXPECT_THAT(client->ask(fmt::format("RCPT TO:<{}>", recipient)), StartsWith("550 5.7.1"));
    client->ask("RSET");
    EXPECT_EQ(told(), "refused decided rcpt decided rcpt ") << "the last one said the same again";
    EXPECT_THAT(journal_.story(), HasSubstr("to <x@far.example>, <y@far.example>\n"));
}

TEST_F(TracingTest, ARefusedHelloIsAsIfItHadNotBeenSaid) {
    rule({.name = "not-evil", .stage = Stage::helo, .when = "helo = \"evil.example\"", .action = Action::reject});
    start();
    auto client = greeted();
    EXPECT_THAT(client->ask("EHLO evil.example"), StartsWith("550 "));
    EXPECT_EQ(told(), "refused decided helo ");
    client->ask("MAIL FROM:<a@b.example>");
    client->ask("RSET");
    EXPECT_EQ(told(), "refused decided helo ");
}

TEST_F(TracingTest, ARefusedHelloLeavesTheTransactionAsItIs) {
    rule({.name = "not-evil", .stage = Stage::helo, .when = "helo = \"evil.example\"", .action = Action::reject});
    start();
    auto client = greeted();
    client->ask("MAIL FROM:<a@b.example>");
    client->ask("RCPT TO:<anna@here.example>");
    EXPECT_THAT(client->ask("EHLO evil.example"), StartsWith("550 "));
    EXPECT_EQ(told(), "refused decided helo ");
    EXPECT_THAT(client->ask("RCPT TO:<bob@here.example>"), StartsWith("250 "));
    EXPECT_THAT(client->ask("DATA"), StartsWith("354 "));
    EXPECT_THAT(client->ask("\r\n."), StartsWith("250 "));
    ASSERT_EQ(accepted().size(), 1);
    EXPECT_EQ(accepted()[0].envelope.recipients.size(), 2);
    EXPECT_THAT(text(accepted()[0]), StartsWith("Received: from client.example "));
    client->ask("MAIL FROM:<a@b.example>");
    EXPECT_THAT(client->ask("EHLO client.example"), StartsWith("250-"));
    EXPECT_THAT(client->ask("RCPT TO:<anna@here.example>"), StartsWith("503 ")) << "an accepted one ends it";
}

TEST_F(TracingTest, AMessageOfWhichARecipientWasRefusedIsAccepted) {
    start();
    auto client = greeted();
    client->ask("MAIL FROM:<a@b.example>");
    client->ask("RCPT TO:<x@far.example>");
    client->ask("RCPT TO:<anna@here.example>");
    client->ask("DATA");
    EXPECT_THAT(client->ask("\r\n."), StartsWith("250 "));
    client->ask("QUIT");
    EXPECT_THAT(told(), StartsWith("accepted decided rcpt decided rcpt "));
    EXPECT_THAT(told(), Not(HasSubstr("refused")));
}

TEST_F(TracingTest, ARulesRefusalIsOneDecision) {
    rule({.name = "r", .stage = Stage::mail, .when = "sender = \"a@b.example\"", .action = Action::reject});
    start();
    EXPECT_THAT(greeted()->ask("MAIL FROM:<a@b.example>"), StartsWith("550 "));
    EXPECT_EQ(told(), "refused decided mail ");
}

TEST_F(TracingTest, WhoIsRefusedBeforeMailHasAStory) {
    rule({.name = "r", .stage = Stage::connect, .when = "client.stranger", .action = Action::reject});
    start();
    EXPECT_THAT(connect(mx_)->hear(), StartsWith("554 "));
    EXPECT_EQ(told(), "refused decided connect ");
}

TEST_F(TracingTest, ARefusedLoginIsNoMatterOfTheNextOne) {
    rule({.name = "not-anna", .stage = Stage::auth, .when = "login = \"anna@here.example\"", .action = Action::reject});
    start();
    auto client = submitting();
    EXPECT_THAT(client->ask("AUTH PLAIN AGFubmFAaGVyZS5leGFtcGxlAHNlY3JldA=="), StartsWith("535 "));
    EXPECT_EQ(told(), "refused decided auth ");
    EXPECT_THAT(journal_.story(), HasSubstr("as anna@here.example"));
    EXPECT_THAT(client->ask("AUTH PLAIN AGJvYkBoZXJlLmV4YW1wbGUAb3RoZXI="), StartsWith("235 "));
    client->ask("MAIL FROM:<bob@here.example>");
    client->ask("RCPT TO:<anna@here.example>");
    client->ask("DATA");
    EXPECT_THAT(client->ask("From: bob@here.example\r\n\r\n."), StartsWith("250 "));
    EXPECT_THAT(told(), StartsWith("refused decided auth accepted decided rcpt "));
}

}  // namespace
}  // namespace thurn::inbound
