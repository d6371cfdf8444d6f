#include "route/egress.h"

#include "base/ascii.h"
#include "route/place.h"

#include <algorithm>
#include <utility>

namespace thurn::route {
namespace {

using base::ErrorKind;
using base::fail;
using base::pass_on;
using base::Result;

bool is_unspecified(const Address& address) { return address == Address(dns::Ipv4{}) || address == Address(dns::Ipv6{}); }

}  // namespace

std::string render_proxy(const ProxyPlace& proxy) {
    const bool v6 = proxy.host.contains(':');
    return std::string(proxy.kind == ProxyPlace::Kind::socks5 ? "socks5://" : "http://") + (v6 ? "[" + proxy.host + "]" : proxy.host) +
           ":" + std::to_string(proxy.port);
}

std::string describe_egress(const Egress& egress) {
    std::string words;
    for (const Address& source : egress.sources) words += (words.empty() ? " from " : " or ") + render_address(source);
    if (!egress.hello.empty()) words += " as " + egress.hello;
    if (egress.proxy) {
        words += " through " + render_proxy(*egress.proxy);
        if (!egress.proxy->login_reference.empty()) words += " with " + egress.proxy->login_reference;
    }
    if (egress.header == ProxyHeader::v2) words += " with PROXY v2";
    return words;
}

Result<ProxyPlace> parse_proxy(std::string_view text, std::string_view login_reference) {
    ProxyPlace proxy;
    const auto scheme = text.substr(0, text.find("://"));
    if (base::equal_ignoring_case(scheme, "http"))
        proxy.kind = ProxyPlace::Kind::http;
    else if (!base::equal_ignoring_case(scheme, "socks5"))
        return fail(ErrorKind::syntax, "a proxy is socks5://HOST:PORT or http://HOST:PORT");
    text.remove_prefix(std::min(scheme.size() + 3, text.size()));
    if (text.contains('@')) return fail(ErrorKind::invalid, "login and password of a proxy belong into `proxy_auth`");
    auto place = parse_place(text);
    if (!place) return pass_on(place);
    if (!place->port) return fail(ErrorKind::syntax, "a proxy needs a port, such as socks5://proxy.example:1080");
    proxy.host = std::move(place->host);
    proxy.port = *place->port;
    proxy.login_reference = login_reference;
    return proxy;
}

Result<std::vector<Address>> parse_sources(const std::vector<std::string>& texts) {
    std::vector<Address> sources;
    for (const auto& text : texts) {
        const auto address = parse_address(text);
        if (!address) return fail(ErrorKind::syntax, "\"" + text + "\" is no IP address");
        if (is_unspecified(*address)) return fail(ErrorKind::invalid, text + " is every address: leave it out");
        if (std::ranges::any_of(sources, [&](const Address& other) { return other.index() == address->index(); }))
            return fail(ErrorKind::invalid, "at most one IPv4 and one IPv6 address may be given");
        sources.push_back(*address);
    }
    return sources;
}

}  // namespace thurn::route
