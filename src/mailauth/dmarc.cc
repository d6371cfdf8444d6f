#include "mailauth/dmarc.h"

#include "mail/mailbox.h"
#include "mailauth/dmarc_tree.h"
#include "mailauth/inquiry.h"

#include <algorithm>
#include <utility>

namespace thurn::mailauth {
namespace {

/// The form domains are compared in; nothing for what is no domain name.
std::optional<std::string> normal(std::string_view domain) {
    if (domain.ends_with('.')) domain.remove_suffix(1);
    const auto parsed = mail::parse_domain(domain, mail::Charset::utf8);
    if (!parsed || parsed->is_literal()) return std::nullopt;
    return parsed->text();
}

bool is_or_is_below(std::string_view name, std::string_view domain) {
    return name == domain || (name.ends_with(domain) && name.substr(0, name.size() - domain.size()).ends_with('.'));
}

std::string_view source_name(DmarcPolicySource source) {
    switch (source) {
        case DmarcPolicySource::p:
            return "p";
        case DmarcPolicySource::sp:
            return "sp";
        case DmarcPolicySource::np:
            return "np";
    }
    return "";
}

/// One run of the evaluation; its coroutines follow RFC 9989 §5.3.
class Evaluator {
public:
    Evaluator(DmarcRequest request, const PublicSuffixList* suffixes, Inquiries& dns)
        : request_(std::move(request)), dns_(dns), tree_(dns, suffixes) {}
    Evaluator(const Evaluator&) = delete;
    Evaluator& operator=(const Evaluator&) = delete;

    Evaluation<DmarcVerdict> run();

private:
    /// How the domains of one method stand to the author's.
    struct Alignment {
        DmarcAligned aligned;
        std::string may_pass{};  // why it is not known whether something aligned passed
    };

    Evaluation<bool> find_policy();
    Evaluation<bool> take_record(std::string domain, DmarcRecord record);
    Evaluation<DmarcPolicySource> source_of(const DmarcRecord& record, const std::string& domain);
    Evaluation<Alignment> align(const std::vector<AuthenticatedDomain>& domains, DmarcAlignment mode);
    Evaluation<Alignment> compare(const std::string& domain, DmarcAlignment mode);
    void conclude(const Alignment& spf, const Alignment& dkim);
    bool end(DmarcResult result, std::string reason);

    const std::string& author() const { return verdict_.author_domain; }

    DmarcRequest request_;
    Inquiries& dns_;
    DmarcTree tree_;
    DmarcVerdict verdict_;
};

bool Evaluator::end(DmarcResult result, std::string reason) {
    verdict_.result = result;
    verdict_.reason = std::move(reason);
    return false;
}

Evaluation<DmarcVerdict> Evaluator::run() {
    const bool applies = co_await find_policy();
    if (!applies) co_return verdict_;
    const Alignment spf = co_await align(request_.spf, verdict_.record->aspf);
    const Alignment dkim = co_await align(request_.dkim, verdict_.record->adkim);
    conclude(spf, dkim);
    co_return verdict_;
}

/// RFC 9989 §4.10.1: the author's own record, else the organizational domain's, else the public suffix domain's. Whether there is a policy;
/// if not, the verdict is complete.
Evaluation<bool> Evaluator::find_policy() {
    const auto domain = normal(request_.author_domain);
    if (!domain) co_return end(DmarcResult::none, "the author has no domain name");
    verdict_.author_domain = *domain;
    const auto own = co_await tree_.look_at(author());
    if (!own.trouble.empty()) co_return end(DmarcResult::temperror, own.trouble);
    if (own.record) co_return co_await take_record(author(), *own.record);
    const auto walk = co_await tree_.walk_from(author());
    if (!walk.trouble.empty()) co_return end(DmarcResult::temperror, walk.trouble);
    verdict_.organizational_domain = walk.organizational_domain;
    if (const auto* record = walk.record_of(walk.organizational_domain))
        co_return co_await take_record(walk.organizational_domain, *record);
    if (!walk.found.empty()) co_return co_await take_record(walk.found.back().domain, walk.found.back().record);
    co_return end(DmarcResult::none, "no DMARC record for " + author());
}

Evaluation<bool> Evaluator::take_record(std::string domain, DmarcRecord record) {
    const auto usable = record.usable();
    if (!usable) co_return end(DmarcResult::permerror, "the record of " + domain + " has no valid policy, and nobody to report to");
    verdict_.policy_domain = domain;
    verdict_.record = usable;
    verdict_.source = co_await source_of(*usable, domain);
    const DmarcPolicy p = usable->p.value_or(DmarcPolicy::none);
    const DmarcPolicy sp = usable->sp.value_or(p);
    verdict_.policy = verdict_.source == DmarcPolicySource::np   ? usable->np.value_or(sp)
                      : verdict_.source == DmarcPolicySource::sp ? sp
                                                                 : p;
    if (usable->mode == DmarcRecord::Mode::test) verdict_.policy = milder(verdict_.policy);
    co_return true;
}

/// RFC 9989 §4.7, `sp` and `np`: of a name that is not there at all (RFC 8020), of one that is below, of the domain itself.
Evaluation<DmarcPolicySource> Evaluator::source_of(const DmarcRecord& record, const std::string& domain) {
    if (domain == author()) co_return DmarcPolicySource::p;
    if (record.np) {
        const dns::Answer answer = co_await dns_.ask({author(), dns::Type::a});
        if (answer.status == dns::Status::no_name) co_return DmarcPolicySource::np;
    }
    co_return record.sp ? DmarcPolicySource::sp : DmarcPolicySource::p;
}

Evaluation<Evaluator::Alignment> Evaluator::align(const std::vector<AuthenticatedDomain>& domains, DmarcAlignment mode) {
    Alignment best{.aligned = {.mode = mode}};
    for (const auto& candidate : domains) {
        const auto domain = normal(candidate.domain);
        if (!domain) continue;
        Alignment compared = co_await compare(*domain, mode);
        if (!compared.may_pass.empty()) best.may_pass = compared.may_pass;
        if (compared.aligned.domain.empty()) continue;
        if (candidate.standing == AuthenticatedDomain::Standing::passed) co_return compared;
        best.may_pass = *domain + " is aligned, and could not be checked for now";
    }
    co_return best;
}

/// RFC 9989 §4.4. Under relaxed alignment both have one organizational domain, so a name outside the author's needs no walk of its own.
Evaluation<Evaluator::Alignment> Evaluator::compare(const std::string& domain, DmarcAlignment mode) {
    const Alignment not_aligned{.aligned = {.mode = mode}};
    const Alignment aligned{.aligned = {.domain = domain, .mode = mode}};
    if (domain == author()) co_return aligned;
    if (mode == DmarcAlignment::strict) co_return not_aligned;
    const auto own = co_await tree_.walk_from(author());
    if (!own.trouble.empty()) co_return Alignment{.aligned = {.mode = mode}, .may_pass = own.trouble};
    verdict_.organizational_domain = own.organizational_domain;
    if (!is_or_is_below(domain, own.organizational_domain)) co_return not_aligned;
    const auto other = co_await tree_.walk_from(domain);
    if (!other.trouble.empty()) co_return Alignment{.aligned = {.mode = mode}, .may_pass = other.trouble};
    co_return other.organizational_domain == own.organizational_domain ? aligned : not_aligned;
}

void Evaluator::conclude(const Alignment& spf, const Alignment& dkim) {
    verdict_.spf = spf.aligned;
    verdict_.dkim = dkim.aligned;
    if (!dkim.aligned.domain.empty() || !spf.aligned.domain.empty()) {
        const bool by_dkim = !dkim.aligned.domain.empty();
        end(DmarcResult::pass, std::string(by_dkim ? "DKIM of " : "SPF of ") + (by_dkim ? dkim : spf).aligned.domain + " is aligned");
        return;
    }
    // DMARC must not fail what may have passed had DNS answered.
    for (const auto& doubt : {dkim.may_pass, spf.may_pass})
        if (!doubt.empty()) return void(end(DmarcResult::temperror, doubt));
    verdict_.disposition = verdict_.policy;
    end(DmarcResult::fail, "neither SPF nor DKIM passed for a domain aligned with " + author() + "; " +
                               std::string(source_name(verdict_.source)) + " of " + verdict_.policy_domain + " asks for " +
                               std::string(dmarc_policy_name(verdict_.policy)) +
                               (verdict_.record->mode == DmarcRecord::Mode::test ? ", as t=y makes it one step milder" : ""));
}

}  // namespace

std::string_view dmarc_result_name(DmarcResult result) {
    switch (result) {
        case DmarcResult::none:
            return "none";
        case DmarcResult::pass:
            return "pass";
        case DmarcResult::fail:
            return "fail";
        case DmarcResult::temperror:
            return "temperror";
        case DmarcResult::permerror:
            return "permerror";
    }
    return "";
}

struct DmarcCheck::State {
    State(DmarcRequest request, const PublicSuffixList* suffixes)
        : evaluator(std::move(request), suffixes, inquiries), evaluation(evaluator.run()) {}
    Inquiries inquiries;
    Evaluator evaluator;
    Evaluation<DmarcVerdict> evaluation;
};

DmarcCheck::DmarcCheck(DmarcRequest request, const PublicSuffixList* suffixes)
    : state_(std::make_unique<State>(std::move(request), suffixes)) {
    state_->evaluation.start();
}
DmarcCheck::~DmarcCheck() = default;
DmarcCheck::DmarcCheck(DmarcCheck&&) noexcept = default;
DmarcCheck& DmarcCheck::operator=(DmarcCheck&&) noexcept = default;

std::vector<dns::Question> DmarcCheck::questions() const { return state_->inquiries.open(); }
void DmarcCheck::answer(const dns::Question& question, const dns::Answer& answer) { state_->inquiries.answer(question, answer); }
bool DmarcCheck::done() const { return state_->evaluation.done(); }
DmarcVerdict DmarcCheck::take() { return state_->evaluation.take(); }

}  // namespace thurn::mailauth
