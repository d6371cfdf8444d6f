#include "dns/name.h"
#include "mailauth/dmarc.h"
#include "mailauth/dmarc_author.h"
#include "require.h"

#include <string>

using namespace thurn;
using fuzz::require;

namespace {

/// Every second name has the record, the others none, or a name server that says nothing.
dns::Answer answer_to(const dns::Question& question, std::string_view record, std::size_t number) {
    dns::Answer answer{.status = dns::Status::no_name, .records = {}, .canonical_name = question.name, .detail = {}};
    if (number % 5 == 4) answer.status = dns::Status::failed;
    if (number % 2 == 0) {
        answer.status = dns::Status::ok;
        answer.records.emplace_back(dns::Text{std::string(record)});
    }
    return answer;
}

mailauth::DmarcVerdict evaluate(const std::string& author, std::string_view record, const std::string& other) {
    mailauth::DmarcCheck check(
        {.author_domain = author, .spf = {{.domain = other}}, .dkim = {{.domain = "mail." + other}, {.domain = author}}});
    std::size_t asked = 0;
    while (!check.done()) {
        const auto questions = check.questions();
        require(!questions.empty(), "it asks or ends");
        for (const auto& question : questions) {
            require(dns::parse_name(question.name).has_value(), "questions name what may exist");
            check.answer(question, answer_to(question, record, asked++));
        }
        require(asked <= 1 + 3 * 8, "a walk for each domain, and whether the author's exists");
    }
    return check.take();
}

}  // namespace

/// The value of a From field, a line end, a record, a line end, another domain.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string input(fuzz::as_text(data, size));
    const auto first = std::min(input.find('\n'), input.size());
    const auto second = std::min(input.find('\n', std::min(first + 1, input.size())), input.size());
    const auto author = mailauth::find_author(std::string_view(input).substr(0, first));
    require(author.problem.has_value() == author.domain.empty(), "a domain, or why there is none");
    if (author.problem) return 0;
    const std::string record = input.substr(std::min(first + 1, input.size()), second - std::min(first + 1, second));
    const auto verdict = evaluate(author.domain, record, input.substr(std::min(second + 1, input.size())));
    require(!verdict.reason.empty(), "every verdict has a reason");
    require((verdict.result == mailauth::DmarcResult::fail) || verdict.disposition == mailauth::DmarcPolicy::none,
            "only who fails is acted on");
    if (verdict.result == mailauth::DmarcResult::pass)
        require(!verdict.spf.domain.empty() || !verdict.dkim.domain.empty(), "who passes is aligned with something");
    return 0;
}
