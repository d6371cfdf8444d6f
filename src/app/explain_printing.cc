#include "app/explain_printing.h"

#include "app/command.h"
#include "base/octets.h"
#include "config/limit.h"

#include <algorithm>
#include <cmath>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value_from.hpp>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace thurn::app {

namespace json = boost::json;

using policy::Stage;

namespace {

std::string_view name_of(policy::Decision::Kind kind) {
    if (kind == policy::Decision::Kind::accept) return "accept";
    return kind == policy::Decision::Kind::defer ? "defer" : "reject";
}

std::string_view name_of(policy::Filing filing) {
    if (filing == policy::Filing::inbox) return "inbox";
    return filing == policy::Filing::junk ? "junk" : "hold";
}

std::string reply_of(const policy::Decision& decision) {
    if (decision.kind == policy::Decision::Kind::accept) return {};
    const auto& [major, subject, detail] = decision.status;
    return fmt::format("{} {}.{}.{} {}", decision.code, major, subject, detail, decision.text);
}

std::string_view counted_name(const policy::Counting& counting) {
    return policy::kCountedNames[static_cast<std::size_t>(counting.rate->of)];
}

/// `2.4 of 20 messages in 1h`. A bucket fills up evenly, so there are parts of things, too.
std::string render_counted(const policy::Counting& counting) {
    const auto limit = config::render_limit(counting.rate->limit);
    const auto slash = limit.find('/');
    const bool octets = counting.rate->limit.of == policy::Limit::Of::octets;
    const auto counted = octets ? fmt::format("{:.0f}", counting.counted) : fmt::format("{:g}", std::round(counting.counted * 10) / 10);
    const auto things = octets ? std::string() : fmt::format(" {}", counted_name(counting));  // MiB say it
    return fmt::format("{} of {}{} in {}", counted, limit.substr(0, slash), things, limit.substr(slash + 1));
}

void line(Stage stage, std::string_view text) { print_line(fmt::format("{:<9} {}", name_of(stage), text)); }

struct Printer {
    Stage stage;

    void operator()(const RuleTold& told) const {
        const auto does = told.truth == policy::Truth::unavailable ? std::string("cannot be judged, so it does not apply")
                          : told.truth != policy::Truth::yes       ? std::string("does not apply")
                          : told.does.empty()                      ? std::string("applies, and does nothing")
                                                                   : "applies: " + told.does;
        line(stage, fmt::format("rule {} ({}) {}{}{}", told.rule, told.origin, does, told.facts.empty() ? "" : "; ", told.facts));
    }
    void operator()(const RulesLeft& left) const { line(stage, fmt::format("not asked any more: {}", fmt::join(left.rules, ", "))); }
    void operator()(const policy::Counting& counting) const {
        const auto& rate = *counting.rate;
        const auto verdict = counting.excess
                                 ? fmt::format("is exceeded: {}", rate.action == policy::Action::none ? "alarm" : name_of(rate.action))
                                 : std::string("has room");
        auto wait = std::string();
        if (counting.excess && counting.excess->wait != policy::Taken::kNever)
            wait = fmt::format(", room again in {}", std::chrono::ceil<std::chrono::seconds>(counting.excess->wait));
        line(stage, fmt::format("rate {} ({}) {}; {} counted{}{}{}", rate.name, rate.origin, verdict, render_counted(counting),
                                counting.values.empty() ? "" : " for ", counting.values, wait));
    }
    void operator()(const DecisionTold& told) const {
        const auto& decision = told.decision;
        const auto to = told.filing == policy::Filing::inbox ? std::string() : fmt::format(", to {}", name_of(told.filing));
        line(stage, fmt::format("{} by {}{}: {}", name_of(decision.kind), decision.rule, to, decision.reason));
    }
    void operator()(const Remarked& remark) const { line(stage, remark.text); }
};

void print_steps(const Story& story, bool about_content) {
    for (const auto& step : story.steps)
        if ((step.stage == Stage::content) == about_content) std::visit(Printer{step.stage}, step.what);
}

void print_checks(const std::vector<mailauth::FindingLine>& checks) {
    for (const auto& [what, detail] : checks)
        print_line(what == "asked" ? fmt::format("{:<9}   asked {}", "", detail) : fmt::format("{:<9} {}", what, detail));
}

std::string describe_end(const Story& story, ExplainedExtent extent) {
    std::string end = !story.discarded_by.empty()            ? fmt::format("accepted, and thrown away by {}", story.discarded_by)
                      : story.filing == policy::Filing::junk ? fmt::format("accepted, into the junk folder by {}", story.filed_by)
                      : story.filing == policy::Filing::hold ? fmt::format("accepted, and held by {}", story.filed_by)
                                                             : "accepted";
    if (!story.redirected_to.empty()) end += ", for " + story.redirected_to;
    if (story.marks.score != 0) end += fmt::format(", score {:g}", story.marks.score);
    if (!story.marks.tags.empty()) end += fmt::format(", tags {}", fmt::join(story.marks.tags, " "));
    for (const auto& header : story.marks.headers) end += fmt::format(", with \"{}\" on top", header);
    if (!extent.content) return end + ", as far as one can tell without its content";
    return extent.recipient ? end : end + ", as far as one can tell without a recipient (--to)";
}

json::object as_json(const policy::Decision& decision) {
    return {{"decision", name_of(decision.kind)}, {"rule", decision.rule}, {"reason", decision.reason}, {"reply", reply_of(decision)}};
}

/// Puts each step where it belongs in the object.
struct JsonWriter {
    json::object& all;
    Stage stage;

    json::array& list(const char* key) const { return all[key].is_array() ? all[key].as_array() : all[key].emplace_array(); }
    void operator()(const RuleTold& told) const {
        list("rules").push_back(json::object{{"stage", name_of(stage)},
                                             {"rule", told.rule},
                                             {"origin", told.origin},
                                             {"applies", told.truth == policy::Truth::yes},
                                             {"action", name_of(told.action)},
                                             {"does", told.truth == policy::Truth::yes ? told.does : ""},
                                             {"facts", told.facts}});
    }
    void operator()(const RulesLeft& left) const {
        for (const auto& rule : left.rules) list("not_asked").push_back(json::object{{"stage", name_of(stage)}, {"rule", rule}});
    }
    void operator()(const policy::Counting& counting) const {
        const auto& rate = *counting.rate;
        json::object told{{"stage", name_of(stage)},
                          {"rate", rate.name},
                          {"origin", rate.origin},
                          {"counts", counted_name(counting)},
                          {"for", counting.values},
                          {"counted", counting.counted},
                          {"limit", config::render_limit(rate.limit)},
                          {"action", name_of(rate.action)},
                          {"exceeded", counting.excess.has_value()}};
        if (counting.excess && counting.excess->wait != policy::Taken::kNever)
            told["wait_seconds"] = std::chrono::ceil<std::chrono::seconds>(counting.excess->wait).count();
        list("rates").push_back(std::move(told));
    }
    void operator()(const DecisionTold& told) const {
        auto decision = as_json(told.decision);
        decision["filing"] = name_of(told.filing);
        all[name_of(stage)] = std::move(decision);
    }
    void operator()(const Remarked& remark) const {
        list("remarks").push_back(json::object{{"stage", name_of(stage)}, {"text", remark.text}});
    }
};

}  // namespace

void print_story(const Story& story, const std::vector<mailauth::FindingLine>& checks, ExplainedExtent extent) {
    print_steps(story, false);
    print_checks(checks);
    print_steps(story, true);
    if (!story.refusal) {
        print_line(fmt::format("{:<9} {}", "result", describe_end(story, extent)));
        return;
    }
    const auto& [stage, decision] = *story.refusal;
    print_line(fmt::format("{:<9} {} at {} by {}", "result", name_of(decision.kind), name_of(stage), decision.rule));
    print_line(fmt::format("{:<9} {}", "", reply_of(decision)));
}

void print_story_as_json(const Story& story, const std::vector<mailauth::FindingLine>& checks) {
    json::object all;
    for (const auto* list : {"checks", "rules", "not_asked", "rates", "remarks"}) all[list].emplace_array();
    for (const auto& [what, detail] : checks) all["checks"].as_array().push_back(json::object{{"what", what}, {"detail", detail}});
    for (const auto& step : story.steps) std::visit(JsonWriter{all, step.stage}, step.what);
    all["score"] = story.marks.score;
    all["tags"] = json::value_from(story.marks.tags);
    all["filing"] = name_of(story.filing);
    if (!story.discarded_by.empty()) all["discarded_by"] = story.discarded_by;
    if (!story.redirected_to.empty()) all["redirected_to"] = story.redirected_to;
    if (story.refusal) {
        all["refused"] = as_json(story.refusal->decision);
        all["refused"].as_object()["stage"] = name_of(story.refusal->stage);
    }
    all["accepted"] = !story.refusal;
    print_json(all);
}

}  // namespace thurn::app
