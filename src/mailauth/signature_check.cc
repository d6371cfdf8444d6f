#include "mailauth/signature_check.h"

#include <set>

namespace thurn::mailauth {
namespace {

Author author_of(const MessageHeader& header) {
    const auto& fields = header.named("from");
    if (fields.empty()) return {.problem = AuthorProblem::no_field};
    if (fields.size() > 1) return {.problem = AuthorProblem::several_fields};
    return find_author(header.fields()[fields.front()].value);
}

}  // namespace

SignatureCheck::SignatureCheck(std::string header, const DkimVerifyOptions& options)
    : header_(std::move(header)), dkim_(header_, body_, options), arc_(header_, body_, {.now = options.now, .policy = options.policy}) {}

std::vector<dns::Question> SignatureCheck::questions() const {
    std::set<dns::Question> all;
    for (auto& question : dkim_.questions()) all.insert(std::move(question));
    for (auto& question : arc_.questions()) all.insert(std::move(question));
    return {all.begin(), all.end()};
}

void SignatureCheck::answer(const dns::Question& question, const dns::Answer& answer) {
    lookups_.note(question, answer);
    dkim_.answer(question, answer);
    arc_.answer(question, answer);
}

bool SignatureCheck::done() const { return dkim_.done() && arc_.done(); }

SignatureFindings SignatureCheck::take() {
    return {.dkim = dkim_.take(), .arc = arc_.take(), .author = author_of(header_), .lookups = lookups_.take()};
}

}  // namespace thurn::mailauth
