#pragma once

#include "base/result.h"

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

/// Authentication exchanges (RFC 4422), both sides, without I/O: decoded octets in, decoded octets out.
///
/// The split with its neighbours:
///   smtp   frames: the AUTH command, base64 of each line, `=` for an empty initial response, `*` to cancel, line limits. It asks
///          make_server_mechanism() for the name the client gave and feeds what it decoded.
///   sasl   knows the mechanism: what is asked in which order, and how an answer is read.
///   others check: the Credentials go to the directory (on the blocking pool), and its verdict decides between 235 and 535.
/// A mechanism that proves without showing the password (SCRAM, CRAM-MD5) or that carries a token becomes a further class here.
namespace thurn::sasl {

inline constexpr std::size_t kMaxLogin = 255;      // of `login` and of `authorization`
inline constexpr std::size_t kMaxPassword = 1024;  // hashing costs grow with it

/// What a client claims; nothing is checked yet.
/// Shape    `authorization`: whom to act as, empty for `login` itself. `login` and `password` are never empty. All are UTF-8 without
///          NUL and within the limits above.
struct Credentials {
    std::string authorization;
    std::string login;
    std::string password;
};

/// What the client must answer next; smtp sends it as `334 ` and base64.
struct Challenge {
    std::string octets;
};

using ServerStep = std::variant<Challenge, Credentials>;

/// Server side of one exchange. Use one object for one AUTH command only: after Credentials or an error it is spent, and every further
/// call is an error (`invalid`).
///
/// Loop     start(), or step() with the client's initial response; then step() with each answer, until Credentials or an error.
/// Errors   `syntax`: the answer breaks the mechanism's grammar or is not UTF-8 (501 5.5.2). `too_long`: see the limits (500 5.5.6 or 535).
///          `invalid`: an initial response where client_first() is false, or a spent object.
/// Threads  One at a time.
class ServerMechanism {
public:
    virtual ~ServerMechanism() = default;
    /// Whether an initial response is taken; if not, one is an error of the client (RFC 4422 §3). LOGIN takes one, as many clients send it.
    [[nodiscard]] virtual bool client_first() const = 0;
    /// The client gave no initial response.
    [[nodiscard]] virtual base::Result<ServerStep> start() = 0;
    [[nodiscard]] virtual base::Result<ServerStep> step(std::string_view response) = 0;
};

/// Client side of one exchange; one object for one AUTH command.
///
/// Loop     initial() goes with the AUTH command, if it gives anything; then respond() to each challenge.
/// Errors   `invalid`: the server asks for more than the mechanism has; cancel with `*`.
/// Threads  One at a time.
class ClientMechanism {
public:
    virtual ~ClientMechanism() = default;
    [[nodiscard]] virtual std::optional<std::string> initial() = 0;
    [[nodiscard]] virtual base::Result<std::string> respond(std::string_view challenge) = 0;
};

/// What the AUTH line of EHLO may list, the best first. All of these show the password: under TLS only (RFC 4954 §4).
inline constexpr std::array<std::string_view, 2> kServerMechanisms{"PLAIN", "LOGIN"};
/// What we can speak to others, the one to prefer first.
inline constexpr std::array<std::string_view, 2> kClientMechanisms{"PLAIN", "LOGIN"};

/// `name` in any case (RFC 4954 §4); nullptr: unknown.
[[nodiscard]] std::unique_ptr<ServerMechanism> make_server_mechanism(std::string_view name);
/// `name` in any case; nullptr: unknown, or credentials that the mechanism cannot carry (empty, with NUL, over the limits).
[[nodiscard]] std::unique_ptr<ClientMechanism> make_client_mechanism(std::string_view name, std::string login, std::string password);

}  // namespace thurn::sasl
