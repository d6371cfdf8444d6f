#include "mailauth/spf.h"

#include "base/ascii.h"
#include "mail/mailbox.h"
#include "mailauth/inquiry.h"
#include "mailauth/spf_evaluator.h"

#include <algorithm>
#include <utility>

namespace thurn::mailauth {
namespace {

/// RFC 7208 §4.3: U-labels as A-labels. What is no domain stays as it is, and is found to be none.
std::string with_a_labels(std::string_view domain) {
    if (std::ranges::all_of(domain, base::is_ascii)) return std::string(domain);
    const auto parsed = mail::parse_domain(domain, mail::Charset::utf8);
    return parsed ? parsed->text() : std::string(domain);
}

std::string without_last_dot(std::string domain) {
    if (domain.ends_with('.')) domain.pop_back();
    return domain;
}

}  // namespace

SpfRequest spf_mail_from(const dns::IpAddress& client, std::string_view helo, std::string_view reverse_path) {
    if (reverse_path.empty()) return spf_helo(client, helo);
    const auto at = reverse_path.rfind('@');  // a quoted local part may hold another
    const auto local = at == std::string_view::npos ? std::string_view() : reverse_path.substr(0, at);
    const auto domain = at == std::string_view::npos ? reverse_path : reverse_path.substr(at + 1);
    return {.client = client,
            .local_part = local.empty() ? "postmaster" : std::string(local),
            .domain = without_last_dot(with_a_labels(domain)),
            .helo = std::string(helo)};
}

SpfRequest spf_helo(const dns::IpAddress& client, std::string_view helo) {
    return {.client = client, .local_part = "postmaster", .domain = without_last_dot(with_a_labels(helo)), .helo = std::string(helo)};
}

struct SpfCheck::State {
    explicit State(SpfRequest request) : evaluator(std::move(request), inquiries), evaluation(evaluator.run()) {}
    Inquiries inquiries;
    SpfEvaluator evaluator;
    Evaluation<SpfVerdict> evaluation;
};

SpfCheck::SpfCheck(SpfRequest request) : state_(std::make_unique<State>(std::move(request))) { state_->evaluation.start(); }
SpfCheck::~SpfCheck() = default;
SpfCheck::SpfCheck(SpfCheck&&) noexcept = default;
SpfCheck& SpfCheck::operator=(SpfCheck&&) noexcept = default;

std::vector<dns::Question> SpfCheck::questions() const { return state_->inquiries.open(); }
void SpfCheck::answer(const dns::Question& question, const dns::Answer& answer) { state_->inquiries.answer(question, answer); }
bool SpfCheck::done() const { return state_->evaluation.done(); }
SpfVerdict SpfCheck::take() { return state_->evaluation.take(); }

}  // namespace thurn::mailauth
