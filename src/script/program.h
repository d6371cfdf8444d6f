#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "dns/dns.h"
#include "policy/advice.h"
#include "policy/fact.h"
#include "script/shared_table.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace thurn::script {

struct Limits {
    std::size_t memory = std::size_t{8} << 20;  // octets, of one run
    std::uint64_t instructions = 1'000'000;     // of Lua's, of one run
};

/// A Lua 5.4 script, compiled; docs/lua.md says what it may do.
/// Threads  Immutable; shared by all runs.
class Program {
public:
    /// `name`: of its file, as errors tell it.
    /// Errors   `syntax`: `greeting.lua:3: unexpected symbol near '='`. `full`: it does not fit its memory.
    [[nodiscard]] static base::Result<std::shared_ptr<const Program>> compile(const std::string& source, std::string name, Limits limits);
    [[nodiscard]] const std::string& code() const { return code_; }
    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] const Limits& limits() const { return limits_; }

private:
    Program(std::string code, std::string name, Limits limits) : code_(std::move(code)), name_(std::move(name)), limits_(limits) {}
    std::string code_;  // as lua_dump() gives it
    std::string name_;
    Limits limits_;
};

// What a run waits for.
struct FactWanted {
    policy::Fact fact;
};
struct DnsWanted {
    dns::Question question;
};
struct WebWanted {
    std::string url;
    std::string body;  // empty: GET
    std::string type;
};
/// It has ended: what the script wants done, or where and why it failed.
struct Ended {
    base::Result<policy::Advice> advice;
};
using Step = std::variant<FactWanted, DnsWanted, WebWanted, Ended>;

struct WebHeard {
    unsigned status = 0;
    std::string body;
};
/// What it gets. For DNS a list of texts.
using Heard = std::variant<policy::FactValue, WebHeard>;

/// A script at work for one rule at one stage: a core without I/O, which says what it wants to know and goes on when it is told. Every run
/// begins anew, with nothing of those before it but what is in the shared table.
///
///     Run run(program, {…});
///     for (auto step = run.begin(); ; step = run.go_on(…)) …until Ended
///
/// Limits   Memory and instructions as the program has them: beyond, it fails. What it writes to the log is cut at 20 lines.
/// Errors   Of Ended: `invalid`, with the place in the script and how it got there: `rule.lua:7: attempt to … (rule.lua:2: in main chunk)`.
/// Threads  One.
class Run {
public:
    struct About {
        policy::Stage stage = policy::Stage::rcpt;
        std::string rule{};
        SharedTable& shared;
        base::Time now;
    };
    Run(std::shared_ptr<const Program> program, About about);
    ~Run();
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;

    [[nodiscard]] Step begin();
    /// Precondition: the last step was none that ended.
    [[nodiscard]] Step go_on(Heard heard);
    /// What it wrote since the last call.
    [[nodiscard]] std::vector<std::string> take_log();

    struct State;  // of its own source file

private:
    std::unique_ptr<State> state_;
};

/// For scripts: an answer as a list of texts, `10 mx.example.net` for MX; empty where there are no such records.
[[nodiscard]] policy::FactValue texts_of(const dns::Answer& answer);

}  // namespace thurn::script
