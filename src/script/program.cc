// Lua 5.4 behind one source file, in its build as C++: an error of Lua's is an exception there, so it runs destructors on its way.
//
// Every call that may raise an error, be it for lack of memory only, happens inside lua_pcall() or lua_resume(): outside of them Lua would end
// the process. So what is handed to the script, and what it returns, passes through functions of Lua's own kind.
//
// A script is a coroutine. fact(), dns.lookup() and http.get() put down what they want and yield; the driver finds it out while others go on,
// and resumes with it.
#include "script/program.h"

#include "base/ascii.h"
#include "base/utf8.h"
#include "dns/ip_address.h"
#include "policy/web_hook.h"
#include "script/counted_library.h"
#include "script/counted_strings.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <utility>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

namespace thurn::script {

namespace {

constexpr int kStride = 1000;  // instructions between two looks at the count
constexpr std::size_t kMostLines = 20;
constexpr std::size_t kMostOfALine = 500;

constexpr std::uint64_t kTurnover = 64;  // how often a script may fill its memory: making long texts is one instruction, too

struct Meter {
    std::size_t used = 0;
    std::size_t most = 0;
    std::uint64_t turned_over = 0;
    [[nodiscard]] bool worn_out() const { return turned_over / kTurnover > most; }
};

void* allocate(void* with, void* block, std::size_t old, std::size_t wanted) {
    auto& meter = *static_cast<Meter*>(with);
    const auto had = block == nullptr ? 0 : old;
    if (wanted == 0) {
        std::free(block);
        meter.used -= had;
        return nullptr;
    }
    if (wanted > had) {  // making a block smaller must not fail
        meter.turned_over += wanted;
        if (meter.used + (wanted - had) > meter.most || meter.worn_out()) return nullptr;
    }
    void* const got = std::realloc(block, wanted);
    if (got != nullptr) meter.used = meter.used - had + wanted;
    return got;
}

struct CloseLua {
    void operator()(lua_State* lua) const { lua_close(lua); }
};
using LuaPtr = std::unique_ptr<lua_State, CloseLua>;

std::string_view text_at(lua_State* lua, int index) {
    std::size_t size = 0;
    const char* text = lua_tolstring(lua, index, &size);
    return text == nullptr ? std::string_view() : std::string_view(text, size);
}

std::string_view check_text(lua_State* lua, int index) {
    std::size_t size = 0;
    const char* text = luaL_checklstring(lua, index, &size);
    return {text, size};
}

void push(lua_State* lua, std::string_view text) { lua_pushlstring(lua, text.data(), text.size()); }

void push_number(lua_State* lua, double number) {
    if (number == std::floor(number) && std::abs(number) < 9e15)
        lua_pushinteger(lua, static_cast<lua_Integer>(number));
    else
        lua_pushnumber(lua, number);
}

/// Bytecode, octet by octet.
int append(lua_State*, const void* octets, std::size_t count, void* to) {
    static_cast<std::string*>(to)->append(static_cast<const char*>(octets), count);
    return 0;
}

}  // namespace

struct Run::State {
    State(std::shared_ptr<const Program> its, About at) : program(std::move(its)), about(std::move(at)) {
        meter.most = program->limits().memory;
        left = program->limits().instructions;
        lua.reset(lua_newstate(allocate, &meter));
        if (lua) self(lua.get()) = this;
    }

    std::shared_ptr<const Program> program;
    About about;
    Meter meter;  // outlives `lua`, which gives back to it
    std::uint64_t left = 0;
    std::optional<Step> wanted;
    std::optional<Heard> heard;  // on its way to the script
    std::vector<std::string> log;
    std::optional<base::Result<policy::Advice>> advice;
    std::string trouble;
    LuaPtr lua;
    lua_State* thread = nullptr;  // where the script runs; anchored in the registry

    /// Coroutines get a copy from the state that makes them.
    static State*& self(lua_State* lua) { return *static_cast<State**>(lua_getextraspace(lua)); }
    static State& of(lua_State* lua) { return *self(lua); }

    Step resume(int arguments);
    Step fail();
    Step conclude(int results);
    bool protect(lua_CFunction function, int arguments, int results);
};

namespace {

using State = Run::State;

// What scripts call

int call_fact(lua_State* lua) {
    const auto name = check_text(lua, 1);
    auto& run = State::of(lua);
    const auto* kind = policy::find_fact_kind(name);
    if (kind == nullptr) return luaL_error(lua, "there is no fact \"%s\"", lua_tostring(lua, 1));
    const auto stage = run.about.stage;
    if (stage < kind->since)
        return luaL_error(lua, "%s is known from stage %s on, not at %s", lua_tostring(lua, 1), policy::name_of(kind->since).data(),
                          policy::name_of(stage).data());
    if (stage > kind->until) return luaL_error(lua, "%s is of stage %s only", lua_tostring(lua, 1), policy::name_of(kind->until).data());
    run.wanted = FactWanted{{kind, std::string(name)}};
    return lua_yield(lua, 0);
}

std::optional<dns::Type> type_of(std::string_view name) {
    using dns::Type;
    for (const auto type : {Type::a, Type::aaaa, Type::mx, Type::txt, Type::ptr, Type::ns})
        if (base::equal_ignoring_case(dns::type_name(type), name)) return type;
    return std::nullopt;
}

int call_lookup(lua_State* lua) {
    const auto name = check_text(lua, 1);
    const auto type = type_of(luaL_optstring(lua, 2, "A"));
    if (!type) return luaL_error(lua, "dns.lookup() knows A, AAAA, MX, TXT, PTR and NS, not \"%s\"", lua_tostring(lua, 2));
    const bool fits = !name.empty() && name.size() <= 253 && std::ranges::all_of(name, [](char c) { return c > ' ' && c <= '~'; });
    if (!fits) {
        lua_newtable(lua);  // nothing has such a name
        return 1;
    }
    std::string asked(name);
    std::ranges::transform(asked, asked.begin(), base::to_lower);
    if (asked.ends_with('.')) asked.pop_back();
    if (const auto address = dns::parse_ip(asked); address && *type == dns::Type::ptr) asked = dns::reverse_name(*address);
    State::of(lua).wanted = DnsWanted{{std::move(asked), *type}};
    return lua_yield(lua, 0);
}

int call_get(lua_State* lua) {
    State::of(lua).wanted = WebWanted{std::string(check_text(lua, 1)), {}, {}};
    return lua_yield(lua, 0);
}

int call_post(lua_State* lua) {
    const auto url = check_text(lua, 1);
    const auto body = check_text(lua, 2);
    const std::string type = luaL_optstring(lua, 3, "application/json");
    if (body.empty()) return luaL_error(lua, "http.post() needs a body");
    if (!std::ranges::all_of(type, base::is_printable)) return luaL_error(lua, "http.post(): the type is no media type");
    State::of(lua).wanted = WebWanted{std::string(url), std::string(body), type};
    return lua_yield(lua, 0);
}

base::Duration seconds_at(lua_State* lua, int index) {
    const auto seconds = std::clamp(luaL_checknumber(lua, index), 0.0, 1e9);
    return base::Duration(static_cast<std::int64_t>(seconds * 1000));
}

int call_shared_get(lua_State* lua) {
    auto& about = State::of(lua).about;
    const auto value = about.shared.get(check_text(lua, 1), about.now);
    if (!value)
        lua_pushnil(lua);
    else if (const auto* number = std::get_if<double>(&*value))
        push_number(lua, *number);
    else
        push(lua, std::get<std::string>(*value));
    return 1;
}

int call_shared_set(lua_State* lua) {
    auto& about = State::of(lua).about;
    const auto key = check_text(lua, 1);
    const auto keep = seconds_at(lua, 3);
    if (lua_type(lua, 2) == LUA_TNUMBER)
        about.shared.set(key, lua_tonumber(lua, 2), keep, about.now);
    else
        about.shared.set(key, std::string(check_text(lua, 2)), keep, about.now);
    return 0;
}

int call_shared_incr(lua_State* lua) {
    auto& about = State::of(lua).about;
    push_number(lua, about.shared.add(check_text(lua, 1), luaL_checknumber(lua, 2), seconds_at(lua, 3), about.now));
    return 1;
}

int call_log(lua_State* lua) {
    auto& log = State::of(lua).log;
    const auto line = check_text(lua, 1);
    if (log.size() < kMostLines) log.push_back(policy::tame(line.substr(0, kMostOfALine)));
    return 0;
}

/// As Lua's own, but that no table gets a __gc: what runs when memory is freed is not counted.
int call_setmetatable(lua_State* lua) {
    luaL_checktype(lua, 1, LUA_TTABLE);
    luaL_argexpected(lua, lua_isnil(lua, 2) || lua_istable(lua, 2), 2, "nil or table");
    if (lua_istable(lua, 2)) {
        lua_pushliteral(lua, "__gc");
        if (lua_rawget(lua, 2) != LUA_TNIL) return luaL_error(lua, "__gc is not available");
        lua_pop(lua, 1);
    }
    if (luaL_getmetafield(lua, 1, "__metatable") != LUA_TNIL) return luaL_error(lua, "cannot change a protected metatable");
    lua_settop(lua, 2);
    lua_setmetatable(lua, 1);
    return 1;
}

constexpr std::array<luaL_Reg, 4> kShared{
    {{"get", call_shared_get}, {"set", call_shared_set}, {"incr", call_shared_incr}, {nullptr, nullptr}}};
constexpr std::array<luaL_Reg, 2> kDns{{{"lookup", call_lookup}, {nullptr, nullptr}}};
constexpr std::array<luaL_Reg, 3> kHttp{{{"get", call_get}, {"post", call_post}, {nullptr, nullptr}}};

void add_library(lua_State* lua, const char* name, const luaL_Reg* functions) {
    lua_newtable(lua);
    luaL_setfuncs(lua, functions, 0);
    lua_setglobal(lua, name);
}

// The state

/// Of Lua's own what neither reads files nor runs other code, nor gets around our limits.
void open_libraries(lua_State* lua) {
    luaL_requiref(lua, LUA_GNAME, luaopen_base, 1);
    luaL_requiref(lua, LUA_STRLIBNAME, luaopen_string, 1);
    luaL_requiref(lua, LUA_TABLIBNAME, luaopen_table, 1);
    luaL_requiref(lua, LUA_MATHLIBNAME, luaopen_math, 1);
    luaL_requiref(lua, LUA_UTF8LIBNAME, luaopen_utf8, 1);
    for (const char* name : {"load", "loadfile", "dofile", "print", "warn", "collectgarbage", "require"}) {
        lua_pushnil(lua);
        lua_setglobal(lua, name);
    }
    lua_getglobal(lua, "string");
    lua_pushnil(lua);
    lua_setfield(lua, -2, "dump");
    lua_settop(lua, 0);
}

void count(lua_State* lua, lua_Debug*) {
    auto& run = State::of(lua);
    if (run.left > kStride) {
        run.left -= kStride;
        return;
    }
    out_of_instructions(lua);
}

int prepare(lua_State* lua) {
    auto& run = State::of(lua);
    lua_sethook(lua, count, LUA_MASKCOUNT, kStride);  // which the thread gets from it; __tostring of an error runs on this one
    open_libraries(lua);
    add_counted_strings(lua);
    add_counted_library(lua);
    add_library(lua, "shared", kShared.data());
    add_library(lua, "dns", kDns.data());
    add_library(lua, "http", kHttp.data());
    lua_register(lua, "fact", call_fact);
    lua_register(lua, "log", call_log);
    lua_register(lua, "setmetatable", call_setmetatable);
    push(lua, policy::name_of(run.about.stage));
    lua_setglobal(lua, "stage");
    push(lua, run.about.rule);
    lua_setglobal(lua, "rule");
    lua_pushinteger(lua, static_cast<lua_Integer>(std::chrono::floor<std::chrono::seconds>(run.about.now.time_since_epoch()).count()));
    lua_setglobal(lua, "now");
    run.thread = lua_newthread(lua);
    luaL_ref(lua, LUA_REGISTRYINDEX);
    const auto& code = run.program->code();
    if (luaL_loadbufferx(run.thread, code.data(), code.size(), run.program->name().c_str(), "b") != LUA_OK) {
        lua_xmove(run.thread, lua, 1);
        return lua_error(lua);
    }
    return 0;
}

/// Values for the script: one, or nil and why there is none.
int hand_over(lua_State* lua) {
    auto heard = std::exchange(State::of(lua).heard, std::nullopt);
    if (const auto* web = std::get_if<WebHeard>(&*heard)) {
        lua_newtable(lua);
        lua_pushinteger(lua, static_cast<lua_Integer>(web->status));
        lua_setfield(lua, -2, "status");
        push(lua, web->body);
        lua_setfield(lua, -2, "body");
        return 1;
    }
    const auto& value = std::get<policy::FactValue>(*heard);
    if (const auto* flag = std::get_if<bool>(&value)) return lua_pushboolean(lua, *flag), 1;
    if (const auto* number = std::get_if<double>(&value)) return push_number(lua, *number), 1;
    if (const auto* text = std::get_if<std::string>(&value)) return push(lua, *text), 1;
    if (const auto* none = std::get_if<policy::Unavailable>(&value)) {
        lua_pushnil(lua);
        push(lua, none->why);
        return 2;
    }
    lua_newtable(lua);
    lua_Integer place = 0;
    for (const auto& text : std::get<policy::Texts>(value)) {
        push(lua, text);
        lua_rawseti(lua, -2, ++place);
    }
    return 1;
}

boost::json::value json_at(lua_State* lua, int index) {
    switch (lua_type(lua, index)) {
        case LUA_TSTRING: {
            const auto text = text_at(lua, index);
            if (!base::is_utf8(text)) luaL_error(lua, "what the script returned is no UTF-8");
            return boost::json::string(text);
        }
        case LUA_TNUMBER:
            if (lua_isinteger(lua, index)) return static_cast<std::int64_t>(lua_tointeger(lua, index));
            if (!std::isfinite(lua_tonumber(lua, index))) luaL_error(lua, "what the script returned is no number");
            return lua_tonumber(lua, index);
        default:
            luaL_error(lua, "the script returned a %s where a text or a number belongs", luaL_typename(lua, index));
            return nullptr;
    }
}

/// `return`, `return "reject", "no"`, `return {action = "reject", status = "5.7.1"}`: what a web hook may answer.
int read_advice(lua_State* lua) {
    boost::json::object answer;
    if (lua_istable(lua, 1)) {
        for (lua_pushnil(lua); lua_next(lua, 1) != 0; lua_pop(lua, 1)) {
            if (lua_type(lua, -2) != LUA_TSTRING) return luaL_error(lua, "the script returned a list");
            answer[text_at(lua, -2)] = json_at(lua, -1);
        }
    } else if (!lua_isnoneornil(lua, 1)) {
        answer["action"] = json_at(lua, 1);
        if (!lua_isnoneornil(lua, 2)) answer["text"] = json_at(lua, 2);
    }
    State::of(lua).advice = policy::parse_hook_answer(boost::json::serialize(answer));
    return 0;
}

/// The error on top, and the lines that led to it, innermost first.
int describe(lua_State* lua) {
    auto& run = State::of(lua);
    const auto message = luaL_tolstring(lua, 1, nullptr);
    if (run.thread != nullptr)
        luaL_traceback(lua, run.thread, nullptr, 0);
    else
        lua_pushliteral(lua, "");  // it ended before it began
    std::string path;
    for (auto trace = text_at(lua, -1); !trace.empty();) {
        const auto end = std::min(trace.find('\n'), trace.size());
        auto line = trace.substr(0, end);
        trace.remove_prefix(std::min(end + 1, trace.size()));
        line.remove_prefix(std::min(line.find_first_not_of('\t'), line.size()));
        if (!line.starts_with("stack traceback") && !line.starts_with("[C]")) path += fmt::format("{}{}", path.empty() ? "" : ", ", line);
    }
    run.trouble = fmt::format("{}{}{}{}", message, path.empty() ? "" : " (", path, path.empty() ? "" : ")");
    return 0;
}

}  // namespace

std::uint64_t& instructions_left(lua_State* lua) { return State::of(lua).left; }

/// More than the limit, and every instruction is an error: pcall() does not get around it.
int out_of_instructions(lua_State* lua) {
    auto& run = State::of(lua);
    run.left = 0;
    lua_sethook(lua, count, LUA_MASKCOUNT, 1);
    return luaL_error(lua, "more than %I instructions", static_cast<LUAI_UACINT>(run.program->limits().instructions));
}

/// Calls `function` with what lies on top of the main stack.
bool Run::State::protect(lua_CFunction function, int arguments, int results) {
    if (lua_checkstack(lua.get(), 4) == 0) return false;
    lua_pushcfunction(lua.get(), function);
    lua_insert(lua.get(), -arguments - 1);
    return lua_pcall(lua.get(), arguments, results, 0) == LUA_OK;
}

/// What went wrong lies on top of the main stack.
Step Run::State::fail() {
    if (!protect(describe, lua_gettop(lua.get()) > 0 ? 1 : 0, 0)) trouble = fmt::format("{}: not enough memory", program->name());
    if (meter.worn_out()) trouble += fmt::format("; it has filled it {} times", kTurnover);
    return Ended{base::fail(base::ErrorKind::invalid, policy::tame(trouble))};
}

Step Run::State::conclude(int results) {
    lua_settop(lua.get(), 0);
    if (lua_checkstack(lua.get(), results) == 0) return fail();
    lua_xmove(thread, lua.get(), results);
    if (!protect(read_advice, results, 0)) return fail();
    if (!*advice) return Ended{base::fail(base::ErrorKind::invalid, fmt::format("{}: {}", program->name(), advice->error().detail))};
    return Ended{*std::move(advice)};
}

Step Run::State::resume(int arguments) {
    int results = 0;
    const int status = lua_resume(thread, lua.get(), arguments, &results);
    if (status == LUA_OK) return conclude(results);
    if (status != LUA_YIELD) {
        lua_settop(lua.get(), 0);
        lua_xmove(thread, lua.get(), 1);
        return fail();
    }
    lua_pop(thread, results);
    return *std::exchange(wanted, std::nullopt);
}

Run::Run(std::shared_ptr<const Program> program, About about) : state_(std::make_unique<State>(std::move(program), std::move(about))) {}
Run::~Run() = default;

Step Run::begin() {
    auto& run = *state_;
    if (!run.lua) return Ended{base::fail(base::ErrorKind::invalid, fmt::format("{}: not enough memory", run.program->name()))};
    if (!run.protect(prepare, 0, 0)) return run.fail();
    return run.resume(0);
}

Step Run::go_on(Heard heard) {
    auto& run = *state_;
    run.heard = std::move(heard);
    lua_settop(run.lua.get(), 0);
    if (!run.protect(hand_over, 0, LUA_MULTRET)) return run.fail();
    const int count = lua_gettop(run.lua.get());
    if (lua_checkstack(run.thread, count) == 0) return run.fail();
    lua_xmove(run.lua.get(), run.thread, count);
    return run.resume(count);
}

std::vector<std::string> Run::take_log() { return std::exchange(state_->log, {}); }

base::Result<std::shared_ptr<const Program>> Program::compile(const std::string& source, std::string name, Limits limits) {
    Meter meter{.most = limits.memory};
    const LuaPtr lua(lua_newstate(allocate, &meter));
    if (!lua) return base::fail(base::ErrorKind::full, fmt::format("{}: it does not fit its memory", name));
    if (luaL_loadbufferx(lua.get(), source.data(), source.size(), ("@" + name).c_str(), "t") != LUA_OK)
        return base::fail(base::ErrorKind::syntax, policy::tame(text_at(lua.get(), -1)));
    std::string code;
    lua_dump(lua.get(), append, &code, 0);
    return std::shared_ptr<const Program>(new Program(std::move(code), std::move(name), limits));
}

policy::FactValue texts_of(const dns::Answer& answer) {
    if (answer.status == dns::Status::failed || answer.status == dns::Status::bogus)
        return policy::Unavailable{answer.detail.empty() ? "no answer" : answer.detail};
    policy::Texts texts;
    for (const auto& record : answer.records) {
        if (const auto* v4 = std::get_if<dns::Ipv4>(&record)) texts.push_back(dns::render_ipv4(*v4));
        if (const auto* v6 = std::get_if<dns::Ipv6>(&record)) texts.push_back(dns::render_ipv6(*v6));
        if (const auto* mx = std::get_if<dns::Mx>(&record)) texts.push_back(fmt::format("{} {}", mx->preference, mx->exchange));
        if (const auto* name = std::get_if<dns::NameRecord>(&record)) texts.push_back(name->target);
        if (const auto* text = std::get_if<dns::Text>(&record)) texts.push_back(text->octets);
    }
    return texts;
}

}  // namespace thurn::script
