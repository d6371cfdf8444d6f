#include "sasl/oauth.h"

#include "base/ascii.h"
#include "sasl/claims.h"
#include "sasl/scram_message.h"

#include <algorithm>
#include <utility>

namespace thurn::sasl {
namespace {

using base::ErrorKind;
using base::fail;
using base::Result;

constexpr char kSeparator = '\x01';  // kvsep, RFC 7628 §3.1
constexpr std::string_view kScheme = "Bearer ";

std::unexpected<base::Error> broken(std::string_view what) { return fail(ErrorKind::syntax, std::string("OAuth: ").append(what)); }

bool is_value_octet(char octet) { return base::is_printable(octet) || octet == '\t' || octet == '\r' || octet == '\n'; }
bool is_token_octet(char octet) { return base::is_letter(octet) || base::is_digit(octet) || std::string_view("-._~+/").contains(octet); }

/// b64token of RFC 6750 §2.1.
bool is_token(std::string_view text) {
    const auto padding = text.find_last_not_of('=');
    return padding != std::string_view::npos && std::ranges::all_of(text.substr(0, padding + 1), is_token_octet);
}

/// The token of an `auth=` value.
Result<std::string> read_token(std::string_view value) {
    if (value.size() < kScheme.size() || !base::equal_ignoring_case(value.substr(0, kScheme.size()), kScheme))
        return broken("no Bearer token");
    value.remove_prefix(kScheme.size());
    if (value.size() > kMaxToken) return fail(ErrorKind::too_long, "OAuth: the token is too long");
    if (!is_token(value)) return broken("the token breaks the grammar");
    return std::string(value);
}

/// The value of `key` among `key=value` pairs, each ended by kSeparator; all of `text` must be such pairs.
Result<std::string_view> find_value(std::string_view text, std::string_view key) {
    std::optional<std::string_view> found;
    while (!text.empty()) {
        const auto end = text.find(kSeparator);
        const auto pair = text.substr(0, end);
        const auto equals = pair.find('=');
        if (end == std::string_view::npos || equals == std::string_view::npos || equals == 0) return broken("no key and value");
        if (!std::ranges::all_of(pair.substr(0, equals), base::is_letter) || !std::ranges::all_of(pair.substr(equals + 1), is_value_octet))
            return broken("a key or value breaks the grammar");
        if (pair.substr(0, equals) == key) {
            if (found) return broken("a key stands twice");
            found = pair.substr(equals + 1);
        }
        text.remove_prefix(end + 1);
    }
    if (!found) return broken("a key is missing");
    return *found;
}

/// `gs2-header kvsep *kvpair kvsep` (RFC 7628 §3.1).
Result<TokenClaim> parse_oauthbearer(std::string_view message) {
    auto header = take_gs2_header(message);
    if (!header) return base::pass_on(header);
    if (header->binding == Gs2Header::Binding::used) return fail(ErrorKind::refused, "OAuth: the channel is not bound here");
    if (message.size() < 2 || message.front() != kSeparator || message.back() != kSeparator) return broken("no frame of separators");
    const auto value = find_value(message.substr(1, message.size() - 2), "auth");
    if (!value) return std::unexpected(value.error());
    auto token = read_token(*value);
    if (!token) return base::pass_on(token);
    return TokenClaim{.authorization = std::move(header->authorization), .token = *std::move(token)};
}

/// `user=… kvsep auth=Bearer … kvsep kvsep`, as Google describes it.
Result<TokenClaim> parse_xoauth2(std::string_view message) {
    constexpr std::string_view kUser = "user=";
    const auto end = message.find(kSeparator);
    if (!message.starts_with(kUser) || end == std::string_view::npos || message.back() != kSeparator) return broken("no user or no frame");
    const auto value = find_value(message.substr(end + 1, message.size() - end - 2), "auth");
    if (!value) return std::unexpected(value.error());
    auto token = read_token(*value);
    if (!token) return base::pass_on(token);
    return TokenClaim{.authorization = std::string(message.substr(kUser.size(), end - kUser.size())), .token = *std::move(token)};
}

}  // namespace

Result<ServerStep> TokenServer::start() {
    if (stage_ != Stage::fresh) return fail(ErrorKind::invalid, "OAuth was started before");
    stage_ = Stage::asked;
    return Challenge{};
}

Result<ServerStep> TokenServer::step(std::string_view response) {
    switch (std::exchange(stage_, Stage::spent)) {
        case Stage::fresh:
        case Stage::asked:
            break;
        case Stage::refused:  // whatever the client says to that, RFC 7628 §3.2.3
            return fail(ErrorKind::refused, "OAuth: the token was refused");
        case Stage::claimed:
        case Stage::spent:
            return fail(ErrorKind::invalid, "OAuth has one message only");
    }
    const bool bearer = dialect_ == Dialect::oauthbearer;
    auto claim = bearer ? parse_oauthbearer(response) : parse_xoauth2(response);
    if (!claim) return base::pass_on(claim);
    if (!bearer || !claim->authorization.empty()) {
        if (auto fine = check_login(claim->authorization); !fine) return base::pass_on(fine);
    }
    stage_ = Stage::claimed;
    return *std::move(claim);
}

std::optional<Challenge> TokenServer::refuse() {
    if (std::exchange(stage_, Stage::spent) != Stage::claimed) return std::nullopt;
    stage_ = Stage::refused;
    if (dialect_ == Dialect::oauthbearer) return Challenge{R"({"status":"invalid_token"})"};
    return Challenge{R"({"status":"401","schemes":"bearer","scope":"mail"})"};
}

std::optional<std::string> TokenClient::initial() {
    stage_ = Stage::said;
    const std::string auth = std::string("auth=").append(kScheme).append(token_) + kSeparator + kSeparator;
    if (dialect_ == TokenServer::Dialect::xoauth2) return "user=" + login_ + kSeparator + auth;
    return "n,a=" + encode_saslname(login_) + ',' + kSeparator + auth;
}

Result<std::string> TokenClient::respond(std::string_view challenge) {
    switch (std::exchange(stage_, Stage::spent)) {
        case Stage::fresh:
            if (challenge.empty()) return *initial();
            break;
        case Stage::said:
            return dialect_ == TokenServer::Dialect::xoauth2 ? std::string() : std::string(1, kSeparator);  // RFC 7628 §3.2.3
        case Stage::spent:
            break;
    }
    return fail(ErrorKind::invalid, "OAuth has one message only");
}

}  // namespace thurn::sasl
