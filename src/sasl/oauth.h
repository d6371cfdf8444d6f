#pragma once

#include "sasl/mechanism.h"

namespace thurn::sasl {

/// OAUTHBEARER (RFC 7628) and Google's XOAUTH2: one message with a bearer token, which somebody else gave out and must check. The two differ
/// in its framing and in what is said of a bad token.
class TokenServer final : public ServerMechanism {
public:
    enum class Dialect { oauthbearer, xoauth2 };
    explicit TokenServer(Dialect dialect) : dialect_(dialect) {}
    [[nodiscard]] bool client_first() const override { return true; }
    [[nodiscard]] base::Result<ServerStep> start() override;
    [[nodiscard]] base::Result<ServerStep> step(std::string_view response) override;
    /// What is wrong with the token; the client's answer to it ends the exchange with `refused`.
    [[nodiscard]] std::optional<Challenge> refuse() override;

private:
    enum class Stage { fresh, asked, claimed, refused, spent };
    Dialect dialect_;
    Stage stage_ = Stage::fresh;
};

class TokenClient final : public ClientMechanism {
public:
    TokenClient(TokenServer::Dialect dialect, std::string login, std::string token)
        : dialect_(dialect), login_(std::move(login)), token_(std::move(token)) {}
    ~TokenClient() override { wipe(token_); }
    [[nodiscard]] std::optional<std::string> initial() override;
    /// To an empty challenge the message, if it was not taken before; to the server's complaint what ends the exchange.
    [[nodiscard]] base::Result<std::string> respond(std::string_view challenge) override;

private:
    enum class Stage { fresh, said, spent };
    TokenServer::Dialect dialect_;
    std::string login_;
    std::string token_;
    Stage stage_ = Stage::fresh;
};

}  // namespace thurn::sasl
