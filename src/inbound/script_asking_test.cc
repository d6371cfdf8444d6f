// Scripts, run by a conversation.
#include "support/conversation_fixture.h"
#include "support/scripted_peer.h"

#include <fmt/format.h>

namespace thurn::inbound {
namespace {

class ScriptAskingTest : public ConversationTest {
protected:
    void use(const std::string& source, policy::Stage stage = policy::Stage::rcpt) {
        auto program = script::Program::compile(source, "rule.lua", {});
        ASSERT_TRUE(program) << program.error().detail;
        const Asked asked{.name = "mine", .stages = {stage}};
        options_.scripts = {{.asked = asked, .program = *std::move(program), .time_limit = std::chrono::seconds(1)}};
        auto book = std::make_shared<policy::Rulebook>();
        for (auto& rule : rules_asking(asked, kScript)) EXPECT_TRUE(book->rules.add(std::move(rule)));
        options_.rulebook = std::move(book);
        start();
    }
    std::string rcpt() {
        auto client = greeted();
        EXPECT_THAT(client->ask("MAIL FROM:<carl@there.example> SIZE=100"), StartsWith("250 "));
        return client->ask("RCPT TO:<anna@here.example>");
    }
};

TEST_F(ScriptAskingTest, ReadsFactsOfEveryKind) {
    use("local name, why = dns.lookup('x.example')\n"
        "return 'reject', fact('sender') .. ' ' .. fact('size') .. ' ' .. tostring(fact('sender.ours')) .. ' ' .. fact('recipient.kind') "
        ".. ' ' "
        ".. tostring(name) .. ' ' .. why .. ' ' .. #fact('tags')");
    EXPECT_EQ(rcpt(), "550 5.7.1 carl@there.example 100 false account nil there is no resolver 0");
}

TEST_F(ScriptAskingTest, RemembersBetweenConversations) {
    use("if shared.incr('n', 1, 60) > 1 then return 'defer', 'once is enough' end");
    EXPECT_THAT(rcpt(), StartsWith("250 "));
    EXPECT_EQ(rcpt(), "450 4.7.1 once is enough");
}

TEST_F(ScriptAskingTest, AsksTheWeb) {
    support::ScriptedPeer peer({"L: GET /x\ns: HTTP/1.1 200 OK|Content-Length: 2||no"});
    use(fmt::format("local r = http.get('http://127.0.0.1:{}/x')\nreturn 'reject', r.status .. r.body", peer.port()));
    EXPECT_EQ(rcpt(), "550 5.7.1 200no");
}

TEST_F(ScriptAskingTest, AnErrorPutsOff) {
    use("error('secret')");
    EXPECT_EQ(rcpt(), "451 4.3.0 this server cannot decide about it at the moment, please try again later");
}

TEST_F(ScriptAskingTest, WhatWaitsTooLongPutsOff) {
    support::ScriptedPeer peer({"H:"});
    use(fmt::format("local r = http.get('http://127.0.0.1:{}/x')\nfact('sender.ours')", peer.port()));
    EXPECT_THAT(rcpt(), StartsWith("451 4.3.0 "));
}

TEST_F(ScriptAskingTest, LooksIntoTheContent) {
    use("if fact('header.Subject')[1] == 'x' and fact('test_pattern') == '' then return {header = 'X-Lua: seen'} end",
        policy::Stage::content);
    auto client = greeted();
    for (const auto* line : {"MAIL FROM:<>", "RCPT TO:<anna@here.example>"}) EXPECT_THAT(client->ask(line), StartsWith("250 "));
    EXPECT_THAT(client->ask("DATA"), StartsWith("354 "));
    EXPECT_THAT(client->ask("Subject: x\r\n\r\nHello.\r\n."), StartsWith("250 "));
    EXPECT_THAT(text(accepted().at(0)), StartsWith("X-Lua: seen\r\n"));
}

}  // namespace
}  // namespace thurn::inbound
