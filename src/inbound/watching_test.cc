// What is watched for on the wire: accounts that send what they never did, and attacks that show.
#include "support/conversation_fixture.h"

namespace thurn::inbound {
namespace {

using namespace std::chrono_literals;
using policy::Alarm;
using policy::AlarmKind;
using Deed = policy::AccountRules::Deed;
using testing::Contains;
using testing::Field;
using testing::IsEmpty;
using testing::SizeIs;

class Heard final : public policy::Alarms {
public:
    bool raise(Alarm alarm) override {
        all_.with([&](auto& all) { all.push_back(std::move(alarm)); });
        return true;
    }
    std::vector<Alarm> all() {
        return all_.with([](auto& all) { return all; });
    }

private:
    base::Guarded<std::vector<Alarm>> all_;
};

class WatchingTest : public ConversationTest {
protected:
    WatchingTest() {
        alarms_ = &heard_;
        accounts_ = &baseline_;
        options_.accounts.new_recipients = 3;
        options_.accounts.learning = 0s;
    }
    /// The reply to DATA, or to the content.
    static std::string send(TestClient& client, const std::string& sender, const std::string& recipient) {
        client.ask("MAIL FROM:<" + sender + ">");
        client.ask("RCPT TO:<" + recipient + ">");
        auto reply = client.ask("DATA");
        return reply.starts_with("354") ? client.ask("Subject: x\r\n\r\nx\r\n.") : reply;
    }
    std::size_t held() {
        return static_cast<std::size_t>(std::ranges::count_if(
            accepted(), [](const auto& message) { return message.envelope.recipients.front().state.standing == spool::Standing::held; }));
    }
    Heard heard_;
    policy::AccountBaseline baseline_{{.capacity = 1000, .seed = 1}};
};

TEST_F(WatchingTest, HoldsWhatAnAccountSendsBeyondWhatCanBeBelieved) {
    start();
    auto client = logged_in();
    for (int i = 0; i < 8; ++i)
        EXPECT_THAT(send(*client, "anna@here.example", "p" + std::to_string(i) + "@there.example"), StartsWith("250 "));
    EXPECT_THAT(accepted(), SizeIs(8));
    EXPECT_EQ(held(), 5);
    EXPECT_THAT(accepted().back().envelope.recipients.front().state.last_status, HasSubstr("account_watch: 4 new recipients"));
    ASSERT_THAT(heard_.all(), SizeIs(1)) << "one alarm";
    EXPECT_EQ(heard_.all()[0].kind, AlarmKind::account);
    EXPECT_EQ(heard_.all()[0].subject, "anna@here.example");
    EXPECT_THAT(heard_.all()[0].detail, HasSubstr("4 new recipients within an hour, over 3"));
}

TEST_F(WatchingTest, ThrottlingAsksToTryAgain) {
    options_.accounts.deed = Deed::throttle;
    start();
    auto client = logged_in();
    for (int i = 0; i < 3; ++i) send(*client, "anna@here.example", "p" + std::to_string(i) + "@there.example");
    EXPECT_THAT(send(*client, "anna@here.example", "p3@there.example"), StartsWith("450 4.7.1"));
    EXPECT_THAT(send(*client, "anna@here.example", "p0@there.example"), StartsWith("250 ")) << "the connection goes on";
    clock_.advance(2h);
    EXPECT_THAT(send(*client, "anna@here.example", "p3@there.example"), StartsWith("250 "));
    EXPECT_EQ(held(), 0);
}

TEST_F(WatchingTest, SuspendsAnAccountForGood) {
    options_.accounts.deed = Deed::suspend;
    start();
    auto client = logged_in();
    for (int i = 0; i < 4; ++i) send(*client, "anna@here.example", "p" + std::to_string(i) + "@there.example");
    EXPECT_EQ(held(), 1);
    EXPECT_THAT(client->ask("MAIL FROM:<anna@here.example>"), StartsWith("550 5.7.13"));
    EXPECT_THAT(directory_.find_account("anna@here.example").value().value().suspended, testing::Optional(HasSubstr("4 new recipients")));
}

TEST_F(WatchingTest, StrangersAreNotWatched) {
    start();
    auto client = greeted();
    for (int i = 0; i < 10; ++i)
        EXPECT_THAT(send(*client, "p" + std::to_string(i) + "@there.example", "anna@here.example"), StartsWith("250 "));
    EXPECT_EQ(held(), 0);
    EXPECT_THAT(heard_.all(), IsEmpty());
    EXPECT_FALSE(baseline_.find("", clock_.now()));
}

TEST_F(WatchingTest, TellsOfRelayAttempts) {
    start();
    auto client = greeted();
    client->ask("MAIL FROM:<x@there.example>");
    EXPECT_THAT(client->ask("RCPT TO:<y@elsewhere.example>"), StartsWith("550 5.7.1"));
    ASSERT_THAT(heard_.all(), SizeIs(1));
    EXPECT_EQ(heard_.all()[0].kind, AlarmKind::relay);
    EXPECT_EQ(heard_.all()[0].subject, "127.0.0.1");
    EXPECT_EQ(heard_.all()[0].detail, "wants to send to y@elsewhere.example");
    client->ask("RCPT TO:<nobody@here.example>");
    EXPECT_THAT(heard_.all(), SizeIs(1)) << "an unknown recipient is another matter";
}

TEST_F(WatchingTest, TellsOfSmuggling) {
    start();
    auto client = greeted();
    client->ask("MAIL FROM:<x@there.example>");
    client->ask("RCPT TO:<anna@here.example>");
    client->ask("DATA");
    EXPECT_THAT(client->ask("Subject: x\r\n\r\nx\n.\nMAIL FROM:<y@there.example>\r\n."), StartsWith("550 5.6.0"));
    client->say("NOOP\nNOOP\r\n");
    EXPECT_THAT(client->hear(), StartsWith("500 5.5.2"));
    ASSERT_THAT(heard_.all(), SizeIs(2));
    for (const auto& alarm : heard_.all()) EXPECT_EQ(alarm.kind, AlarmKind::smuggling);
}

TEST_F(WatchingTest, TellsOfCommandFloods) {
    options_.session.errors = 3;
    start();
    auto client = greeted();
    for (int i = 0; i < 4; ++i) client->ask("NONSENSE");
    ASSERT_THAT(heard_.all(), SizeIs(1));
    EXPECT_EQ(heard_.all()[0].kind, AlarmKind::command_flood);
    EXPECT_EQ(heard_.all()[0].detail, "Too many errors");
}

TEST_F(WatchingTest, TellsOfLockouts) {
    options_.logins.failures = 2;
    start();
    for (int i = 0; i < 2; ++i) submitting()->ask("AUTH PLAIN AGFubmFAaGVyZS5leGFtcGxlAHdyb25n");
    EXPECT_THAT(heard_.all(), Contains(Field(&Alarm::kind, AlarmKind::lockout)));
}

}  // namespace
}  // namespace thurn::inbound
