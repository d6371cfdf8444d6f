#pragma once

#include "sasl/mechanism.h"
#include "smtp/command.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace thurn::smtp {

inline constexpr std::uint16_t kAuthFailedCode = 535;  // of an outcome that says that the client does not know the password

/// The lines of one AUTH command, server side: base64, `=`, `*` (RFC 4954 §4). What they mean is the mechanism's business.
class AuthExchange {
public:
    /// A whole `334 …` line with its CRLF; a question that give() answers; what the client claims; or the reply that ends the exchange.
    using Outcome = std::variant<std::string, sasl::ScramSecretWanted, sasl::CramMd5SecretWanted, sasl::Claim, FixedReply>;

    /// Precondition: `mechanism` is not null.
    explicit AuthExchange(std::unique_ptr<sasl::ServerMechanism> mechanism) : mechanism_(std::move(mechanism)) {}

    /// `initial`: as it stood in the command.
    [[nodiscard]] Outcome begin(std::optional<std::string_view> initial);
    /// A line of the client, without CRLF.
    [[nodiscard]] Outcome answer(std::string_view line);
    [[nodiscard]] Outcome give(sasl::Secret secret);
    /// What was claimed is not believed. A line to be sent still, whose answer ends the exchange; or none.
    [[nodiscard]] std::optional<std::string> refuse();

private:
    [[nodiscard]] Outcome step(std::string_view base64);

    std::unique_ptr<sasl::ServerMechanism> mechanism_;
};

}  // namespace thurn::smtp
