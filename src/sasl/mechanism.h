#pragma once

#include "base/random.h"
#include "base/result.h"
#include "sasl/cram_md5_secret.h"
#include "sasl/scram_secret.h"

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// Authentication exchanges (RFC 4422), both sides, without I/O: decoded octets in, decoded octets out.
///
/// The split with its neighbours:
///   smtp   frames: the AUTH command, base64 of each line, `=` for an empty initial response, `*` to cancel, line limits. It asks
///          make_server_mechanism() for the name the client gave and feeds what it decoded.
///   sasl   knows the mechanism: what is asked in which order, and how an answer is read.
///   others check: a claim goes to the directory (on the blocking pool), and its verdict decides between 235 and 535. A mechanism that
///          proves without showing the password first asks for what is stored of it.
namespace thurn::sasl {

inline constexpr std::size_t kMaxLogin = 255;      // of `login` and of `authorization`
inline constexpr std::size_t kMaxPassword = 1024;  // hashing costs grow with it
inline constexpr std::size_t kMaxToken = 8192;     // of OAUTHBEARER and XOAUTH2; signed tokens have some 1 to 4 KiB

// What a client claims in the end. `authorization`: whom to act as, empty for the login itself. `login` is never empty. All are UTF-8
// without NUL and within the limits above.

/// PLAIN, LOGIN: not checked yet. `password` is never empty; who is done with it wipes it.
struct PasswordClaim {
    std::string authorization;
    std::string login;
    std::string password;
};
/// OAUTHBEARER, XOAUTH2: not checked yet. The token says who it is; `authorization` is whom the client wants to be, and may be empty in
/// OAUTHBEARER. Who refuses it calls ServerMechanism::refuse().
struct TokenClaim {
    std::string authorization;
    std::string token;
};
/// EXTERNAL: the certificate of the TLS connection says who it is.
struct CertificateClaim {
    std::string authorization;
};
/// SCRAM, CRAM-MD5: the client has proved that it knows the password of `login`. Whether `login` may act as `authorization` is not checked.
struct IdentityProven {
    std::string authorization;
    std::string login;
};
using Claim = std::variant<PasswordClaim, TokenClaim, CertificateClaim, IdentityProven>;

/// What the client must answer next; smtp sends it as `334 ` and base64.
struct Challenge {
    std::string octets;
};

// What the mechanism must know before it goes on; give() answers.

/// SCRAM. For a login without one, give a make_decoy_secret(): the exchange fails at its end, as with a wrong password.
struct ScramSecretWanted {
    Hash hash;
    std::string login;
};
/// CRAM-MD5; a make_decoy_cram_md5_secret() for a login without one.
struct CramMd5SecretWanted {
    std::string login;
};
/// There is none to give; the exchange goes on and fails.
struct NoSecret {
    friend bool operator==(const NoSecret&, const NoSecret&) = default;
};
using Secret = std::variant<NoSecret, ScramSecret, CramMd5Secret>;

using ServerStep = std::variant<Challenge, ScramSecretWanted, CramMd5SecretWanted, Claim>;

/// Server side of one exchange. Use one object for one AUTH command only: after a claim or an error it is spent, and every further call is
/// an error (`invalid`).
///
/// Loop     start(), or step() with the client's initial response; then step() with each answer and give() to each question, until a claim
///          or an error.
/// Errors   `syntax`: the answer breaks the mechanism's grammar or is not UTF-8 (501 5.5.2). `too_long`: see the limits (500 5.5.6).
///          `refused`: the proof is wrong, or the channel is not the one the client means (535 5.7.8).
///          `invalid`: an initial response where client_first() is false, a secret of the wrong kind, or a spent object.
/// Secrets  What was held is wiped when the object goes.
/// Threads  One at a time.
class ServerMechanism {
public:
    virtual ~ServerMechanism() = default;
    /// Whether an initial response is taken; if not, one is an error of the client (RFC 4422 §3). LOGIN takes one, as many clients send it.
    [[nodiscard]] virtual bool client_first() const = 0;
    /// The client gave no initial response.
    [[nodiscard]] virtual base::Result<ServerStep> start() = 0;
    [[nodiscard]] virtual base::Result<ServerStep> step(std::string_view response) = 0;
    [[nodiscard]] virtual base::Result<ServerStep> give(Secret secret);
    /// The claim is not believed. A challenge must be sent still and its answer fed to step(), which then fails (RFC 7628 §3.2.2).
    [[nodiscard]] virtual std::optional<Challenge> refuse() { return std::nullopt; }
};

/// Client side of one exchange; one object for one AUTH command.
///
/// Loop     initial() goes with the AUTH command, if it gives anything; then respond() to each challenge. A success is one only when
///          complete(): SCRAM proves the server to the client too.
/// Errors   `syntax`: no challenge of this mechanism. `refused`: the server is not who it should be, or asks for too much or too little
///          work. `invalid`: the server asks for more than the mechanism has. Cancel with `*`.
/// Threads  One at a time.
class ClientMechanism {
public:
    virtual ~ClientMechanism() = default;
    [[nodiscard]] virtual std::optional<std::string> initial() = 0;
    [[nodiscard]] virtual base::Result<std::string> respond(std::string_view challenge) = 0;
    [[nodiscard]] virtual bool complete() const { return true; }
};

/// What ties an exchange to its TLS connection. Empty: not to be had.
struct ChannelBindings {
    std::string exporter = {};          // tls-exporter, RFC 9266
    std::string server_end_point = {};  // tls-server-end-point, RFC 5929 §4
    [[nodiscard]] bool any() const { return !exporter.empty() || !server_end_point.empty(); }
    /// By its registered name; nullptr: not known or not to be had.
    [[nodiscard]] const std::string* find(std::string_view name) const;
};

/// What a server's exchanges stand on.
struct ServerContext {
    base::Random* random = nullptr;  // for nonces; without it there is no SCRAM and no CRAM-MD5
    ChannelBindings bindings = {};   // without any there is no -PLUS
    std::string hostname = "localhost";
    bool certificate = false;  // the client has shown one that is trusted: there is EXTERNAL
    bool tokens = false;       // there is somebody to ask about tokens: there are OAUTHBEARER and XOAUTH2
    bool scram = true;         // the accounts have secrets for SCRAM
    bool cram_md5 = false;     // and for CRAM-MD5, by the operator's will
};

/// What the AUTH line of EHLO may list, the best first; under TLS only, as PLAIN and LOGIN show the password (RFC 4954 §4). CRAM-MD5 stands
/// last: under TLS it is no better than PLAIN on the wire, and what is stored for it is worse.
[[nodiscard]] std::vector<std::string_view> offered_mechanisms(const ServerContext& context);
/// `name` in any case (RFC 4954 §4); nullptr: unknown, or the context does not have what it needs.
[[nodiscard]] std::unique_ptr<ServerMechanism> make_server_mechanism(std::string_view name, const ServerContext& context = {});

/// Who a client is.
struct ClientContext {
    std::string login = {};
    std::string password = {};
    std::string token = {};          // for OAUTHBEARER and XOAUTH2, in place of a password
    base::Random* random = nullptr;  // for nonces; without it there is no SCRAM
    ChannelBindings bindings = {};   // without any there is no -PLUS
};

/// What we speak to others by password, the one to prefer first. All -PLUS stand before all others: where one is passed over although there
/// are bindings, the server does not have any, and SCRAM tells it so (RFC 5802 §6).
inline constexpr std::array<std::string_view, 7> kClientMechanisms{
    "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "PLAIN", "LOGIN"};
/// Whether the context has the random numbers and bindings that one of them needs.
[[nodiscard]] bool is_possible(std::string_view client_mechanism, const ClientContext& context);
/// `name` in any case; nullptr: unknown, or what the context has is not enough for it or cannot be carried (empty, with NUL, over limits).
[[nodiscard]] std::unique_ptr<ClientMechanism> make_client_mechanism(std::string_view name, const ClientContext& context);

}  // namespace thurn::sasl
