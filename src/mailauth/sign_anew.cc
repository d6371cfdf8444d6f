#include "mailauth/sign_anew.h"

#include "mailauth/arc_seal.h"
#include "mailauth/arc_set.h"
#include "mailauth/dkim_message.h"
#include "mailauth/dkim_signature.h"

#include <algorithm>
#include <functional>
#include <set>
#include <tuple>
#include <utility>

namespace thurn::mailauth {
namespace {

constexpr std::size_t kLineEnd = 2;
constexpr std::size_t kMostSignatures = 10;

std::chrono::seconds seconds_of(base::Time now) { return std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()); }

/// The header section of a whole message.
std::string header_of(std::string_view message) {
    HeaderCollector collector;
    std::ignore = collector.feed(message);
    return collector.take();
}

/// `fields` in any order.
void erase_fields(std::string& message, const MessageHeader& header, std::vector<std::size_t> fields) {
    std::ranges::sort(fields, std::greater<>());  // from below, so that what is above stays where it is
    for (const auto field : fields) message.erase(header.offset(field), header.raw(field).size() + kLineEnd);
}

/// What a field says, if it names a key of ours.
struct Claim {
    std::size_t field;
    Signature signature;
    const SigningKey* key;
    [[nodiscard]] bool holds_for(std::string_view digest) const {
        const auto shown = PublicKey::read(key->key->type(), key->key->public_key());
        return shown && shown->verify(digest, signature.signature);
    }
};

std::optional<Claim> read_our_claim(const Signatory& signatory, const MessageHeader& header, std::size_t field, SignatureField kind) {
    const auto& value = header.fields()[field].value;
    const auto named = read_claim(value);
    const auto* key = signatory.find_key(named.domain, named.selector);
    if (key == nullptr) return std::nullopt;
    auto signature = parse_signature(value, kind);
    if (!signature) return std::nullopt;
    return Claim{.field = field, .signature = *std::move(signature), .key = key};
}

bool covers(const Claim& claim, const MessageHeader& header, const BodyHasher& body) {
    return !claim.signature.body.length && body.digest(claim.signature.body) == claim.signature.body_hash &&
           claim.holds_for(header_digest(header, claim.field, claim.signature));
}

/// The claims about header and body that are true.
std::vector<Claim> keep_true(std::vector<Claim> claims, const MessageHeader& header, std::string_view message) {
    if (claims.empty() || header.malformed()) return {};
    BodyHasher body;
    for (const auto& claim : claims) body.want(claim.signature.body);
    body.feed(message.substr(header.octets().size()));
    body.finish();
    std::erase_if(claims, [&](const Claim& claim) { return !covers(claim, header, body); });
    return claims;
}

std::vector<Claim> our_signatures(const Signatory& signatory, const MessageHeader& header, std::string_view message) {
    std::vector<Claim> claims;
    for (const auto field : header.named("dkim-signature")) {
        auto claim = read_our_claim(signatory, header, field, SignatureField::dkim_signature);
        if (claim && claims.size() < kMostSignatures) claims.push_back(*std::move(claim));
    }
    return keep_true(std::move(claims), header, message);
}

/// RFC 8617 §5.1.1; the seal of a chain that failed covers its own set only (§5.1.2).
std::string seal_digest(const MessageHeader& header, const std::vector<ArcSet>& sets, bool whole) {
    std::vector<std::string_view> raw;
    for (auto set = whole ? sets.begin() : sets.end() - 1; set != sets.end(); ++set)
        for (const auto field : {set->results, set->message_signature, set->seal}) raw.push_back(header.raw(field));
    return arc_seal_digest(raw);
}

/// The newest seal, if it and the message signature beside it are ours and were true.
std::optional<Claim> our_seal(const Signatory& signatory, const MessageHeader& header, const std::vector<ArcSet>& sets,
                              std::string_view message) {
    auto seal = read_our_claim(signatory, header, sets.back().seal, SignatureField::arc_seal);
    auto beside = read_our_claim(signatory, header, sets.back().message_signature, SignatureField::arc_message_signature);
    if (!seal || !beside || keep_true({*std::move(beside)}, header, message).empty()) return std::nullopt;
    if (!seal->holds_for(seal_digest(header, sets, seal->signature.chain_validation != "fail"))) return std::nullopt;
    return seal;
}

/// What the chain was before our set; a seal needs no more of the verdict.
ArcVerdict chain_before(const Signature& seal, std::size_t sets) {
    const auto& cv = seal.chain_validation;
    return {.result = cv == "pass"   ? ArcResult::pass
                      : cv == "fail" ? ArcResult::fail
                                     : ArcResult::none,
            .instance = static_cast<unsigned>(sets - 1)};
}

base::Result<std::string> add_seal(const SigningKey& key, std::string message, const ArcVerdict& chain, std::string_view saw,
                                   base::Time now) {
    const MessageHeader header(header_of(message));
    BodyHasher body;
    const ArcSealer sealer(header, *key.key, body, {.domain = key.domain, .selector = key.selector, .now = seconds_of(now)});
    body.feed(std::string_view(message).substr(header.octets().size()));
    body.finish();
    auto fields = sealer.seal(chain, saw);
    if (!fields) return fields;
    return *fields + message;
}

}  // namespace

base::Result<std::string> sign_anew(const std::shared_ptr<const Signatory>& signatory, std::string_view original, std::string changed,
                                    base::Time now) {
    const MessageHeader before(header_of(original));
    std::set<std::string_view> ours;
    for (const auto& claim : our_signatures(*signatory, before, original)) ours.insert(before.raw(claim.field));
    if (ours.empty()) return changed;
    const MessageHeader header(header_of(changed));
    auto fields = header.named("dkim-signature");
    std::erase_if(fields, [&](std::size_t field) { return !ours.contains(header.raw(field)); });
    erase_fields(changed, header, fields);
    auto signatures = sign_message(signatory, changed, now);
    if (!signatures) return signatures;
    return *signatures + changed;
}

base::Result<std::string> seal_anew(const std::shared_ptr<const Signatory>& signatory, std::string_view original, std::string changed,
                                    base::Time now) {
    const MessageHeader before(header_of(original));
    const auto sealed = collect_arc_sets(before);
    if (!sealed || sealed->empty()) return changed;
    const auto claim = our_seal(*signatory, before, *sealed, original);
    if (!claim) return changed;
    const auto* key = signatory->sealing_key(claim->signature.domain, now);
    if (key == nullptr) return base::fail(base::ErrorKind::invalid, signatory->why_unsigned(claim->signature.domain, now));
    const MessageHeader header(header_of(changed));
    const auto sets = collect_arc_sets(header);
    if (!sets || sets->size() != sealed->size()) return base::fail(base::ErrorKind::invalid, "the chain was changed too");
    const auto& [results, message_signature, seal] = sets->back();
    std::string_view saw;
    std::ignore = read_arc_results_instance(header.fields()[results].value, saw);
    saw.remove_prefix(std::min(saw.find_first_not_of(" \t\r\n"), saw.size()));
    auto without = changed;
    erase_fields(without, header, {results, message_signature, seal});
    return add_seal(*key, std::move(without), chain_before(claim->signature, sets->size()), saw, now);
}

}  // namespace thurn::mailauth
