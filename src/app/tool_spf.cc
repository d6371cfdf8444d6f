#include "app/command.h"
#include "app/tool_input.h"
#include "app/tool_resolver.h"
#include "mailauth/spf.h"

#include <cstdio>
#include <vector>

#include <fmt/format.h>

namespace thurn::app {

namespace json = boost::json;

namespace {

constexpr std::size_t kAtOnce = 64;

std::string_view without_brackets(std::string_view path) {
    return path.starts_with('<') && path.ends_with('>') ? path.substr(1, path.size() - 2) : path;
}

mailauth::SpfCheck check_of(const dns::IpAddress& client, std::string_view helo, std::string_view mail_from, const ToolOptions& options) {
    auto request = mailauth::spf_mail_from(client, helo, without_brackets(mail_from));
    request.now = base::Time(time_of(options));
    return mailauth::SpfCheck(std::move(request));
}

int print_verdict(const mailauth::SpfVerdict& verdict) {
    print_line(mailauth::spf_result_name(verdict.result));
    if (!verdict.explanation.empty()) print_line("explanation: " + verdict.explanation);
    print_line("domain: " + verdict.domain);
    for (const auto& step : verdict.path) print_line(fmt::format("step: {} {}", step.domain, step.term.empty() ? "-" : step.term));
    if (!verdict.detail.empty()) print_line("detail: " + verdict.detail);
    return exit_ok;
}

/// The questions of one batch, their checks, and which check belongs to which.
struct Batch {
    std::vector<json::object> answers;
    std::vector<mailauth::SpfCheck> checks;
    std::vector<std::size_t> answer_of_check;
};

Batch begin(const std::vector<InputObject>& questions, const ToolOptions& options) {
    Batch batch;
    for (const auto& [question, problem] : questions) {
        const auto client = dns::parse_ip(text_of(question, "ip"));
        json::object answer{{"id", id_of(question)}, {"result", "permerror"}, {"explanation", ""}};
        if (!problem.empty()) answer["error"] = problem;
        if (problem.empty() && !client) answer["error"] = "\"ip\" is no IP address";
        if (client) {
            batch.checks.push_back(check_of(*client, text_of(question, "helo"), text_of(question, "mailfrom"), options));
            batch.answer_of_check.push_back(batch.answers.size());
        }
        batch.answers.push_back(std::move(answer));
    }
    return batch;
}

void print(Batch batch) {
    for (std::size_t i = 0; i < batch.checks.size(); ++i) {
        const auto verdict = batch.checks[i].take();
        auto& answer = batch.answers[batch.answer_of_check[i]];
        answer["result"] = mailauth::spf_result_name(verdict.result);
        answer["explanation"] = verdict.explanation;
    }
    for (const auto& answer : batch.answers) print_json(answer);
    std::fflush(stdout);  // who asks one by one waits for it
}

int check_batches(const ToolOptions& options) {
    ToolResolver resolver(options.resolver);
    InputObjects input;
    for (auto questions = input.next_batch(kAtOnce); !questions.empty(); questions = input.next_batch(kAtOnce)) {
        Batch batch = begin(questions, options);
        if (auto answered = resolver.answer_all(batch.checks); !answered) return complain(answered.error());
        print(std::move(batch));
    }
    return exit_ok;
}

}  // namespace

int tool_spf(const ToolOptions& options) {
    if (options.ip.empty()) return check_batches(options);
    const auto client = dns::parse_ip(options.ip);
    if (!client) {
        fmt::print(stderr, "thurn tool spf: \"{}\" is no IP address\n", options.ip);
        return exit_usage;
    }
    ToolResolver resolver(options.resolver);
    auto check = check_of(*client, options.helo, options.mail_from, options);
    if (auto answered = resolver.answer_all(check); !answered) return complain(answered.error());
    return print_verdict(check.take());
}

}  // namespace thurn::app
