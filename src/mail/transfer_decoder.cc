#include "mail/transfer_decoder.h"

#include "base/ascii.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace thurn::mail {
namespace {

constexpr std::size_t kMostHeld = 80;  // white space between `=` and the end of its line

constexpr std::array<std::int8_t, 256> kDigits = [] {
    std::array<std::int8_t, 256> values{};
    values.fill(-1);
    constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (std::size_t i = 0; i < alphabet.size(); ++i) values[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);
    return values;
}();

int hex_value(char c) {
    if (base::is_digit(c)) return c - '0';
    const char lower = base::to_lower(c);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

constexpr bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

}  // namespace

void TransferDecoder::feed(std::string_view octets, std::string& into) {
    if (encoding_ == TransferEncoding::base64)
        feed_base64(octets, into);
    else if (encoding_ == TransferEncoding::quoted_printable)
        feed_quoted(octets, into);
    else
        into += octets;
}

void TransferDecoder::finish(std::string& into) {
    if (encoding_ == TransferEncoding::base64) end_group(into);
    // A `=` with nothing but white space behind it is a line that goes on, and here it does not.
    if (held_.size() > 1 && !is_blank(held_[1])) into += held_;
    held_.clear();
}

void TransferDecoder::feed_base64(std::string_view octets, std::string& into) {
    for (const char c : octets) {
        const auto value = kDigits[static_cast<unsigned char>(c)];
        if (value < 0) {
            if (c == '=') end_group(into);
            continue;
        }
        bits_ = bits_ << 6 | static_cast<unsigned>(value);
        if (++digits_ == 4) {
            into += static_cast<char>(bits_ >> 16 & 0xFF);
            into += static_cast<char>(bits_ >> 8 & 0xFF);
            into += static_cast<char>(bits_ & 0xFF);
            bits_ = digits_ = 0;
        }
    }
}

void TransferDecoder::end_group(std::string& into) {
    if (digits_ == 2) into += static_cast<char>(bits_ >> 4 & 0xFF);
    if (digits_ == 3) {
        into += static_cast<char>(bits_ >> 10 & 0xFF);
        into += static_cast<char>(bits_ >> 2 & 0xFF);
    }
    bits_ = digits_ = 0;
}

void TransferDecoder::feed_quoted(std::string_view octets, std::string& into) {
    while (!octets.empty()) {
        if (held_.empty()) {
            const auto plain = std::min(octets.find('='), octets.size());
            into += octets.substr(0, plain);
            octets.remove_prefix(plain);
        }
        if (octets.empty()) return;
        resolve(octets.front(), into);
        octets.remove_prefix(1);
    }
}

/// One octet more of what began with `=`, or begins with it.
void TransferDecoder::resolve(char c, std::string& into) {
    if (held_.empty()) {
        if (c == '=')
            held_ = "=";
        else
            into += c;
        return;
    }
    const bool digit_before = held_.size() == 2 && hex_value(held_[1]) >= 0;
    if (digit_before && hex_value(c) >= 0) {
        into += static_cast<char>(hex_value(held_[1]) * 16 + hex_value(c));
        held_.clear();
    } else if (!digit_before && c == '\n') {
        held_.clear();  // a soft line break
    } else if (!digit_before && held_.size() < kMostHeld && (is_blank(c) || (held_.size() == 1 && hex_value(c) >= 0))) {
        held_ += c;
    } else {
        into += held_;
        held_.clear();
        resolve(c, into);
    }
}

std::string decode_transfer(TransferEncoding encoding, std::string_view octets) {
    TransferDecoder decoder(encoding);
    std::string decoded;
    decoder.feed(octets, decoded);
    decoder.finish(decoded);
    return decoded;
}

}  // namespace thurn::mail
