#pragma once

#include "base/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// The messages of SCRAM (RFC 5802 §7), and the GS2 header that OAUTHBEARER has too. All views are into what was parsed.
///
/// Errors   `syntax`: breaks the grammar. `refused`: asks for an extension that must be understood (`m=`, RFC 5802 §5.1).
namespace thurn::sasl {

inline constexpr std::size_t kMaxNonce = 1024;

/// What the client says of channel bindings, and whom it wants to act as.
struct Gs2Header {
    enum class Binding {
        unsupported,     // `n`: by the client
        thought_absent,  // `y`: the client has it, and thinks the server has not
        used,            // `p=`
    };
    Binding binding = Binding::unsupported;
    std::string binding_name = {};   // with `used`
    std::string authorization = {};  // decoded; empty: none
    std::string_view text = {};      // all of it, with the comma that ends it
};
/// Takes it off the front of `message`.
[[nodiscard]] base::Result<Gs2Header> take_gs2_header(std::string_view& message);

struct ClientFirst {
    Gs2Header header;
    std::string login;  // decoded
    std::string_view nonce;
    std::string_view bare;  // the message without its header
};
[[nodiscard]] base::Result<ClientFirst> parse_client_first(std::string_view message);

struct ServerFirst {
    std::string_view nonce;
    std::string salt;
    std::uint32_t iterations = 0;
};
[[nodiscard]] base::Result<ServerFirst> parse_server_first(std::string_view message);

struct ClientFinal {
    std::string binding;  // decoded: header and channel data
    std::string_view nonce;
    std::string proof;
    std::string_view without_proof;
};
[[nodiscard]] base::Result<ClientFinal> parse_client_final(std::string_view message);

/// The server's signature. Also `refused`: the server tells an error (`e=`).
[[nodiscard]] base::Result<std::string> parse_server_final(std::string_view message);

/// `=` and `,` become `=3D` and `=2C`.
[[nodiscard]] std::string encode_saslname(std::string_view name);
/// Empty: not a saslname.
[[nodiscard]] std::optional<std::string> decode_saslname(std::string_view text);

}  // namespace thurn::sasl
