#include "app/explain_scripts.h"

#include "app/system.h"
#include "inbound/script_asking.h"

#include <exception>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

namespace thurn::app {

namespace {

constexpr std::chrono::seconds kPatience{5};

/// On a loop of its own, which ends with the answer.
base::Result<script::Heard> ask(const inbound::ScriptOptions& script, script::Step step, ToolResolver& tool) {
    auto resolver = tool.resolver();
    if (!resolver) return base::pass_on(resolver);
    boost::asio::io_context loop(1);
    inbound::IdleConnections idle;
    script::Heard heard = policy::FactValue(policy::Unavailable{"it could not be asked"});
    boost::asio::co_spawn(
        loop, inbound::async_ask_for_script(script, std::move(step), {*resolver, idle, kPatience}, net::within(script.time_limit)),
        [&](const std::exception_ptr& trouble, script::Heard given) {
            if (!trouble) heard = std::move(given);
            loop.stop();  // or it would wait with connections that are kept
        });
    loop.run();
    return heard;
}

base::Result<script::Heard> satisfy(const inbound::ScriptOptions& script, script::Step step, ToolResolver& resolver, const FindFact& find) {
    const auto* fact = std::get_if<script::FactWanted>(&step);
    if (!fact) return ask(script, std::move(step), resolver);
    auto value = find(fact->fact);
    if (!value) return base::pass_on(value);
    return *std::move(value);
}

}  // namespace

base::Result<ScriptTold> run_script(const inbound::ScriptOptions& script, const policy::Rule& rule, ToolResolver& resolver,
                                    const FindFact& find) {
    const SystemClock clock;
    script::SharedTable shared;
    script::Run run(script.program, {.stage = rule.said.stage, .rule = rule.said.name, .shared = shared, .now = clock.now()});
    auto step = run.begin();
    while (!std::holds_alternative<script::Ended>(step)) {
        auto heard = satisfy(script, std::move(step), resolver, find);
        if (!heard) return base::pass_on(heard);
        step = run.go_on(*std::move(heard));
    }
    auto& advice = std::get<script::Ended>(step).advice;
    return ScriptTold{advice ? *std::move(advice) : inbound::advice_of_failure(advice.error()), run.take_log()};
}

}  // namespace thurn::app
