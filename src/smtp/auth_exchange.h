#pragma once

#include "sasl/mechanism.h"
#include "smtp/command.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace thurn::smtp {

/// The lines of one AUTH command, server side: base64, `=`, `*` (RFC 4954 §4). What they mean is the mechanism's business.
class AuthExchange {
public:
    /// A whole `334 …` line with its CRLF; what the client claims; or the reply that ends the exchange.
    using Outcome = std::variant<std::string, sasl::PasswordClaim, FixedReply>;

    /// Precondition: `mechanism` is not null.
    explicit AuthExchange(std::unique_ptr<sasl::ServerMechanism> mechanism) : mechanism_(std::move(mechanism)) {}

    /// `initial`: as it stood in the command.
    [[nodiscard]] Outcome begin(std::optional<std::string_view> initial);
    /// A line of the client, without CRLF.
    [[nodiscard]] Outcome answer(std::string_view line);

private:
    [[nodiscard]] Outcome step(std::string_view base64);

    std::unique_ptr<sasl::ServerMechanism> mechanism_;
};

}  // namespace thurn::smtp
