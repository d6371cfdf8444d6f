#include "mailauth/signatory.h"

#include "mailauth/dkim_message.h"
#include "mailauth/dmarc_author.h"

#include <algorithm>
#include <ranges>
#include <tuple>

namespace thurn::mailauth {
namespace {

std::chrono::seconds seconds_of(base::Time now) { return std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()); }

/// Whose keys sign: the first author's. A signature says who is responsible, not who wrote; that DMARC wants one author is for who receives.
std::string signing_domain(const MessageHeader& header) {
    const auto& fields = header.named("from");
    if (fields.empty()) return {};
    return find_author(header.fields()[fields.front()].value).domain;
}

bool is_ours(const Signatory& signatory, std::string_view signature) {
    const auto claim = read_claim(signature);
    return signatory.has_key(claim.domain, claim.selector);
}

constexpr std::size_t kLineEnd = 2;

}  // namespace

Signatory::Signatory(Options options) : fallback_domain_(std::move(options.fallback_domain)), lifetime_(options.lifetime) {
    for (auto& key : options.keys) by_domain_[key.domain].push_back(std::move(key));
}

std::vector<const SigningKey*> Signatory::keys_of(std::string_view domain, base::Time now) const {
    std::vector<const SigningKey*> signing;
    const auto found = by_domain_.find(domain);
    if (found == by_domain_.end()) return signing;
    for (const auto& key : found->second)
        if (key.signs_at(now)) signing.push_back(&key);
    return signing;
}

std::vector<const SigningKey*> Signatory::keys_for(std::string_view author_domain, base::Time now) const {
    for (auto domain = author_domain; !domain.empty();) {
        if (auto found = keys_of(domain, now); !found.empty()) return found;
        const auto dot = domain.find('.');
        domain = dot == std::string_view::npos ? std::string_view() : domain.substr(dot + 1);
    }
    return keys_of(fallback_domain_, now);
}

bool Signatory::has_key(std::string_view domain, std::string_view selector) const {
    const auto found = by_domain_.find(domain);
    return found != by_domain_.end() && std::ranges::any_of(found->second, [&](const auto& key) { return key.selector == selector; });
}

MessageSigning::MessageSigning(std::shared_ptr<const Signatory> signatory, std::string header, base::Time now)
    : signatory_(std::move(signatory)), header_(std::move(header)) {
    const auto keys = signatory_->keys_for(signing_domain(header_), now);
    signers_.reserve(keys.size());
    for (const auto* key : keys)
        signers_.emplace_back(
            header_, *key->key, body_,
            DkimSignOptions{.domain = key->domain, .selector = key->selector, .now = seconds_of(now), .lifetime = signatory_->lifetime()});
}

base::Result<std::string> MessageSigning::finish() {
    body_.finish();
    std::string fields;
    for (const auto& signer : signers_) {
        auto field = signer.sign();
        if (!field) return field;
        fields += *field;
    }
    return fields;
}

base::Result<std::string> sign_message(const std::shared_ptr<const Signatory>& signatory, std::string_view message, base::Time now) {
    HeaderCollector header;
    const auto body = header.feed(message);
    if (header.overflowed()) return base::fail(base::ErrorKind::too_long, "its header is too long to be signed");
    MessageSigning signing(signatory, header.take(), now);
    signing.feed(body);
    return signing.finish();
}

base::Result<std::string> sign_anew(const std::shared_ptr<const Signatory>& signatory, std::string message, base::Time now) {
    HeaderCollector collector;
    std::ignore = collector.feed(message);
    const MessageHeader header(collector.take());
    auto ours = header.named("dkim-signature");
    std::erase_if(ours, [&](std::size_t field) { return !is_ours(*signatory, header.fields()[field].value); });
    if (ours.empty()) return message;
    for (const auto field : ours | std::views::reverse) message.erase(header.offset(field), header.raw(field).size() + kLineEnd);
    auto fields = sign_message(signatory, message, now);
    if (!fields) return fields;
    return *fields + message;
}

}  // namespace thurn::mailauth
