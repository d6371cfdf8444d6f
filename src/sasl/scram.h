#pragma once

#include "sasl/mechanism.h"

namespace thurn::sasl {

/// SCRAM-SHA-1 and SCRAM-SHA-256, with and without -PLUS (RFC 5802, RFC 7677): the client shows that it knows the password without
/// telling it, and the server shows that it knows what is stored of it. With -PLUS both mean the same TLS connection, so nobody can stand
/// between them.
///
/// Steps    client-first → ScramSecretWanted → server-first → client-final → server-final → empty response → IdentityProven. SMTP has no
///          success with data, so the server's last word is a challenge too (RFC 4954 §4).
class ScramServer final : public ServerMechanism {
public:
    enum class Variant { plain, plus };
    struct Options {
        Hash hash = Hash::sha256;
        Variant variant = Variant::plain;
        ChannelBindings bindings = {};  // those the connection has; with any, a client that thinks we have none is refused (RFC 5802 §6)
        std::string nonce;              // printable ASCII without comma, that nobody can guess
    };
    explicit ScramServer(Options options) : options_(std::move(options)) {}

    [[nodiscard]] bool client_first() const override { return true; }
    [[nodiscard]] base::Result<ServerStep> start() override;
    [[nodiscard]] base::Result<ServerStep> step(std::string_view response) override;
    /// Wants a ScramSecret of the hash asked for.
    [[nodiscard]] base::Result<ServerStep> give(Secret secret) override;

private:
    enum class Stage { fresh, first_next, secret_next, final_next, confirmation_next, spent };
    [[nodiscard]] base::Result<ServerStep> take_first(std::string_view message);
    [[nodiscard]] base::Result<ServerStep> take_final(std::string_view message);
    [[nodiscard]] base::Result<ServerStep> take_confirmation(std::string_view message);

    Options options_;
    Stage stage_ = Stage::fresh;
    std::string authorization_;
    std::string login_;
    std::string expected_binding_;  // what `c=` must hold
    std::string client_first_bare_;
    std::string server_first_;
    std::string nonce_;  // the client's and ours
    ScramSecret secret_;
};

class ScramClient final : public ClientMechanism {
public:
    struct Options {
        Hash hash = Hash::sha256;
        std::string binding_name = {};  // with -PLUS
        std::string binding_data = {};  // with -PLUS
        bool binding_possible = false;  // without -PLUS: we could, the server does not offer it
        std::string login;
        std::string password;
        std::string nonce;
    };
    explicit ScramClient(Options options);
    ~ScramClient() override { wipe(options_.password); }
    [[nodiscard]] std::optional<std::string> initial() override;
    /// The second call takes the time of the iterations: kMaxIterations at the most.
    [[nodiscard]] base::Result<std::string> respond(std::string_view challenge) override;
    [[nodiscard]] bool complete() const override { return stage_ == Stage::complete; }

private:
    enum class Stage { first_next, server_first_next, server_final_next, complete, spent };
    [[nodiscard]] base::Result<std::string> on_server_first(std::string_view message);
    [[nodiscard]] base::Result<std::string> on_server_final(std::string_view message);

    Options options_;
    std::string gs2_header_;
    std::string client_first_bare_;
    std::string signature_;  // what the server must show
    Stage stage_ = Stage::first_next;
};

}  // namespace thurn::sasl
