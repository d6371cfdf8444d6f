#include "sasl/cram_md5.h"

#include "sasl/claims.h"

#include <algorithm>
#include <utility>

namespace thurn::sasl {
namespace {

using base::ErrorKind;
using base::fail;

constexpr std::string_view kHexDigits = "0123456789abcdef";

std::string render_hex(std::string_view octets) {
    std::string text;
    for (const char octet : octets) {
        const auto value = static_cast<unsigned char>(octet);
        text += kHexDigits[value >> 4];
        text += kHexDigits[value & 15];
    }
    return text;
}

}  // namespace

base::Result<ServerStep> CramMd5Server::start() {
    if (stage_ != Stage::fresh) return fail(ErrorKind::invalid, "CRAM-MD5 was started before");
    stage_ = Stage::asked;
    return Challenge{challenge_};
}

base::Result<ServerStep> CramMd5Server::step(std::string_view response) {
    if (std::exchange(stage_, Stage::spent) != Stage::asked)
        return fail(ErrorKind::invalid, "CRAM-MD5 takes one response to its challenge");
    const auto space = response.rfind(' ');  // a login may hold spaces, a digest cannot
    if (space == std::string_view::npos) return fail(ErrorKind::syntax, "CRAM-MD5: no digest");
    const auto digest = response.substr(space + 1);
    const auto is_digit = [](char octet) { return kHexDigits.contains(octet); };
    if (digest.size() != 2 * hash_size(Hash::md5) || !std::ranges::all_of(digest, is_digit))
        return fail(ErrorKind::syntax, "CRAM-MD5: the digest breaks the grammar");
    if (auto fine = check_login(response.substr(0, space)); !fine) return base::pass_on(fine);
    login_ = response.substr(0, space);
    digest_ = digest;
    stage_ = Stage::secret_next;
    return CramMd5SecretWanted{login_};
}

base::Result<ServerStep> CramMd5Server::give(Secret secret) {
    const auto* stored = std::get_if<CramMd5Secret>(&secret);
    if (std::exchange(stage_, Stage::spent) != Stage::secret_next || std::holds_alternative<ScramSecret>(secret))
        return fail(ErrorKind::invalid, "CRAM-MD5 did not ask for that");
    // Where there is none, the same is done with some other: neither time nor words tell whom there is.
    const CramMd5Secret nobodys{.outer = std::string(hash_size(Hash::md5), '\0'), .inner = std::string(hash_size(Hash::md5), '\0')};
    const auto expected = render_hex(hmac_md5(stored ? *stored : nobodys, challenge_));
    const bool right = equal_in_constant_time(expected, digest_) && stored != nullptr;
    if (!right) return fail(ErrorKind::refused, "CRAM-MD5: the digest is wrong");
    return IdentityProven{.authorization = {}, .login = std::move(login_)};
}

base::Result<std::string> CramMd5Client::respond(std::string_view challenge) {
    if (std::exchange(responded_, true)) return fail(ErrorKind::invalid, "CRAM-MD5 has one message only");
    return login_ + ' ' + render_hex(hmac(Hash::md5, password_, challenge));
}

}  // namespace thurn::sasl
