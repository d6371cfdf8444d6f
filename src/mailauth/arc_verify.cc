#include "mailauth/arc_verify.h"

#include <algorithm>
#include <cassert>

namespace thurn::mailauth {

std::string_view name_of(ArcResult result) {
    switch (result) {
        case ArcResult::none:
            return "none";
        case ArcResult::pass:
            return "pass";
        case ArcResult::fail:
            break;
    }
    return "fail";
}

ArcVerifier::ArcVerifier(const MessageHeader& header, BodyHasher& hasher, ArcVerifyOptions options)
    : header_(header), hasher_(hasher), options_(options) {
    verdict_.instance = highest_arc_instance(header);
    if (auto well = read_chain(); !well) fail(well.error().detail);
    for (const auto& link : links_) {
        hasher.want(link.message.body);
        keys_.try_emplace(link.message.key_name());
        keys_.try_emplace(link.seal.key_name());
    }
}

void ArcVerifier::fail(std::string reason) {
    verdict_.result = ArcResult::fail;
    verdict_.reason = std::move(reason);
    links_.clear();
    keys_.clear();
}

/// RFC 8617 §5.2, steps 1 and 2: the structure, and what each seal says of those before it.
base::Result<void> ArcVerifier::read_chain() {
    const auto sets = collect_arc_sets(header_);
    if (!sets) return std::unexpected(sets.error());
    if (sets->empty()) return {};
    if (header_.malformed()) return base::fail(base::ErrorKind::invalid, "the header has a line that is no field");
    if (auto well = read_links(*sets); !well) return well;
    if (verdict_.ended) return base::fail(base::ErrorKind::invalid, "the last seal says that the chain had failed");
    verdict_.result = ArcResult::pass;
    return {};
}

base::Result<void> ArcVerifier::read_links(const std::vector<ArcSet>& sets) {
    for (unsigned instance = 1; instance <= sets.size(); ++instance) {
        auto link = read_link(sets[instance - 1], instance);
        if (!link) return base::pass_on(link);
        links_.push_back(*std::move(link));
    }
    verdict_.ended = links_.back().seal.chain_validation == "fail";
    for (std::size_t i = 0; i < links_.size(); ++i) {
        const auto& said = links_[i].seal.chain_validation;
        if (said != (i == 0 ? "none" : "pass") && !verdict_.ended)
            return base::fail(base::ErrorKind::invalid, "cv=" + said + " in seal " + std::to_string(i + 1));
    }
    for (const auto& link : links_) {
        std::string_view results;
        (void)read_arc_results_instance(header_.fields()[link.set.results].value, results);
        verdict_.links.push_back(
            {.domain = link.seal.domain, .selector = link.seal.selector, .authentication_results = std::string(results)});
    }
    return {};
}

base::Result<ArcVerifier::Link> ArcVerifier::read_link(const ArcSet& set, unsigned instance) const {
    const auto named = [instance](std::string_view field, const base::Error& error) {
        return base::fail(error.kind, std::string(field) + " " + std::to_string(instance) + ": " + error.detail);
    };
    auto message = parse_signature(header_.fields()[set.message_signature].value, SignatureField::arc_message_signature);
    if (!message) return named("ARC-Message-Signature", message.error());
    auto seal = parse_signature(header_.fields()[set.seal].value, SignatureField::arc_seal);
    if (!seal) return named("ARC-Seal", seal.error());
    return Link{.set = set, .message = *std::move(message), .seal = *std::move(seal)};
}

std::vector<dns::Question> ArcVerifier::questions() const {
    std::vector<dns::Question> open;
    for (const auto& [name, answer] : keys_)
        if (!answer) open.push_back({name, dns::Type::txt});
    return open;
}

void ArcVerifier::answer(const dns::Question& question, const dns::Answer& answer) {
    const auto key = keys_.find(question.name);
    if (key != keys_.end() && question.type == dns::Type::txt && !key->second) key->second = answer;
}

bool ArcVerifier::done() const {
    return hasher_.finished() && std::ranges::all_of(keys_, [](const auto& key) { return key.second.has_value(); });
}

ArcVerdict ArcVerifier::take() {
    assert(done());
    if (links_.empty()) return std::move(verdict_);
    // §5.2, step 3: the newest message signature must verify; older ones tell only since when the message is as it is (step 4).
    const std::string newest = "message signature " + std::to_string(links_.size()) + ": ";
    if (const auto why = check_message(links_.back()); !why.empty()) {
        fail(newest + why);
        return std::move(verdict_);
    }
    for (std::size_t i = links_.size(); i > 0; --i) {  // step 5
        if (const auto why = check_seal(i - 1); !why.empty()) {
            fail("seal " + std::to_string(i) + ": " + why);
            return std::move(verdict_);
        }
    }
    verdict_.oldest_pass = find_oldest_pass();
    return std::move(verdict_);
}

unsigned ArcVerifier::find_oldest_pass() const {
    for (std::size_t i = links_.size() - 1; i > 0; --i)
        if (!check_message(links_[i - 1]).empty()) return static_cast<unsigned>(i + 1);
    return 0;
}

/// Why it does not hold; empty when it does.
std::string ArcVerifier::check(const Signature& signature, std::string_view digest) const {
    const auto rules = check_rules(signature, options_.now, options_.policy);
    if (rules.result != DkimResult::pass) return rules.reason;
    const auto outcome = check_signature(signature, digest, *keys_.at(signature.key_name()), options_.policy);
    return outcome.result == DkimResult::pass ? "" : outcome.reason;
}

std::string ArcVerifier::check_message(const Link& link) const {
    const Signature& signature = link.message;
    if (hasher_.digest(signature.body) != signature.body_hash) return "body hash did not verify";
    if (signature.body.length && *signature.body.length != hasher_.size(signature.body.canonicalization))
        return "the end of the body is not signed (l=)";
    return check(signature, header_digest(header_, link.set.message_signature, signature));
}

std::string ArcVerifier::check_seal(std::size_t index) const {
    std::vector<std::string_view> raw;
    for (std::size_t i = 0; i <= index; ++i)
        for (const std::size_t field : {links_[i].set.results, links_[i].set.message_signature, links_[i].set.seal})
            raw.push_back(header_.raw(field));
    return check(links_[index].seal, arc_seal_digest(raw));
}

}  // namespace thurn::mailauth
