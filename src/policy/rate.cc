#include "policy/rate.h"

#include "directory/resolve.h"

#include <algorithm>

#include <fmt/chrono.h>
#include <fmt/format.h>

namespace thurn::policy {

namespace {

using base::ErrorKind;
using base::fail;

constexpr Limit kAlarms{.amount = 1, .period = std::chrono::minutes(10)};

base::Result<void> check_fact(const Fact& fact, Stage stage) {
    if (fact.kind->looked_up || fact.kind->name == "score" || fact.kind->name == "tags")
        return fail(ErrorKind::invalid, fmt::format("{} is not known at once, and rates ask nobody", fact.name));
    if (stage < fact.kind->since || stage > fact.kind->until)
        return fail(ErrorKind::invalid, fmt::format("{} is not known at {}, where it is counted", fact.name, name_of(stage)));
    return {};
}

/// Whatever comes of it.
bool has_happened(Counted what) { return what == Counted::unknown_recipients || what == Counted::failed_logins; }

std::unexpected<base::Error> wrong(std::string_view key, const base::Error& error) {
    return fail(error.kind, fmt::format("{}: {}", key, error.detail));
}

}  // namespace

Stage stage_of(Counted what) {
    switch (what) {
        case Counted::connections:
            return Stage::connect;
        case Counted::failed_logins:
            return Stage::auth;
        case Counted::messages:
            return Stage::data;
        case Counted::recipients:
        case Counted::unknown_recipients:
            return Stage::rcpt;
        case Counted::octets:
            return Stage::content;
    }
    return Stage::content;
}

std::string Excess::reason() const {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(wait);
    return fmt::format("more than {:g} {} in {}{}{} ({}){}", rate->limit.amount, kCountedNames[static_cast<std::size_t>(rate->of)],
                       rate->limit.period, values.empty() ? "" : " for ", values, rate->origin,
                       wait == Taken::kNever ? "" : fmt::format("; room again in {}", seconds));
}

bool Excess::refuses() const { return rate->action == Action::defer || rate->action == Action::disconnect; }

const Excess* refusing(std::span<const Excess> excesses) {
    const Excess* found = nullptr;
    for (const auto& excess : excesses)
        if (excess.refuses() && (!found || (excess.rate->action == Action::disconnect && found->rate->action == Action::defer)))
            found = &excess;
    return found;
}

Decision Excess::decision() const {
    const bool closes = rate->action == Action::disconnect || rate->of == Counted::connections;
    Decision decision{.kind = Decision::Kind::defer, .rule = rate->name, .reason = reason(), .code = 450, .status = {4, 7, 1}, .text = {}};
    if (rate->of == Counted::failed_logins) {  // RFC 4954 §6
        decision.code = 454;
        decision.status = {4, 7, 0};
    }
    if (closes) {
        decision.code = 421;
        decision.status = {4, 7, 0};
    }
    decision.text = rate->text.empty() ? fmt::format("too much for now, try again later ({})", rate->name) : rate->text;
    return decision;
}

base::Result<void> RateSet::add(RateText said) {
    if (said.name.empty()) return fail(ErrorKind::invalid, "name: a rate needs one, which trace, log and replies name it by");
    for (const auto& rates : rates_)
        for (const auto& rate : rates)
            if (rate.said.name == said.name)
                return fail(ErrorKind::invalid,
                            fmt::format("name: \"{}\" is the name of the rate at {}, too", said.name, rate.said.origin));
    if (said.limit.amount <= 0) return fail(ErrorKind::invalid, "limit: a rate needs one, such as \"500/1h\"");
    if ((said.limit.of == Limit::Of::octets) != (said.of == Counted::octets))
        return fail(ErrorKind::invalid, "limit: octets, such as \"100MiB/1d\", go with of = \"octets\"");
    if (said.action != Action::none && said.action != Action::defer && said.action != Action::disconnect && said.action != Action::hold)
        return fail(ErrorKind::invalid, "action: a rate can defer, disconnect, hold, or none");
    if (said.action == Action::hold && stage_of(said.of) < Stage::mail)
        return fail(ErrorKind::invalid, fmt::format("action: there is no message to hold where {} are counted",
                                                    kCountedNames[static_cast<std::size_t>(said.of)]));
    if (said.action == Action::none && !said.alarm) return fail(ErrorKind::invalid, "action: the rate does nothing; give one, or alarm");
    const auto stage = stage_of(said.of);
    Rate rate;
    for (const auto& name : said.per) {
        const auto* kind = find_fact_kind(name);
        if (!kind) return fail(ErrorKind::invalid, fmt::format("per: unknown fact \"{}\"", name));
        rate.per.push_back(facts_.index_of(*kind, name));
        if (auto known = check_fact(facts_.all()[rate.per.back()], stage); !known) return wrong("per", known.error());
    }
    if (!said.when.empty()) {
        auto condition = Condition::parse(said.when, facts_);
        if (!condition) return wrong("when", condition.error());
        for (const auto fact : condition->facts())
            if (auto known = check_fact(facts_.all()[fact], stage); !known) return wrong("when", known.error());
        rate.when = *std::move(condition);
    }
    auto& all = rates_[static_cast<std::size_t>(said.of)];
    rate.said = std::move(said);
    all.push_back(std::move(rate));
    return {};
}

std::vector<RateSet::Concerned> RateSet::concerned(Counted what, const Situation& now) const {
    std::vector<Concerned> found;
    const auto& all = rates_[static_cast<std::size_t>(what)];
    if (all.empty()) return found;
    FactSheet facts(facts_.all().size());
    const auto know = [&](std::size_t fact) {
        if (!facts.knows(fact)) facts.set(fact, fact_of(facts_.all()[fact], now));
    };
    Reading ignored;
    for (const auto& rate : all) {
        if (rate.when) {
            std::ranges::for_each(rate.when->facts(), know);
            if (rate.when->evaluate(facts, ignored) != Truth::yes) continue;
        }
        std::ranges::for_each(rate.per, know);
        auto& values = found.emplace_back(&rate).values;
        for (const auto fact : rate.per) values.push_back(directory::fold_local(render_fact(facts[fact])));
    }
    return found;
}

std::string RateSet::tell(const Rate& rate, const std::vector<std::string>& values) const {
    std::string told;
    for (std::size_t i = 0; i < values.size(); ++i)
        told += fmt::format("{}{} = {}", i == 0 ? "" : ", ", facts_.all()[rate.per[i]].name, values[i]);
    return told;
}

std::vector<Excess> RateSet::take(Counted what, double amount, const Situation& now, TokenBuckets& buckets, base::Time at) const {
    const auto all = concerned(what, now);
    const auto has_no_room = [&](const Concerned& one) {
        const auto& said = one.rate->said;
        return Excess{.rate = &said}.refuses() && !buckets.peek(said.name, one.values, amount, said.limit, at).room;
    };
    const bool refused = all.size() > 1 && !has_happened(what) && std::ranges::any_of(all, has_no_room);
    std::vector<Excess> excesses;
    for (const auto& [rate, values] : all) {
        const auto& said = rate->said;
        const auto taken = refused ? buckets.peek(said.name, values, amount, said.limit, at)  //
                                   : buckets.take(said.name, values, amount, said.limit, at);
        if (taken.room) continue;
        auto& excess = excesses.emplace_back(&said, tell(*rate, values), taken.wait);
        if (said.alarm) excess.alarm = buckets.take("alarm " + said.name, values, 1, kAlarms, at).room;
    }
    return excesses;
}

std::vector<Counting> RateSet::look(Counted what, double amount, const Situation& now, const TokenBuckets& buckets, base::Time at) const {
    std::vector<Counting> countings;
    for (const auto& [rate, values] : concerned(what, now)) {
        const auto& said = rate->said;
        const auto left = buckets.peek(said.name, values, 0, said.limit, at).left;
        const auto taken = buckets.peek(said.name, values, amount, said.limit, at);
        auto& counting = countings.emplace_back(&said, tell(*rate, values), said.limit.amount - left);
        if (!taken.room) counting.excess = Excess{.rate = &said, .values = counting.values, .wait = taken.wait};
    }
    return countings;
}

const std::vector<RateText>& default_rates() {
    using namespace std::chrono_literals;
    static const std::vector<RateText> rates{
        {.name = "connections",
         .of = Counted::connections,
         .per = {"client.network"},
         .limit = {.amount = 600, .period = 10min},
         .when = "client.stranger",
         .action = Action::disconnect,
         .text = "too many connections from your address, try again later"},
        {.name = "unknown-recipients",
         .of = Counted::unknown_recipients,
         .per = {"client.network"},
         .limit = {.amount = 200, .period = 1h},
         .when = "client.stranger",
         .action = Action::disconnect,
         .text = "too many recipients that nobody has, try again later"},
        {.name = "recipients-of-a-login",
         .of = Counted::recipients,
         .per = {"login"},
         .limit = {.amount = 2000, .period = 1h},
         .when = "authenticated",
         .action = Action::defer,
         .text = "you have sent to too many recipients, try again later",
         .alarm = true},
    };
    return rates;
}

}  // namespace thurn::policy
