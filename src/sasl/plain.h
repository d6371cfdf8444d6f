#pragma once

#include "sasl/mechanism.h"

namespace thurn::sasl {

/// One message: `authorization NUL login NUL password` (RFC 4616 §2). Stored names are not SASLprep'd, as clients do not do it either.
class PlainServer final : public ServerMechanism {
public:
    [[nodiscard]] bool client_first() const override { return true; }
    [[nodiscard]] base::Result<ServerStep> start() override;
    [[nodiscard]] base::Result<ServerStep> step(std::string_view response) override;

private:
    enum class Stage { fresh, asked, spent };
    Stage stage_ = Stage::fresh;
};

class PlainClient final : public ClientMechanism {
public:
    PlainClient(std::string login, std::string password) : login_(std::move(login)), password_(std::move(password)) {}
    [[nodiscard]] std::optional<std::string> initial() override { return message(); }
    /// Serves a server that took no initial response; its challenge is empty, but some fill it with text.
    [[nodiscard]] base::Result<std::string> respond(std::string_view challenge) override;

private:
    [[nodiscard]] std::string message() const;

    std::string login_;
    std::string password_;
    bool responded_ = false;
};

}  // namespace thurn::sasl
