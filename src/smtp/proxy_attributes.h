#pragma once

#include "smtp/fixed_reply.h"

#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace thurn::smtp {

/// What a proxy that is believed tells about its client, by XCLIENT or XFORWARD, as Postfix documents them (XCLIENT_README, XFORWARD_README).
struct ProxyAttribute {
    enum class Name { name, addr, port, proto, helo, login, destaddr, destport, ident, source };
    /// `unavailable`: there is none. `temporarily_unavailable`: it could not be found out now.
    enum class Known { given, unavailable, temporarily_unavailable };

    Name name = Name::name;
    Known known = Known::given;
    std::string value;  // decoded, without control octets; addresses in normal form, without `IPV6:`; empty unless given
    friend bool operator==(const ProxyAttribute&, const ProxyAttribute&) = default;
};

/// `xclient`: tells who the client is from now on. `xforward`: tells who it was, for the log.
enum class ProxyCommand { xclient, xforward };

/// The words of EHLO: ` NAME ADDR …`.
[[nodiscard]] std::string render_attribute_names(ProxyCommand command);
/// Reads `NAME=value ADDR=value …`; each attribute at most once.
/// Errors   501 5.5.4.
[[nodiscard]] std::expected<std::vector<ProxyAttribute>, FixedReply> parse_attributes(std::string_view text, ProxyCommand command);
/// Nothing where it was not said.
[[nodiscard]] const ProxyAttribute* find_attribute(const std::vector<ProxyAttribute>& attributes, ProxyAttribute::Name name);

}  // namespace thurn::smtp
