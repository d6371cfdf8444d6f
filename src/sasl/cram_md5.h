#pragma once

#include "sasl/mechanism.h"

namespace thurn::sasl {

/// CRAM-MD5 (RFC 2195): `login digest` for a challenge, the digest being HMAC-MD5 under the password. The server needs what is as good
/// as the password, and nothing proves the server; it is here for what knows nothing better.
class CramMd5Server final : public ServerMechanism {
public:
    /// `challenge`: never the same twice (RFC 2195 §2: `<unique@host>`).
    explicit CramMd5Server(std::string challenge) : challenge_(std::move(challenge)) {}
    ~CramMd5Server() override { wipe(digest_); }
    [[nodiscard]] bool client_first() const override { return false; }
    [[nodiscard]] base::Result<ServerStep> start() override;
    [[nodiscard]] base::Result<ServerStep> step(std::string_view response) override;
    /// Wants a CramMd5Secret.
    [[nodiscard]] base::Result<ServerStep> give(Secret secret) override;

private:
    enum class Stage { fresh, asked, secret_next, spent };
    std::string challenge_;
    std::string login_;
    std::string digest_;
    Stage stage_ = Stage::fresh;
};

class CramMd5Client final : public ClientMechanism {
public:
    CramMd5Client(std::string login, std::string password) : login_(std::move(login)), password_(std::move(password)) {}
    ~CramMd5Client() override { wipe(password_); }
    [[nodiscard]] std::optional<std::string> initial() override { return std::nullopt; }
    [[nodiscard]] base::Result<std::string> respond(std::string_view challenge) override;

private:
    std::string login_;
    std::string password_;
    bool responded_ = false;
};

}  // namespace thurn::sasl
