#include "smtp/auth_exchange.h"

#include "base/base64.h"
#include "smtp/wipe.h"

namespace thurn::smtp {

namespace {

constexpr FixedReply kCancelled{501, {5, 7, 0}, "Authentication cancelled"};
constexpr FixedReply kBadBase64{501, {5, 5, 2}, "Cannot decode the response"};
constexpr FixedReply kBadResponse{501, {5, 5, 2}, "The response breaks the mechanism's grammar"};
constexpr FixedReply kTooLong{500, {5, 5, 6}, "Authentication exchange is too long"};
constexpr FixedReply kFailed{kAuthFailedCode, {5, 7, 8}, "Authentication failed"};

FixedReply reply_for(const base::Error& error) {
    switch (error.kind) {
        case base::ErrorKind::syntax:
            return kBadResponse;
        case base::ErrorKind::too_long:
            return kTooLong;
        default:
            return kFailed;
    }
}

std::string line_of(const sasl::Challenge& challenge) { return "334 " + base::encode_base64(challenge.octets) + "\r\n"; }

AuthExchange::Outcome outcome_of(base::Result<sasl::ServerStep> step) {
    if (!step) return reply_for(step.error());
    if (auto* challenge = std::get_if<sasl::Challenge>(&*step)) return line_of(*challenge);
    if (auto* wanted = std::get_if<sasl::ScramSecretWanted>(&*step)) return std::move(*wanted);
    if (auto* wanted = std::get_if<sasl::CramMd5SecretWanted>(&*step)) return std::move(*wanted);
    return std::move(std::get<sasl::Claim>(*step));
}

}  // namespace

AuthExchange::Outcome AuthExchange::begin(std::optional<std::string_view> initial) {
    if (!initial) return outcome_of(mechanism_->start());
    if (!mechanism_->client_first()) return kBadResponse;  // the server begins: RFC 4954 §4
    return step(*initial == "=" ? std::string_view() : *initial);
}

AuthExchange::Outcome AuthExchange::answer(std::string_view line) {
    if (line == "*") return kCancelled;
    return step(line);
}

AuthExchange::Outcome AuthExchange::give(sasl::Secret secret) { return outcome_of(mechanism_->give(std::move(secret))); }

std::optional<std::string> AuthExchange::refuse() {
    const auto challenge = mechanism_->refuse();
    return challenge ? std::optional(line_of(*challenge)) : std::nullopt;
}

AuthExchange::Outcome AuthExchange::step(std::string_view base64) {
    auto decoded = base::decode_base64(base64);
    if (!decoded) return kBadBase64;
    auto outcome = outcome_of(mechanism_->step(*decoded));
    wipe(*decoded);
    return outcome;
}

}  // namespace thurn::smtp
