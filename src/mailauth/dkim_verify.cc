#include "mailauth/dkim_verify.h"

#include "base/base64.h"

#include <algorithm>
#include <array>
#include <cassert>

namespace thurn::mailauth {
namespace {

constexpr std::size_t kPrefix = 8;  // RFC 6008 §3

std::size_t rank(DkimResult result) {
    constexpr std::array kBestFirst{DkimResult::pass,    DkimResult::temperror, DkimResult::policy, DkimResult::fail,
                                    DkimResult::neutral, DkimResult::permerror, DkimResult::none};
    return static_cast<std::size_t>(std::ranges::find(kBestFirst, result) - kBestFirst.begin());
}

void put_reason(DkimVerdict& verdict, const std::string& reason) { verdict.reason += (verdict.reason.empty() ? "" : "; ") + reason; }

}  // namespace

DkimVerifier::DkimVerifier(const MessageHeader& header, BodyHasher& hasher, DkimVerifyOptions options)
    : header_(header), hasher_(hasher), options_(options) {
    for (const std::size_t field : header.named("dkim-signature")) {
        if (candidates_.size() == options_.max_signatures) {
            ++left_out_;
            continue;
        }
        candidates_.push_back(read(field));
        const auto& signature = candidates_.back().signature;
        if (!signature) continue;
        hasher.want(signature->body);
        keys_.try_emplace(signature->key_name());
    }
}

/// Gives a candidate without a signature where the key cannot change the verdict any more.
DkimVerifier::Candidate DkimVerifier::read(std::size_t field) const {
    const std::string_view value = header_.fields()[field].value;
    const auto claim = read_claim(value);
    Candidate candidate{.field = field, .signature = std::nullopt, .verdict = {}};
    DkimVerdict& verdict = candidate.verdict;
    verdict.result = DkimResult::permerror;
    verdict.domain = claim.domain;
    verdict.selector = claim.selector;
    verdict.algorithm = claim.algorithm;
    if (header_.malformed()) {
        verdict.reason = "the header has a line that is no field";
        return candidate;
    }
    auto signature = parse_signature(value, SignatureField::dkim_signature);
    if (!signature) {
        verdict.reason = signature.error().detail;
        return candidate;
    }
    verdict.identity = signature->identity;
    verdict.b_prefix = base::encode_base64(signature->signature).substr(0, kPrefix);
    verdict.signed_octets = signature->body.length;
    auto rules = check_rules(*signature, options_.now, options_.policy);
    verdict.result = rules.result;
    verdict.reason = std::move(rules.reason);
    if (rules.result == DkimResult::pass) candidate.signature = *std::move(signature);
    return candidate;
}

std::vector<dns::Question> DkimVerifier::questions() const {
    std::vector<dns::Question> open;
    for (const auto& [name, answer] : keys_)
        if (!answer) open.push_back({name, dns::Type::txt});
    return open;
}

void DkimVerifier::answer(const dns::Question& question, const dns::Answer& answer) {
    const auto key = keys_.find(question.name);
    if (key != keys_.end() && question.type == dns::Type::txt && !key->second) key->second = answer;
}

bool DkimVerifier::done() const {
    return hasher_.finished() && std::ranges::all_of(keys_, [](const auto& key) { return key.second.has_value(); });
}

std::vector<DkimVerdict> DkimVerifier::take() {
    assert(done());
    std::vector<DkimVerdict> verdicts;
    for (auto& candidate : candidates_) {
        if (candidate.signature) judge(candidate);
        verdicts.push_back(std::move(candidate.verdict));
    }
    if (left_out_ > 0)
        verdicts.push_back({.result = DkimResult::neutral, .reason = std::to_string(left_out_) + " more signatures were not looked at"});
    return verdicts;
}

void DkimVerifier::judge(Candidate& candidate) const {
    const Signature& signature = *candidate.signature;
    DkimVerdict& verdict = candidate.verdict;
    const auto& answer = keys_.at(signature.key_name());
    auto outcome = check_signature(signature, header_digest(header_, candidate.field, signature), *answer, options_.policy);
    verdict.result = outcome.result;
    verdict.reason = std::move(outcome.reason);
    verdict.key_bits = outcome.key_bits;
    verdict.testing = outcome.testing;
    if (verdict.result == DkimResult::pass || verdict.result == DkimResult::policy || verdict.result == DkimResult::fail) {
        const DkimResult body = check_body(signature, verdict);
        if (body == DkimResult::fail || verdict.result == DkimResult::pass) verdict.result = body;
    }
    if (verdict.result == DkimResult::pass && leaves_from_out(signature)) {
        verdict.result = DkimResult::policy;
        put_reason(verdict, "a From field is not signed");
    }
    if (verdict.testing) put_reason(verdict, "the domain is testing DKIM");
}

DkimResult DkimVerifier::check_body(const Signature& signature, DkimVerdict& verdict) const {
    if (hasher_.digest(signature.body) != signature.body_hash) {
        // RFC 6376 §6.1.3, told first: a changed body is what most often breaks a signature.
        verdict.reason = "body hash did not verify";
        verdict.body_changed = true;
        return DkimResult::fail;
    }
    if (!signature.body.length) return DkimResult::pass;
    const std::uint64_t size = hasher_.size(signature.body.canonicalization);
    if (*signature.body.length > size) {  // RFC 6376 §3.5, l=
        verdict.reason = "l= is more than the body has";
        return DkimResult::fail;
    }
    verdict.unsigned_octets = size - *signature.body.length;
    if (verdict.unsigned_octets == 0) {
        put_reason(verdict, "l= lets anybody add to the message");
        return DkimResult::pass;
    }
    put_reason(verdict, std::to_string(verdict.unsigned_octets) + " octets at the end are not signed (l=)");
    return DkimResult::policy;
}

bool DkimVerifier::leaves_from_out(const Signature& signature) const {
    const auto signed_count = static_cast<std::size_t>(std::ranges::count(signature.fields, "from"));
    return signed_count < header_.named("from").size();
}

DkimResult best_of(const std::vector<DkimVerdict>& verdicts) {
    const auto best = std::ranges::min_element(verdicts, {}, [](const DkimVerdict& verdict) { return rank(verdict.result); });
    return best == verdicts.end() ? DkimResult::none : best->result;
}

}  // namespace thurn::mailauth
