// A next hop read from any text is one that can be used: a host that reads back, a port, one line of text.
#include "require.h"
#include "route/address.h"
#include "route/router.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace {

using namespace thurn;

/// The text that names this next hop.
std::string written(const route::ToHost& hop) {
    if (!hop.socket.empty()) return "lmtp+unix:" + hop.socket;
    const bool is_address = route::parse_address(hop.host).has_value();
    const std::string scheme = hop.protocol == smtp::Protocol::lmtp ? "lmtp://" : hop.implicit_tls ? "smtps://" : "smtp://";
    return scheme + (is_address ? "[" + hop.host + "]" : hop.host) + ":" + std::to_string(hop.port);
}

void check(const route::ToHost& hop) {
    thurn::fuzz::require(!hop.host.empty() && (hop.port == 0) == !hop.socket.empty(), "a host, and a port or a socket");
    const auto reread = route::parse_next_hop(written(hop), route::TlsDemand::may, hop.credentials_reference);
    thurn::fuzz::require(reread.has_value(), "reread.has_value()");
    const auto* same = std::get_if<route::ToHost>(&*reread);
    thurn::fuzz::require(same != nullptr && same->host == hop.host && same->port == hop.port && same->socket == hop.socket &&
                             same->protocol == hop.protocol && same->implicit_tls == hop.implicit_tls,
                         "a next hop written and read again is the same");
}

void check(const route::Unroutable& hop) {
    thurn::fuzz::require(hop.status.starts_with(hop.permanent ? "550 5." : "451 4."),
                         "hop.status.starts_with(hop.permanent ? \"550 5.\" : \"451 4.\")");
    thurn::fuzz::require(hop.status.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos,
                         "hop.status.find_first_of(std::string_view(\"\\r\\n\\0\", 3)) == std::string::npos");
    thurn::fuzz::require(hop.status.size() < 450, "hop.status.size() < 450");
}

void check(const route::ByMx& hop) { thurn::fuzz::require(!hop.domain.starts_with('['), "!hop.domain.starts_with('[')"); }
void check(const route::LocalMailbox& hop) {
    thurn::fuzz::require(hop.account.local.empty() == hop.account.domain.empty(),
                         "hop.account.local.empty() == hop.account.domain.empty()");
}
void check(const route::Expansion&) { thurn::fuzz::require(false, "false"); }
void check(const route::Discarded&) {}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto hop = route::parse_next_hop(text, route::TlsDemand::may, "");
    if (hop) std::visit([](const auto& given) { check(given); }, *hop);
    return 0;
}
