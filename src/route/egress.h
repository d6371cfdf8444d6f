#pragma once

#include "base/result.h"
#include "route/address.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace thurn::route {

/// A proxy that connections leave through.
struct ProxyPlace {
    enum class Kind { socks5, http } kind = Kind::socks5;
    std::string host;
    std::uint16_t port = 0;
    std::string login_reference;  // where its login is read from; empty: none
};

/// Whether a connection begins with a header that names its ends (PROXY protocol, version 2).
enum class ProxyHeader { none, v2 };

/// How connections of a route leave, where that is not as everybody's do.
struct Egress {
    std::vector<Address> sources;  // at most one of each family; the other family leaves from anywhere
    std::string hello;             // the name for EHLO; empty: everybody's
    std::optional<ProxyPlace> proxy;
    ProxyHeader header = ProxyHeader::none;
};

/// In words, and different for all that differs: ` from 192.0.2.1 as out.example through socks5://proxy.example:1080`. Empty for nothing.
[[nodiscard]] std::string describe_egress(const Egress& egress);
/// `socks5://proxy.example:1080`
[[nodiscard]] std::string render_proxy(const ProxyPlace& proxy);

/// Reads `socks5://HOST:PORT` or `http://HOST:PORT`.
/// Errors   `syntax`, `invalid`: another scheme, or a login in the text, which belongs elsewhere.
[[nodiscard]] base::Result<ProxyPlace> parse_proxy(std::string_view text, std::string_view login_reference);
/// Errors   `syntax`: no address; `invalid`: two of one family, or one nobody can send from, such as `0.0.0.0`.
[[nodiscard]] base::Result<std::vector<Address>> parse_sources(const std::vector<std::string>& texts);

}  // namespace thurn::route
