#include "sasl/scram_secret.h"

#include "base/base64.h"
#include "sasl/saslprep.h"

#include <charconv>
#include <optional>
#include <utility>

namespace thurn::sasl {
namespace {

constexpr std::string_view kSha1Name = "SCRAM-SHA-1";
constexpr std::string_view kSha256Name = "SCRAM-SHA-256";

std::optional<Hash> hash_named(std::string_view name) {
    if (name == kSha1Name) return Hash::sha1;
    if (name == kSha256Name) return Hash::sha256;
    return std::nullopt;
}

/// Takes what stands before `mark` off the front, with the mark.
std::optional<std::string_view> take_until(std::string_view& text, char mark) {
    const auto end = text.find(mark);
    if (end == std::string_view::npos) return std::nullopt;
    const auto taken = text.substr(0, end);
    text.remove_prefix(end + 1);
    return taken;
}

std::uint32_t read_iterations(std::string_view text) {
    std::uint32_t count = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    const bool whole = error == std::errc() && end == text.data() + text.size() && text.front() != '0';
    return whole && std::cmp_less_equal(count, INT32_MAX) ? count : 0;
}

/// Empty when it is no base64 of that many octets.
std::string read_octets(std::string_view text, std::size_t least, std::size_t most) {
    auto octets = base::decode_base64(text);
    return octets && octets->size() >= least && octets->size() <= most ? *std::move(octets) : std::string();
}

}  // namespace

ScramSecret derive_scram_secret(std::string_view password, std::string salt, std::uint32_t iterations, Hash hash) {
    std::string prepared = prepare_password(password);
    std::string salted = stretch(hash, prepared, salt, iterations);
    std::string client_key = hmac(hash, salted, "Client Key");
    ScramSecret secret{.hash = hash,
                       .iterations = iterations,
                       .salt = std::move(salt),
                       .stored_key = digest(hash, client_key),
                       .server_key = hmac(hash, salted, "Server Key")};
    wipe(prepared);
    wipe(salted);
    wipe(client_key);
    return secret;
}

ScramSecret make_decoy_secret(std::string_view login, std::string_view key, Hash hash) {
    const auto made_up = [&](std::string_view what) { return hmac(hash, key, std::string(what).append(" of ").append(login)); };
    auto salt = hmac(Hash::sha256, key, std::string(hash == Hash::sha1 ? kSha1Name : kSha256Name).append(" salt of ").append(login));
    salt.resize(kSaltOctets);
    return {.hash = hash,
            .iterations = kUsualIterations,
            .salt = std::move(salt),
            .stored_key = made_up("StoredKey"),
            .server_key = made_up("ServerKey")};
}

std::string render_scram_secret(const ScramSecret& secret) {
    std::string text(secret.hash == Hash::sha1 ? kSha1Name : kSha256Name);
    text.append("$").append(std::to_string(secret.iterations)).append(":").append(base::encode_base64(secret.salt));
    return text.append("$").append(base::encode_base64(secret.stored_key)).append(":").append(base::encode_base64(secret.server_key));
}

base::Result<ScramSecret> parse_scram_secret(std::string_view text) {
    const auto none = base::fail(base::ErrorKind::corrupt, "not a SCRAM secret");
    const auto name = take_until(text, '$');
    const auto hash = name ? hash_named(*name) : std::nullopt;
    const auto iterations = take_until(text, ':');
    const auto salt = take_until(text, '$');
    const auto stored_key = take_until(text, ':');
    if (!hash || !iterations || iterations->empty() || !salt || !stored_key) return none;
    const auto size = hash_size(*hash);
    ScramSecret secret{.hash = *hash,
                       .iterations = read_iterations(*iterations),
                       .salt = read_octets(*salt, 1, kMaxSalt),
                       .stored_key = read_octets(*stored_key, size, size),
                       .server_key = read_octets(text, size, size)};
    if (secret.iterations == 0 || secret.salt.empty() || secret.stored_key.empty() || secret.server_key.empty()) return none;
    return secret;
}

}  // namespace thurn::sasl
