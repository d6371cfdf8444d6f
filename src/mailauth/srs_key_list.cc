#include "mailauth/srs_key_list.h"

#include "base/base64url.h"
#include "mail/date.h"

#include <algorithm>

namespace thurn::mailauth {
namespace {

using base::ErrorKind;

constexpr std::size_t kShortest = 16;
constexpr std::size_t kLongest = 512;
constexpr std::string_view kHeading =
    "# Secrets that senders of forwarded mail are rewritten with. The first writes, all are read; `thurn srs rotate` puts a new one in "
    "front.\n";

bool is_secret(std::string_view word) {
    return word.size() >= kShortest && word.size() <= kLongest && std::ranges::all_of(word, [](char c) { return c > ' ' && c < 127; });
}

base::Result<SrsSecret> parse_line(std::string_view line) {
    const auto end = std::min(line.find(' '), line.size());
    SrsSecret secret{.secret = std::string(line.substr(0, end))};
    if (!is_secret(secret.secret)) return base::fail(ErrorKind::corrupt, "no secret of 16 to 512 visible octets");
    if (end == line.size()) return secret;
    const auto made = mail::parse_timestamp(line.substr(end + 1));
    if (!made) return base::fail(ErrorKind::corrupt, "behind the secret is no time such as 2026-11-22T15:00:00Z");
    secret.made = *made;
    return secret;
}

}  // namespace

base::Result<std::vector<SrsSecret>> parse_srs_secrets(std::string_view text) {
    std::vector<SrsSecret> secrets;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const auto end = std::min(text.find('\n'), text.size());
        const auto line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.empty() || line.starts_with('#')) continue;
        auto secret = parse_line(line);
        if (!secret) return base::fail(ErrorKind::corrupt, "line " + std::to_string(number) + ": " + secret.error().detail);
        secrets.push_back(*std::move(secret));
    }
    return secrets;
}

std::string render_srs_secrets(const std::vector<SrsSecret>& secrets) {
    std::string text(kHeading);
    for (const auto& [secret, made] : secrets) {
        text += secret;
        if (made) text += " " + mail::render_timestamp(*made);
        text += "\n";
    }
    return text;
}

SrsSecret make_srs_secret(base::Random& random, base::Time now) {
    std::string octets;
    for (int i = 0; i < 4; ++i) {
        const auto number = random.next();
        for (unsigned shift = 0; shift < 64; shift += 8) octets.push_back(static_cast<char>(number >> shift & 0xFFU));
    }
    return {.secret = base::encode_base64url(octets), .made = now};
}

std::vector<SrsSecret> useful_secrets(const std::vector<SrsSecret>& secrets, base::Time now, std::chrono::days lifetime) {
    std::vector<SrsSecret> useful;
    std::optional<base::Time> replaced;  // when the one in front was made
    for (const auto& secret : secrets) {
        const bool over = secret.made && replaced && now >= *replaced + lifetime + std::chrono::days(1);
        if (!over) useful.push_back(secret);
        replaced = secret.made;
    }
    return useful;
}

}  // namespace thurn::mailauth
