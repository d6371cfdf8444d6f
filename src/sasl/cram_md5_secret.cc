// HMAC is H(key ^ opad, H(key ^ ipad, text)), and both keys fill exactly one block of MD5. So the states after these blocks are all that is
// needed of the password. Only OpenSSL's old interface lets one look at them and begin with them.
#include "sasl/cram_md5_secret.h"

#include "sasl/hash.h"

#include <array>
#include <cstdint>

#include <openssl/crypto.h>
#include <openssl/md5.h>

#pragma clang diagnostic ignored "-Wdeprecated-declarations"

namespace thurn::sasl {
namespace {

constexpr std::size_t kBlock = MD5_CBLOCK;
constexpr std::size_t kState = 16;
constexpr std::string_view kDigits = "0123456789abcdef";

/// Words are little-endian in MD5 (RFC 1321 §2).
void append_word(std::string& octets, std::uint32_t word) {
    for (int part = 0; part < 4; ++part, word >>= 8) octets += static_cast<char>(word & 0xff);
}

std::uint32_t word_at(std::string_view octets, std::size_t at) {
    std::uint32_t word = 0;
    for (std::size_t part = 4; part-- > 0;) word = word << 8 | static_cast<unsigned char>(octets[at + part]);
    return word;
}

std::string state_after(std::string_view key, char pad) {
    std::string block(kBlock, pad);
    for (std::size_t at = 0; at < key.size(); ++at) block[at] = static_cast<char>(block[at] ^ key[at]);
    MD5_CTX context;
    MD5_Init(&context);
    MD5_Update(&context, block.data(), block.size());
    std::string state;
    for (const std::uint32_t word : {context.A, context.B, context.C, context.D}) append_word(state, word);
    OPENSSL_cleanse(&context, sizeof context);
    wipe(block);
    return state;
}

/// MD5 of a block that led to `state`, and of the octets behind it.
std::string digest_from(std::string_view state, std::string_view octets) {
    MD5_CTX context;
    MD5_Init(&context);
    context.A = word_at(state, 0);
    context.B = word_at(state, 4);
    context.C = word_at(state, 8);
    context.D = word_at(state, 12);
    context.Nl = kBlock * 8;  // bits so far
    MD5_Update(&context, octets.data(), octets.size());
    std::array<unsigned char, kState> result;
    MD5_Final(result.data(), &context);
    OPENSSL_cleanse(&context, sizeof context);
    return {result.begin(), result.end()};
}

}  // namespace

CramMd5Secret derive_cram_md5_secret(std::string_view password) {
    std::string key = password.size() > kBlock ? digest(Hash::md5, password) : std::string(password);  // RFC 2104 §2
    CramMd5Secret secret{.outer = state_after(key, '\x5c'), .inner = state_after(key, '\x36')};
    wipe(key);
    return secret;
}

CramMd5Secret make_decoy_cram_md5_secret(std::string_view login, std::string_view key) {
    const auto states = hmac(Hash::sha256, key, std::string("CRAM-MD5 ").append(login));
    return {.outer = states.substr(0, kState), .inner = states.substr(kState, kState)};
}

std::string hmac_md5(const CramMd5Secret& secret, std::string_view octets) {
    return digest_from(secret.outer, digest_from(secret.inner, octets));
}

std::string render_cram_md5_secret(const CramMd5Secret& secret) {
    std::string text;
    for (const char octet : secret.outer + secret.inner) {
        const auto value = static_cast<unsigned char>(octet);
        text += kDigits[value >> 4];
        text += kDigits[value & 15];
    }
    return text;
}

base::Result<CramMd5Secret> parse_cram_md5_secret(std::string_view text) {
    if (text.size() != 4 * kState) return base::fail(base::ErrorKind::corrupt, "a stored CRAM-MD5 secret has not its length");
    std::string states;
    for (std::size_t at = 0; at < text.size(); at += 2) {
        const auto high = kDigits.find(text[at]);
        const auto low = kDigits.find(text[at + 1]);
        if (high == std::string_view::npos || low == std::string_view::npos)
            return base::fail(base::ErrorKind::corrupt, "a stored CRAM-MD5 secret is no hexadecimal text");
        states += static_cast<char>(high << 4 | low);
    }
    return CramMd5Secret{.outer = states.substr(0, kState), .inner = states.substr(kState)};
}

}  // namespace thurn::sasl
