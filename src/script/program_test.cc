#include "script/program.h"

#include <chrono>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace thurn::script {
namespace {

using policy::Action;
using policy::Advice;
using policy::FactValue;
using policy::Stage;
using testing::HasSubstr;
using testing::StartsWith;

using ScriptRun = Run;

class ScriptTest : public testing::Test {
protected:
    std::shared_ptr<const Program> compiled(const std::string& source, Limits limits = {}) {
        auto program = Program::compile(source, "rule.lua", limits);
        EXPECT_TRUE(program) << program.error().detail;
        return *program;
    }
    Run::About about(Stage stage = Stage::rcpt) { return {.stage = stage, .rule = "mine", .shared = shared_, .now = now_}; }
    /// Runs to its end; all that it wants is `heard`.
    base::Result<Advice> run(const std::string& source, Heard heard = FactValue(std::string("a@b.example")), Limits limits = {},
                             Stage stage = Stage::rcpt) {
        ScriptRun run(compiled(source, limits), about(stage));
        auto step = run.begin();
        for (int turns = 0; !std::holds_alternative<Ended>(step) && turns < 1000; ++turns) step = run.go_on(heard);
        log_ = run.take_log();
        return std::get<Ended>(step).advice;
    }
    Action action(const std::string& source, Heard heard = FactValue(std::string("a@b.example"))) {
        const auto advice = run(source, std::move(heard));
        EXPECT_TRUE(advice) << source << ": " << advice.error().detail;
        return advice ? advice->action : Action::discard;
    }
    std::string error(const std::string& source, Limits limits = {}) {
        const auto advice = run(source, FactValue(std::string("x")), limits);
        EXPECT_FALSE(advice) << source;
        return advice ? "" : advice.error().detail;
    }
    SharedTable shared_;
    base::Time now_{std::chrono::seconds(1'700'000'000)};
    std::vector<std::string> log_;
};

TEST_F(ScriptTest, DecidesByWhatItReturns) {
    EXPECT_EQ(action(""), Action::none);
    EXPECT_EQ(action("return nil"), Action::none);
    EXPECT_EQ(action("return 'dunno'"), Action::none);
    EXPECT_EQ(action("return 'accept'"), Action::accept);
    const auto plain = run("return 'reject', 'not you'").value();
    EXPECT_EQ(plain.action, Action::reject);
    EXPECT_EQ(plain.text, "not you");
    EXPECT_EQ(plain.said, "reject not you");
    const auto table =
        run("return {action = 'defer', code = 451, status = '4.7.9', text = 'x', score = 1.5, tag = 't', header = 'X-A: b'}").value();
    EXPECT_EQ(table.action, Action::defer);
    EXPECT_EQ(table.code, 451);
    EXPECT_EQ(table.status, (mail::EnhancedStatus{4, 7, 9}));
    EXPECT_EQ(table.score, 1.5);
    EXPECT_EQ(table.tag, "t");
    EXPECT_EQ(table.header, "X-A: b");
}

TEST_F(ScriptTest, ReadsFactsWhenItWantsThem) {
    ScriptRun run(compiled("local sender = fact('sender')\nif sender == 'a@b.example' then return 'reject', fact('client.name') end"),
                  about());
    auto step = run.begin();
    EXPECT_EQ(std::get<FactWanted>(step).fact.name, "sender");
    step = run.go_on(FactValue(std::string("a@b.example")));
    EXPECT_EQ(std::get<FactWanted>(step).fact.name, "client.name");
    step = run.go_on(FactValue(std::string("c.example")));
    EXPECT_EQ(std::get<Ended>(step).advice->text, "c.example");
}

TEST_F(ScriptTest, FactsHaveTheirTypes) {
    EXPECT_EQ(action("if fact('client.stranger') == true then return 'accept' end", FactValue(true)), Action::accept);
    EXPECT_EQ(action("if fact('size') == 3 and math.type(fact('size')) == 'integer' then return 'accept' end", FactValue(3.0)),
              Action::accept);
    EXPECT_EQ(action("local v, why = fact('dnsbl.zen'); if v == nil and why == 'late' then return 'accept' end",
                     FactValue(policy::Unavailable{"late"})),
              Action::accept);
    EXPECT_EQ(action("local t = fact('tags'); if #t == 2 and t[2] == 'b' then return 'accept' end", FactValue(policy::Texts{"a", "b"})),
              Action::accept);
}

TEST_F(ScriptTest, AsksDnsAndTheWeb) {
    ScriptRun run(compiled("local t = dns.lookup('MX.example.', 'mx')\n"
                           "dns.lookup('192.0.2.1', 'PTR')\n"
                           "local r = http.post('http://h/x', '{}')\n"
                           "if r.status == 200 and r.body == 'no' then return 'reject', t[1] end"),
                  about());
    auto step = run.begin();
    EXPECT_EQ(std::get<DnsWanted>(step).question, (dns::Question{"mx.example", dns::Type::mx}));
    step = run.go_on(texts_of({.status = dns::Status::ok, .records = {dns::Mx{10, "m.example"}}, .canonical_name = {}, .detail = {}}));
    EXPECT_EQ(std::get<DnsWanted>(step).question, (dns::Question{"1.2.0.192.in-addr.arpa", dns::Type::ptr}));
    step = run.go_on(texts_of({.status = dns::Status::failed, .records = {}, .canonical_name = {}, .detail = "late"}));
    const auto web = std::get<WebWanted>(step);
    EXPECT_EQ(web.url, "http://h/x");
    EXPECT_EQ(web.body, "{}");
    EXPECT_EQ(web.type, "application/json");
    step = run.go_on(WebHeard{200, "no"});
    EXPECT_EQ(std::get<Ended>(step).advice->text, "10 m.example");
}

TEST_F(ScriptTest, WaitsInsideFunctionsAndProtectedCalls) {
    EXPECT_EQ(action("local function f() local ok, v = pcall(fact, 'sender'); return ok and v end\nif f() == 'a@b.example' then return "
                     "'accept' end"),
              Action::accept);
}

TEST_F(ScriptTest, RemembersInTheSharedTableOnly) {
    EXPECT_EQ(run("seen = (seen or 0) + 1; return 'reject', tostring(shared.incr('k', 1, 60)) .. seen")->text, "11");
    EXPECT_EQ(run("seen = (seen or 0) + 1; return 'reject', tostring(shared.incr('k', 1, 60)) .. seen")->text, "21");
    EXPECT_EQ(action("shared.set('t', 'x', 60); if shared.get('t') == 'x' and shared.get('none') == nil then return 'accept' end"),
              Action::accept);
    now_ += std::chrono::seconds(61);
    EXPECT_EQ(run("return 'reject', tostring(shared.get('k'))")->text, "nil");
}

TEST_F(ScriptTest, KnowsStageRuleAndTime) {
    EXPECT_EQ(run("return 'reject', stage .. ' ' .. rule .. ' ' .. now")->text, "rcpt mine 1700000000");
    run("log('a\\nb'); for i = 1, 50 do log('x') end");
    EXPECT_EQ(log_.size(), 20U);
    EXPECT_EQ(log_[0], "a?b");
}

TEST_F(ScriptTest, AnErrorTellsItsLineAndTheWayThere) {
    const auto told = error("local function inner(x)\n  return x.y.z\nend\nlocal v = inner({})\nreturn v");
    EXPECT_THAT(
        told, StartsWith("rule.lua:2: attempt to index a nil value (field 'y') (rule.lua:2: in local 'inner', rule.lua:4: in main chunk"));
    EXPECT_THAT(error("error('oops')"), StartsWith("rule.lua:1: oops"));
    EXPECT_THAT(error("error({})"), HasSubstr("table: "));
    EXPECT_THAT(error("fact('sendr')"), StartsWith("rule.lua:1: there is no fact \"sendr\""));
    EXPECT_THAT(error("fact('header.Subject')"), HasSubstr("known from stage content on, not at rcpt"));
    EXPECT_THAT(error("dns.lookup('x', 'ANY')"), HasSubstr("not \"ANY\""));
    EXPECT_THAT(error("\n\nreturn 'explode'"), StartsWith("rule.lua: it wants \"explode\""));
    EXPECT_THAT(error("return {acton = 'reject'}"), HasSubstr("\"acton\" is unknown"));
    EXPECT_THAT(error("return {'reject'}"), HasSubstr("a list"));
    EXPECT_THAT(error("return true"), HasSubstr("a boolean where a text"));
    EXPECT_THAT(error("return {text = '\\xff', action = 'reject'}"), HasSubstr("no UTF-8"));
    EXPECT_THAT(error("table.sort({1, 2, 3}, function() return fact('sender') end)"), HasSubstr("yield"));
}

TEST_F(ScriptTest, EndsWhatTakesTooLongOrTooMuch) {
    const Limits tight{.memory = 200'000, .instructions = 100'000};
    EXPECT_THAT(error("while true do end", tight), HasSubstr("more than 100000 instructions"));
    EXPECT_THAT(error("while true do pcall(function() while true do end end) end", tight), HasSubstr("instructions"));
    EXPECT_THAT(error("error(setmetatable({}, {__tostring = function() while true do end end}))", tight), StartsWith("rule.lua"));
    EXPECT_THAT(error("local t = {} for i = 1, 1e9 do t[i] = i end", tight), HasSubstr("not enough memory"));
    EXPECT_THAT(error("return string.rep(string.rep('x', 1000), 1e5)", tight), HasSubstr("not enough memory"));
    EXPECT_THAT(error("local function f() return f() + 1 end f()", {}), testing::AnyOf(HasSubstr("stack overflow"), HasSubstr("memory")));
    for (std::size_t memory = 1000; memory < 60'000; memory += 500) {  // wherever it runs out, that is an error and no more
        const auto program = Program::compile("local t = fact('tags') return 'reject', t[1] .. t[2]", "m.lua", {.memory = memory});
        if (!program) continue;
        ScriptRun run(*program, about());
        auto step = run.begin();
        if (!std::holds_alternative<Ended>(step)) step = run.go_on(FactValue(policy::Texts(200, std::string(40, 'x'))));
        EXPECT_TRUE(std::holds_alternative<Ended>(step));
    }
}

TEST_F(ScriptTest, PatternsBehaveAsLuasOwn) {
    for (const auto* expression : {"('hello'):find('l') == 3",
                                   "select(2, ('hello'):find('l+')) == 4",
                                   "('a.b'):find('.', 1, true) == 2",
                                   "('abc'):find('') == 1",
                                   "('abc'):find('', 10) == nil",
                                   "('abc'):find('c', -1) == 3",
                                   "('abc'):find('a', -9) == 1",
                                   "('abc'):find('x') == nil",
                                   "('abc'):find('a', 2, true) == nil",
                                   "select(3, ('key = value'):find('(%w+) = (%w+)')) == 'key'",
                                   "('abc'):match('^(b)', 2) == 'b'",
                                   "('abc'):match('()c') == 3",
                                   "('abc'):match('a', 10) == nil",
                                   "(' x '):gsub('^%s+', '') == 'x '",
                                   "('abc'):gsub('%w', '%0%0', 2) == 'aabbc'",
                                   "('$a'):gsub('%$(%w+)', {a = 'b'}) == 'b'",
                                   "('ab'):gsub('.', function(c) return c:upper() end) == 'AB'",
                                   "('x'):gsub('x', 'y', -1) == 'x'",
                                   "(function() local t = {} for k, v in ('a=1, b=2'):gmatch('(%w+)=(%w+)') do t[#t + 1] = k .. v end "
                                   "return table.concat(t, ' ') end)() == 'a1 b2'",
                                   "string.match(123, '3') == '3'",
                                   "string.find(1234, 23) == 2"})
        EXPECT_EQ(action("if " + std::string(expression) + " then return 'accept' end"), Action::accept) << expression;
    EXPECT_THAT(error("\nlocal s = ('x'):match('[a')"), StartsWith("rule.lua:2: malformed pattern (missing ']')"));
    EXPECT_THAT(error("('x'):match()"), StartsWith("rule.lua:1: bad argument #1 to 'match' (string expected"));
    EXPECT_THAT(error("('x'):gsub('x', true)"), HasSubstr("rule.lua:1: "));
}

TEST_F(ScriptTest, PatternsAreCounted) {
    const auto begun = std::chrono::steady_clock::now();
    for (const auto* evil :
         {"('a'):rep(1e6):find('.-.-.-.-.-.-b')", "('a'):rep(1e6):match('(.*)(.*)(.*)b')", "('a'):rep(1e6):gsub('a*a*a*b', '')",
          "for _ in ('a'):rep(1e6):gmatch('.-.-.-b') do end", "pcall(string.find, ('a'):rep(1e6), '.-.-.-b') while true do end",
          "local s = ('a'):rep(1e6) while true do s:find(s .. 'b') end", "local s = ('a'):rep(1e5) while true do s:find('x') end"})
        EXPECT_THAT(error(evil), HasSubstr("more than 1000000 instructions")) << evil;
    EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(60));
    EXPECT_EQ(action("local s = ('a'):rep(1e6) if not s:find('b') and not s:match('invoice%s+(%d+)') then return 'accept' end"),
              Action::accept)
        << "what is linear fits";
    EXPECT_EQ(action("local s = ('a'):rep(1e5) .. 'b' if s:find(('a'):rep(4e4) .. 'b') == 60001 then return 'accept' end"), Action::accept);
}

/// Each takes a few thousand of Lua's own instructions, which the limit allows; what they do within them is what is counted.
TEST_F(ScriptTest, LoopsWithinOneInstructionAreCounted) {
    const std::string table = "local t = {} for i = 1, 20000 do t[i] = i end ";
    const std::string text = "local s = ('a'):rep(200000) ";
    for (const auto& evil :
         {table + "for i = 1, 100 do table.insert(t, 1, i) end", table + "for i = 1, 100 do table.remove(t, 1) end",
          table + "for i = 1, 100 do table.move(t, 1, #t, 2) end", table + "for i = 1, 100 do table.concat(t, ',') end",
          table + "for i = 1, 100 do table.sort(t) end", table + "for i = 1, 100 do local n = select('#', table.unpack(t)) end",
          table + "for i = 1, 100 do pcall(table.sort, t) end", text + "for i = 1, 100 do utf8.len(s) end",
          text + "for i = 1, 100 do utf8.offset(s, -1, 200001) end", text + "for i = 1, 10000 do utf8.codepoint(s, 1, 2000) end",
          text + "for i = 1, 10000 do s:byte(1, 2000) end", text + "for i = 1, 100 do s:sub(1, -2) end",
          text + "for i = 1, 100 do tonumber(s) end", text + "for i = 1, 100 do s:upper() s:lower() s:reverse() end",
          text + "for i = 1, 100 do ('%s'):format(s) end", text + "for i = 1, 100 do pcall(string.unpack, 'z', s) end",
          std::string("(''):rep(math.maxinteger)"), std::string("table.concat(setmetatable({}, {__index = {}}), '', 1, math.maxinteger)"),
          std::string("table.move({}, 1, math.maxinteger - 1, 2)")})
        EXPECT_THAT(error(evil), HasSubstr("more than 1000000 instructions")) << evil;
}

TEST_F(ScriptTest, WhatIsShortCostsLittle) {
    EXPECT_EQ(action("local t = {} for i = 1, 20000 do table.insert(t, i) end local s = table.concat(t, ',') "
                     "local n = 0 for i = 1, 20000 do n = n + s:byte(i) + #s:sub(i, i) + select('#', i) end "
                     "table.sort({3, 1, 2}) while #t > 19000 do table.remove(t) end return 'accept'"),
              Action::accept);
}

TEST_F(ScriptTest, CountedFunctionsBehaveAsLuasOwn) {
    for (const auto* right : {"table.concat({1, 2, 3}, '-', 2) == '2-3'",
                              "select('#', table.unpack({1, 2, nil, 4}, 1, 4)) == 4",
                              "select(-1, 'a', 'b') == 'b'",
                              "table.pack(1, nil, 3).n == 3",
                              "tonumber('ff', 16) == 255",
                              "tonumber({}) == nil",
                              "('abc'):byte(-1) == 99",
                              "('abc'):sub(-2, -2) == 'b'",
                              "('ab'):rep(3, ',') == 'ab,ab,ab'",
                              "string.format('%5.1f|%s|%d', 2.25, nil, 7) == '  2.2|nil|7'",
                              "utf8.len('a\xC3\xA4') == 2",
                              "utf8.offset('a\xC3\xA4z', 3) == 4",
                              "string.unpack('z', 'ab\\0c') == 'ab'",
                              "string.char(72, 105) == 'Hi'",
                              "table.move({1, 2, 3}, 2, 3, 1)[1] == 2",
                              "table.remove({7, 8}, 1) == 7",
                              "not pcall(table.insert, {}, 5, 1)",
                              "not pcall(table.concat, {}, '', 1, 3)",
                              "not pcall(string.rep)",
                              "not pcall(utf8.len, 'a', 5)"})
        EXPECT_EQ(action((std::string("if ") + right + " then return 'accept' end").c_str()), Action::accept) << right;
}

TEST_F(ScriptTest, MakingLongTextsIsCounted) {
    for (const auto* evil : {"local p = ('a'):rep(1000) while true do local s = p:rep(4000) end",
                             "local s = ('a'):rep(1e6) while true do local t = s .. now end"})
        EXPECT_THAT(error(evil), HasSubstr("not enough memory")) << evil;
}

TEST_F(ScriptTest, HasNoWayOut) {
    for (const auto* name : {"os", "io", "package", "debug", "require", "load", "loadfile", "dofile", "collectgarbage", "coroutine",
                             "print", "warn", "string.dump"})
        EXPECT_EQ(action(std::string("if ") + name + " == nil then return 'accept' end"), Action::accept) << name;
    EXPECT_THAT(error("setmetatable({}, {__gc = function() while true do end end})"), HasSubstr("__gc is not available"));
}

TEST_F(ScriptTest, ACallThatIsLeftBehindIsFreed) {
    ScriptRun run(compiled("fact('sender')"), about());
    EXPECT_TRUE(std::holds_alternative<FactWanted>(run.begin()));
}

TEST(Script, TellsTheLineOfASyntaxError) {
    const auto program = Program::compile("local a = 1\nif a = 2 then end", "greeting.lua", {});
    ASSERT_FALSE(program);
    EXPECT_EQ(program.error().kind, base::ErrorKind::syntax);
    EXPECT_EQ(program.error().detail, "greeting.lua:2: 'then' expected near '='");
    EXPECT_FALSE(Program::compile("\x1bLua", "binary.lua", {}));
}

}  // namespace
}  // namespace thurn::script
