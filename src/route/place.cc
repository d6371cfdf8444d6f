#include "route/place.h"

#include "base/ascii.h"
#include "mail/mailbox.h"
#include "route/address.h"

#include <charconv>
#include <utility>

namespace thurn::route {
namespace {

using base::ErrorKind;
using base::fail;
using base::pass_on;
using base::Result;

Result<std::uint16_t> parse_port(std::string_view text) {
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error != std::errc{} || end != text.data() + text.size() || port == 0)
        return fail(ErrorKind::syntax, "the port must be 1 to 65535");
    return port;
}

/// A host name in its normal form, or an address.
Result<std::string> parse_host(std::string_view text) {
    if (const auto address = parse_address(text)) return render_address(*address);
    auto domain = mail::parse_domain(text, mail::Charset::utf8);
    if (!domain || domain->empty()) return fail(ErrorKind::syntax, "a host name or an address is missing or wrong");
    return domain->text();
}

/// What stands behind `[`: an address, `]`, and perhaps a port.
Result<Place> parse_bracketed(std::string_view text) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) return fail(ErrorKind::syntax, "the ] is missing");
    auto inside = text.substr(0, end);
    if (inside.size() > 5 && base::equal_ignoring_case(inside.substr(0, 5), "IPv6:")) inside.remove_prefix(5);
    const auto address = parse_address(inside);
    if (!address) return fail(ErrorKind::syntax, "between [ and ] an IP address is needed");
    Place place{render_address(*address), std::nullopt};
    const auto rest = text.substr(end + 1);
    if (rest.empty()) return place;
    if (rest.front() != ':') return fail(ErrorKind::syntax, "behind ] only a port may stand");
    auto port = parse_port(rest.substr(1));
    if (!port) return pass_on(port);
    place.port = *port;
    return place;
}

}  // namespace

Result<Place> parse_place(std::string_view text) {
    if (text.ends_with('/')) text.remove_suffix(1);
    if (text.find('@') != std::string_view::npos)
        return fail(ErrorKind::syntax, "name and password belong into `auth`, not into the next hop");
    if (text.find('/') != std::string_view::npos) return fail(ErrorKind::syntax, "behind host and port nothing may stand");
    if (text.starts_with('[')) return parse_bracketed(text.substr(1));
    const auto colon = text.find(':');
    if (colon != text.rfind(':')) return fail(ErrorKind::syntax, "write an IPv6 address in brackets: [2001:db8::1]");
    auto host = parse_host(text.substr(0, colon));
    if (!host) return pass_on(host);
    Place place{*std::move(host), std::nullopt};
    if (colon == std::string_view::npos) return place;
    auto port = parse_port(text.substr(colon + 1));
    if (!port) return pass_on(port);
    place.port = *port;
    return place;
}

}  // namespace thurn::route
