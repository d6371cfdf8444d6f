#include "policy/web_hook.h"

#include <boost/json/parse.hpp>
#include <gtest/gtest.h>

namespace thurn::policy {
namespace {

namespace json = boost::json;

TEST(HookQuestion, HasTheFactsOfTheStageByTheirNames) {
    const auto sender = mail::parse_mailbox("carl@there.example").value();
    const auto recipient = mail::parse_mailbox("anna@here.example").value();
    const Situation now{
        .listener = "mx", .client_address = "192.0.2.1", .helo = "\xffhelo", .sender = &sender, .recipient = &recipient, .size = 5};
    const Marks marks{.score = 1.5, .tags = {"a"}, .headers = {}};
    const Question question{.stage = Stage::rcpt,
                            .rule = "hook",
                            .now = now,
                            .marks = marks,
                            .told = {{"client.name", std::string("c.example")}, {"dnsbl.zen", Unavailable{"x"}}},
                            .session = "s1",
                            .message = "01ABC"};
    const auto whole = json::parse(render_hook_question(question)).as_object();
    EXPECT_EQ(whole.at("stage"), "rcpt");
    EXPECT_EQ(whole.at("rule"), "hook");
    EXPECT_EQ(whole.at("session"), "s1");
    EXPECT_EQ(whole.at("message"), "01ABC");
    const auto& facts = whole.at("facts").as_object();
    EXPECT_EQ(facts.at("client.address"), "192.0.2.1");
    EXPECT_EQ(facts.at("client.stranger"), true);
    EXPECT_EQ(facts.at("client.name"), "c.example");
    EXPECT_TRUE(facts.at("dnsbl.zen").is_null());
    EXPECT_EQ(facts.at("helo"), "\xEF\xBF\xBDhelo");
    EXPECT_EQ(facts.at("recipient"), "anna@here.example");
    EXPECT_EQ(facts.at("sender.domain"), "there.example");
    EXPECT_EQ(facts.at("size"), 5);
    EXPECT_EQ(facts.at("score"), 1.5);
    EXPECT_EQ(facts.at("tags"), json::array{"a"});
    EXPECT_FALSE(facts.contains("recipients"));
    EXPECT_FALSE(facts.contains("header.*"));
    EXPECT_FALSE(facts.contains("spam_score"));
}

TEST(HookAnswer, SaysWhatToDo) {
    const auto advice =
        parse_hook_answer(R"({"action":"reject","code":554,"status":"5.7.9","text":"no","score":2,"tag":"t","header":"X-A: b"})").value();
    EXPECT_EQ(advice.action, Action::reject);
    EXPECT_EQ(advice.code, 554);
    EXPECT_EQ(advice.status, (mail::EnhancedStatus{5, 7, 9}));
    EXPECT_EQ(advice.text, "no");
    EXPECT_EQ(advice.score, 2);
    EXPECT_EQ(advice.tag, "t");
    EXPECT_EQ(advice.header, "X-A: b");
    EXPECT_EQ(advice.said, "reject no");
    for (const auto* none : {"{}", R"({"action":"none"})", R"({"action":"dunno"})", R"({"action":null,"text":null})", " {\n} "})
        EXPECT_EQ(parse_hook_answer(none).value().action, Action::none) << none;
    EXPECT_EQ(parse_hook_answer(R"({"action":"redirect","to":"a@b.example"})").value().to, "a@b.example");
}

TEST(HookAnswer, RefusesWhatMakesNoSense) {
    for (const auto* wrong : {"", "[]", "1", "null", "{", "{}x", R"({"a":[[[[[[1]]]]]]})"})
        EXPECT_EQ(parse_hook_answer(wrong).error().kind, base::ErrorKind::syntax) << wrong;
    for (const auto* wrong : {R"({"acton":"reject"})", R"({"action":"REJECT"})", R"({"action":1})", R"({"action":"reject","code":450})",
                              R"({"action":"defer","code":550})", R"({"action":"accept","code":250})", R"({"code":550})",
                              R"({"action":"reject","status":"4.7.1"})", R"({"action":"reject","status":"x"})", R"({"status":"5.7.1"})",
                              R"({"action":"reject","code":"550"})", R"({"score":"2"})", R"({"text":[]})"})
        EXPECT_EQ(parse_hook_answer(wrong).error().kind, base::ErrorKind::invalid) << wrong;
    EXPECT_EQ(parse_hook_answer(std::string(kMostOfAHookAnswer + 1, ' ')).error().kind, base::ErrorKind::too_long);
}

}  // namespace
}  // namespace thurn::policy
