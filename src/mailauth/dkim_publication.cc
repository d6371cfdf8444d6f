#include "mailauth/dkim_publication.h"

#include "mailauth/dkim_key.h"

#include <algorithm>
#include <array>
#include <vector>

namespace thurn::mailauth {
namespace {

/// RSA keys are published as SubjectPublicKeyInfo or as the RSAPublicKey at its end (RFC 6376 §3.6.1).
bool is_same_key(const PrivateKey& key, const DkimKeyRecord& record) {
    if (record.type != key.type()) return false;
    const std::string ours = key.public_key();
    return record.key == ours || (key.type() == KeyType::rsa && ours.ends_with(record.key) && PublicKey::read(record.type, record.key));
}

PublicationReport compare_record(const PrivateKey& key, std::string_view text) {
    const auto record = parse_dkim_key_record(text);
    if (!record) return {Publication::malformed, record.error().detail};
    if (record->revoked()) return {Publication::revoked, "p= is empty: signatures with this key are worth nothing"};
    if (record->type != key.type()) return {Publication::different, "k=" + std::string(name_of(record->type)) + ", ours is another kind"};
    if (!is_same_key(key, *record)) return {Publication::different, "p= is not our key"};
    return {Publication::published, record->testing ? "t=y: receivers may treat what it signs as unsigned" : ""};
}

}  // namespace

std::string_view name_of(Publication publication) {
    constexpr std::array kNames{"published", "missing", "different", "revoked", "malformed", "several", "unknown"};
    return kNames.at(static_cast<std::size_t>(publication));
}

PublicationReport compare_publication(const PrivateKey& key, const dns::Answer& answer) {
    if (answer.status == dns::Status::failed || answer.status == dns::Status::bogus)
        return {Publication::unknown, answer.detail.empty() ? "DNS did not answer" : answer.detail};
    std::vector<std::string_view> texts;
    for (const auto& record : answer.records)
        if (const auto* text = std::get_if<dns::Text>(&record)) texts.push_back(text->octets);
    if (texts.empty()) return {Publication::missing, answer.status == dns::Status::no_name ? "no such name" : "no TXT record"};
    if (texts.size() > 1) return {Publication::several, std::to_string(texts.size()) + " TXT records; leave one"};
    return compare_record(key, texts.front());
}

}  // namespace thurn::mailauth
