// Scripts: run when a rule asks them, and given what they want to know while others go on.
#include "inbound/conversation.h"
#include "inbound/script_asking.h"

#include <utility>

namespace thurn::inbound {

using net::asio::awaitable;
using policy::Advice;

/// A fact that no rule need have asked for.
awaitable<policy::FactValue> Conversation::async_find_fact(policy::Fact fact, Transaction& transaction, const policy::Situation& now,
                                                           const policy::Marks& marks) {
    if (fact.kind->name == "score") co_return marks.score;
    if (fact.kind->name == "tags") co_return marks.tags;
    if (!fact.kind->looked_up) co_return policy::fact_of(fact, now);
    if (const auto known = options_->rulebook->rules.find(fact.name)) {
        if (!facts_.knows(*known)) co_await async_gather({*known}, transaction, now);
        co_return facts_[*known];
    }
    auto values = co_await async_look_up({std::move(fact)}, transaction, now);
    co_return std::move(values.front());
}

awaitable<script::Heard> Conversation::async_satisfy(const ScriptOptions& script, script::Step step, Transaction& transaction,
                                                     const policy::Situation& now, const policy::Marks& marks, net::Deadline deadline) {
    if (auto* fact = std::get_if<script::FactWanted>(&step))
        co_return co_await async_find_fact(std::move(fact->fact), transaction, now, marks);
    co_return co_await async_ask_for_script(script, std::move(step), {with_.resolver, idle_, options_->rulebook->time_limit}, deadline);
}

awaitable<Advice> Conversation::async_run_script(const ScriptOptions& script, const policy::Rule& rule, Transaction& transaction,
                                                 const policy::Situation& now, const policy::Marks& marks) {
    const auto begun = std::chrono::steady_clock::now();
    const auto deadline = begun + script.time_limit;
    script::Run run(script.program,
                    {.stage = rule.said.stage, .rule = rule.said.name, .shared = service_.shared_table_, .now = with_.clock.now()});
    auto step = run.begin();
    while (!std::holds_alternative<script::Ended>(step)) {
        if (std::chrono::steady_clock::now() > deadline) {
            step = script::Ended{base::fail(base::ErrorKind::timed_out, script.program->name() + ": it waited longer than its time_limit")};
            break;
        }
        step = run.go_on(co_await async_satisfy(script, std::move(step), transaction, now, marks, deadline));
    }
    Note note{.id = transaction.id, .stage = name_of(rule.said.stage), .rule = rule.said.name, .begun = begun};
    for (const auto& line : run.take_log()) {
        note.reason = line;
        log_.info("script_said", note);
    }
    auto advice = std::get<script::Ended>(std::move(step)).advice;
    if (advice) co_return *std::move(advice);
    note.reason = advice.error().detail;
    log_.warning("script_failed", note);
    co_return advice_of_failure(advice.error());
}

}  // namespace thurn::inbound
