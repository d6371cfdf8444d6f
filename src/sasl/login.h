#pragma once

#include "sasl/mechanism.h"

namespace thurn::sasl {

/// Two questions, two answers (draft-murchison-sasl-login); never a standard, but all that some clients know.
class LoginServer final : public ServerMechanism {
public:
    [[nodiscard]] bool client_first() const override { return true; }
    [[nodiscard]] base::Result<ServerStep> start() override;
    [[nodiscard]] base::Result<ServerStep> step(std::string_view response) override;

private:
    enum class Stage { fresh, login_asked, password_asked, spent };
    [[nodiscard]] base::Result<ServerStep> take_login(std::string_view response);
    [[nodiscard]] base::Result<ServerStep> take_password(std::string_view response);

    Stage stage_ = Stage::fresh;
    std::string login_;
};

class LoginClient final : public ClientMechanism {
public:
    LoginClient(std::string login, std::string password) : login_(std::move(login)), password_(std::move(password)) {}
    /// Nothing: not all servers take one with LOGIN.
    [[nodiscard]] std::optional<std::string> initial() override { return std::nullopt; }
    /// Goes by the order of the challenges, as their wording differs from server to server.
    [[nodiscard]] base::Result<std::string> respond(std::string_view challenge) override;

private:
    enum class Stage { login_next, password_next, spent };

    std::string login_;
    std::string password_;
    Stage stage_ = Stage::login_next;
};

}  // namespace thurn::sasl
