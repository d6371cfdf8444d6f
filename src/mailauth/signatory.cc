#include "mailauth/signatory.h"

#include "mail/date.h"
#include "mailauth/dkim_message.h"
#include "mailauth/dmarc_author.h"

#include <algorithm>
#include <iterator>
#include <tuple>

#include <fmt/format.h>

namespace thurn::mailauth {
namespace {

std::chrono::seconds seconds_of(base::Time now) { return std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()); }

/// Whose keys sign: the first author's. A signature says who is responsible, not who wrote; that DMARC wants one author is for who receives.
std::string signing_domain(const MessageHeader& header) {
    const auto& fields = header.named("from");
    if (fields.empty()) return {};
    return find_author(header.fields()[fields.front()].value).domain;
}

/// `d= s= a=`, as a field of ours says it.
std::string describe(const SigningKey& key) {
    return fmt::format("d={} s={} a={}-sha256", key.domain, key.selector, name_of(key.key->type()));
}

}  // namespace

Signatory::Signatory(Options options)
    : fallback_domain_(std::move(options.fallback_domain)),
      third_party_domain_(std::move(options.third_party_domain)),
      lifetime_(options.lifetime) {
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

std::vector<const SigningKey*> Signatory::keys_of_author(std::string_view author_domain, base::Time now) const {
    for (auto domain = author_domain; !domain.empty();) {
        if (auto found = keys_of(domain, now); !found.empty()) return found;
        const auto dot = domain.find('.');
        domain = dot == std::string_view::npos ? std::string_view() : domain.substr(dot + 1);
    }
    return keys_of(fallback_domain_, now);
}

std::vector<const SigningKey*> Signatory::keys_for(std::string_view author_domain, base::Time now) const {
    auto keys = keys_of_author(author_domain, now);
    const bool signs_already = !keys.empty() && keys.front()->domain == third_party_domain_;
    if (!signs_already) std::ranges::copy(keys_of(third_party_domain_, now), std::back_inserter(keys));
    return keys;
}

const SigningKey* Signatory::sealing_key(std::string_view domain, base::Time now) const {
    const auto keys = keys_of_author(domain, now);
    if (keys.empty()) return nullptr;
    const auto rsa = std::ranges::find_if(keys, [](const auto* key) { return key->key->type() == KeyType::rsa; });
    return rsa == keys.end() ? keys.front() : *rsa;
}

std::string Signatory::why_unsigned(std::string_view author_domain, base::Time now) const {
    if (author_domain.empty()) return "there is no author's domain in From";
    const auto found = by_domain_.find(author_domain);
    if (found == by_domain_.end()) return fmt::format("there is no key for {}", author_domain);
    auto next = base::Time::max();
    for (const auto& key : found->second)
        if (key.from > now) next = std::min(next, key.from);
    if (next == base::Time::max()) return fmt::format("all keys for {} have ended", author_domain);
    return fmt::format("the key for {} signs from {} on", author_domain, mail::render_timestamp(next));
}

const SigningKey* Signatory::find_key(std::string_view domain, std::string_view selector) const {
    const auto keys = by_domain_.find(domain);
    if (keys == by_domain_.end()) return nullptr;
    const auto found = std::ranges::find(keys->second, selector, &SigningKey::selector);
    return found == keys->second.end() ? nullptr : &*found;
}

MessageSigning::MessageSigning(std::shared_ptr<const Signatory> signatory, std::string header, base::Time now)
    : signatory_(std::move(signatory)), header_(std::move(header)) {
    const auto domain = signing_domain(header_);
    const auto keys = signatory_->keys_for(domain, now);
    if (keys.empty()) reason_ = signatory_->why_unsigned(domain, now);
    for (const auto* key : keys) keys_ += (keys_.empty() ? "" : ", ") + describe(*key);
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

}  // namespace thurn::mailauth
