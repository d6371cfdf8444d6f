#include "inbound/content_gate.h"

#include "base/ascii.h"
#include "mail/header.h"
#include "mailauth/authentication_results.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace thurn::inbound {

namespace {

/// Where the body begins; npos while there is no empty line. The octets before `from` hold none.
std::size_t find_body(std::string_view content, std::size_t from) {
    if (content.starts_with("\r\n")) return 2;
    const auto found = content.find("\r\n\r\n", from);
    return found == std::string_view::npos ? found : found + 4;
}

/// The first field of `rest` with its folds, or a line that is none.
std::string_view first_field(std::string_view rest) {
    std::size_t end = 0;
    do {
        const auto line = rest.find("\r\n", end);
        if (line == std::string_view::npos) return rest;
        end = line + 2;
    } while (end < rest.size() && (rest[end] == ' ' || rest[end] == '\t'));
    return rest.substr(0, end);
}

bool is_forged(std::string_view field, std::string_view own_id) {
    const auto colon = field.find(':');
    if (colon == std::string_view::npos) return false;
    auto name = field.substr(0, colon);
    while (name.ends_with(' ') || name.ends_with('\t')) name.remove_suffix(1);
    return mailauth::claims_to_be_ours({.name = name, .value = field.substr(colon + 1)}, own_id);
}

/// All but what claims to be our Authentication-Results, behind a line that is no field too: readers differ about what follows there. False
/// when nothing was left out.
bool remove_forged(std::string_view header, std::string_view own_id, std::string& kept) {
    kept.clear();
    for (auto rest = header; !rest.empty();) {
        const auto field = first_field(rest);
        rest.remove_prefix(field.size());
        if (!is_forged(field, own_id)) kept += field;
    }
    return kept.size() != header.size();
}

/// Eight octets at a time: this looks at every octet of every message.
bool has_high_octet(std::string_view octets) {
    std::uint64_t seen = 0;
    std::size_t at = 0;
    for (; at + 8 <= octets.size(); at += 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, octets.data() + at, 8);
        seen |= word;
    }
    for (; at < octets.size(); ++at) seen |= static_cast<unsigned char>(octets[at]);
    return (seen & 0x8080808080808080U) != 0;
}

}  // namespace

ContentGate::Passed ContentGate::feed(std::string_view chunk) {
    if (overflowed_) return {};
    look_for_eight_bit(chunk);
    if (opened_) {
        std::string().swap(held_);
        std::string().swap(kept_);
        return {.body = chunk};
    }
    if (held_.empty()) {
        if (const auto size = find_body(chunk, 0); size != std::string_view::npos) return open(chunk, size);
    }
    const std::size_t before = held_.size();
    held_ += chunk;
    const auto size = find_body(held_, before < 3 ? 0 : before - 3);
    if (size != std::string_view::npos) return open(held_, size);
    return held_.size() > options_.max_header ? overflow() : Passed();
}

ContentGate::Passed ContentGate::finish() {
    if (opened_ || overflowed_) return {};
    return open(held_, held_.size());
}

ContentGate::Passed ContentGate::overflow() {
    overflowed_ = true;
    std::string().swap(held_);
    return {};
}

ContentGate::Passed ContentGate::open(std::string_view content, std::size_t header_size) {
    if (header_size > options_.max_header) return overflow();
    opened_ = true;
    const auto original = content.substr(0, header_size);
    const auto header = mail::parse_header(original);
    received_fields_ = header.count("Received");
    eight_bit_header_ = eight_bit_ && has_high_octet(original);
    has_date_ = header.find("Date") != nullptr;
    const auto* tls_required = header.count("TLS-Required") == 1 ? header.find("TLS-Required") : nullptr;  // RFC 8689 §3: never two
    tls_not_required_ = tls_required && base::equal_ignoring_case(mail::unfold(tls_required->value), "no");
    has_message_id_ = header.find("Message-ID") != nullptr;
    const bool suspect = header.count("Authentication-Results") > 0 || header.size != header_size;
    const bool changed = suspect && !options_.own_id.empty() && remove_forged(original, options_.own_id, kept_);
    return {.header = changed ? std::string_view(kept_) : original, .original = original, .body = content.substr(header_size)};
}

void ContentGate::look_for_eight_bit(std::string_view octets) {
    if (!eight_bit_) eight_bit_ = has_high_octet(octets);
}

}  // namespace thurn::inbound
