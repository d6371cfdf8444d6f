#include "mailauth/origin_check.h"

#include <set>

namespace thurn::mailauth {
namespace {

SpfRequest told(SpfRequest request, const MessageOrigin& origin) {
    request.receiver = origin.receiver;
    request.now = origin.now;
    return request;
}

std::optional<SpfCheck> check_helo(const MessageOrigin& origin) {
    if (origin.reverse_path.empty()) return std::nullopt;
    return SpfCheck(told(spf_helo(origin.client, origin.helo), origin));
}

}  // namespace

OriginCheck::OriginCheck(const MessageOrigin& origin)
    : iprev_(origin.client),
      helo_(check_helo(origin)),
      mail_from_(told(spf_mail_from(origin.client, origin.helo, origin.reverse_path), origin)) {}

std::vector<dns::Question> OriginCheck::questions() const {
    std::set<dns::Question> all;
    const auto add = [&all](std::vector<dns::Question> questions) { all.insert(questions.begin(), questions.end()); };
    add(iprev_.questions());
    add(mail_from_.questions());
    if (helo_) add(helo_->questions());
    return {all.begin(), all.end()};
}

void OriginCheck::answer(const dns::Question& question, const dns::Answer& answer) {
    lookups_.note(question, answer);
    iprev_.answer(question, answer);
    mail_from_.answer(question, answer);
    if (helo_) helo_->answer(question, answer);
}

bool OriginCheck::done() const { return iprev_.done() && mail_from_.done() && (!helo_ || helo_->done()); }

OriginFindings OriginCheck::take() {
    return {.iprev = iprev_.take(),
            .helo = helo_ ? std::optional(helo_->take()) : std::nullopt,
            .mail_from = mail_from_.take(),
            .lookups = lookups_.take()};
}

}  // namespace thurn::mailauth
