#pragma once

#include "sasl/mechanism.h"

namespace thurn::sasl {

/// EXTERNAL (RFC 4422 Appendix A): the client says whom it wants to be, if at all; the certificate of the TLS connection says who it is.
class ExternalServer final : public ServerMechanism {
public:
    [[nodiscard]] bool client_first() const override { return true; }
    [[nodiscard]] base::Result<ServerStep> start() override;
    [[nodiscard]] base::Result<ServerStep> step(std::string_view response) override;

private:
    enum class Stage { fresh, asked, spent };
    Stage stage_ = Stage::fresh;
};

class ExternalClient final : public ClientMechanism {
public:
    explicit ExternalClient(std::string authorization) : authorization_(std::move(authorization)) {}
    [[nodiscard]] std::optional<std::string> initial() override { return authorization_; }
    [[nodiscard]] base::Result<std::string> respond(std::string_view challenge) override;

private:
    std::string authorization_;  // may be empty
    bool responded_ = false;
};

}  // namespace thurn::sasl
