#include "inbound/content_gate.h"

#include "base/ascii.h"
#include "mail/header.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace thurn::inbound {

namespace {

constexpr std::size_t kLongestHeader = 64 * 1024;

/// Whether all there is to know about the header is in `content`.
bool header_is_whole(std::string_view content) { return content.starts_with("\r\n") || content.find("\r\n\r\n") != std::string_view::npos; }

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

std::string_view ContentGate::feed(std::string_view chunk) {
    look_for_eight_bit(chunk);
    if (opened_) {
        std::string().swap(held_);
        return chunk;
    }
    if (held_.empty() && header_is_whole(chunk)) return open(chunk);
    const std::size_t before = held_.size();
    held_ += chunk;
    const std::size_t from = before < 3 ? 0 : before - 3;
    const bool whole = held_.starts_with("\r\n") || held_.find("\r\n\r\n", from) != std::string::npos;
    if (whole || held_.size() > kLongestHeader) return open(held_);
    return {};
}

std::string_view ContentGate::finish() {
    if (opened_) return {};
    return open(held_);
}

std::string_view ContentGate::open(std::string_view content) {
    opened_ = true;
    const auto header = mail::parse_header(content);
    received_fields_ = header.count("Received");
    eight_bit_header_ = eight_bit_ && has_high_octet(content.substr(0, header.size));
    has_date_ = header.find("Date") != nullptr;
    const auto* tls_required = header.find("TLS-Required");
    tls_not_required_ = tls_required && base::equal_ignoring_case(mail::unfold(tls_required->value), "no");
    has_message_id_ = header.find("Message-ID") != nullptr;
    return content;
}

void ContentGate::look_for_eight_bit(std::string_view octets) {
    if (!eight_bit_) eight_bit_ = has_high_octet(octets);
}

}  // namespace thurn::inbound
