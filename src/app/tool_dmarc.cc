#include "app/command.h"
#include "app/tool_input.h"
#include "app/tool_resolver.h"
#include "mailauth/dmarc.h"
#include "mailauth/dmarc_author.h"

#include <cstdio>
#include <vector>

#include <boost/json/array.hpp>

namespace thurn::app {

namespace json = boost::json;

namespace {

constexpr std::size_t kAtOnce = 64;

/// A text, or the `domain` of an object, or a list of such.
std::vector<std::string> texts_of(const json::object& object, std::string_view key) {
    const auto* value = object.if_contains(key);
    std::vector<std::string> texts;
    const auto take = [&texts](const json::value& each) {
        if (each.is_string()) texts.emplace_back(each.as_string());
        if (each.is_object()) texts.push_back(text_of(each.as_object(), "domain"));
    };
    if (value != nullptr && value->is_array())
        for (const auto& each : value->as_array()) take(each);
    else if (value != nullptr)
        take(*value);
    return texts;
}

/// `headerFrom`: the value of a From field, an address or a domain; of a list, all of them.
mailauth::Author author_of(const json::object& question) {
    const auto texts = texts_of(question, "headerFrom");
    if (texts.empty()) return {.problem = mailauth::AuthorProblem::no_field};
    std::string list;
    for (const auto& text : texts) list.append(list.empty() ? "" : ", ").append(text.contains('@') ? text : "author@" + text);
    return mailauth::find_author(list);
}

mailauth::DmarcRequest request_of(const json::object& question, const mailauth::Author& author) {
    mailauth::DmarcRequest request{.author_domain = author.domain};
    for (auto& domain : texts_of(question, "spfDomains")) request.spf.push_back({.domain = std::move(domain)});
    for (auto& domain : texts_of(question, "dkimDomains")) request.dkim.push_back({.domain = std::move(domain)});
    return request;
}

json::value policy_or_null(const std::optional<mailauth::DmarcPolicy>& policy) {
    return policy ? json::value(mailauth::dmarc_policy_name(*policy)) : json::value(nullptr);
}

json::object alignment_of(const mailauth::DmarcAligned& aligned) {
    return {{"result", aligned.domain.empty() ? json::value(false) : json::value(aligned.domain)},
            {"strict", aligned.mode == mailauth::DmarcAlignment::strict}};
}

json::object answer_of(const mailauth::DmarcVerdict& verdict) {
    json::object answer{{"status", {{"result", mailauth::dmarc_result_name(verdict.result)}}}};
    const auto& record = verdict.record;
    answer["policy"] = record ? json::value(mailauth::dmarc_policy_name(verdict.policy)) : json::value(nullptr);
    answer["p"] = policy_or_null(record ? record->p : std::nullopt);
    answer["sp"] = policy_or_null(record ? record->sp : std::nullopt);
    answer["np"] = policy_or_null(record ? record->np : std::nullopt);
    answer["domain"] = record ? verdict.policy_domain : verdict.author_domain;
    answer["alignment"] = json::object{{"spf", alignment_of(verdict.spf)}, {"dkim", alignment_of(verdict.dkim)}};
    answer["reason"] = verdict.reason;
    return answer;
}

/// One question: a check if there is an author, else why there is none.
struct Asked {
    json::value id;
    std::string problem;
    std::size_t check = 0;  // if there is no problem
};

std::string problem_of(const InputObject& question, const mailauth::Author& author) {
    if (!question.problem.empty()) return question.problem;
    return author.problem ? std::string(mailauth::author_problem_text(*author.problem)) : std::string();
}

json::object finish(const Asked& asked, std::vector<mailauth::DmarcCheck>& checks) {
    json::object answer = answer_of(asked.problem.empty() ? checks[asked.check].take() : mailauth::DmarcVerdict{.reason = asked.problem});
    if (!asked.id.is_null()) answer["id"] = asked.id;
    return answer;
}

base::Result<void> answer_batch(const std::vector<InputObject>& questions, ToolResolver& resolver, const mailauth::PublicSuffixList* list) {
    std::vector<Asked> all;
    std::vector<mailauth::DmarcCheck> checks;
    for (const auto& question : questions) {
        const auto author = author_of(question.object);
        all.push_back({.id = id_of(question.object), .problem = problem_of(question, author), .check = checks.size()});
        if (all.back().problem.empty()) checks.emplace_back(request_of(question.object, author), list);
    }
    if (auto answered = resolver.answer_all(checks); !answered) return base::pass_on(answered);
    for (const auto& asked : all) print_json(finish(asked, checks));
    std::fflush(stdout);  // who asks one by one waits for it
    return {};
}

}  // namespace

int tool_dmarc(const ToolOptions& options) {
    std::optional<mailauth::PublicSuffixList> list;
    if (!options.list_file.empty()) {
        auto read = read_public_suffixes(options.list_file);
        if (!read) return complain(read.error());
        list.emplace(*std::move(read));
    }
    ToolResolver resolver(options.resolver);
    InputObjects input;
    for (auto questions = input.next_batch(kAtOnce); !questions.empty(); questions = input.next_batch(kAtOnce)) {
        if (auto answered = answer_batch(questions, resolver, list ? &*list : nullptr); !answered) return complain(answered.error());
    }
    return exit_ok;
}

}  // namespace thurn::app
