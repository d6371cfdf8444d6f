#include "inbound/client_name.h"

#include "mail/mailbox.h"

#include <algorithm>
#include <ranges>

#include <boost/asio/ip/address.hpp>

namespace thurn::inbound {

namespace {

constexpr std::size_t kMostNames = 5;  // of one address; who owns it says how many there are

}  // namespace

boost::asio::awaitable<std::string> async_confirmed_name(net::Resolver& resolver, std::string text) {
    const auto address = boost::asio::ip::make_address(text);
    const bool v4 = address.is_v4();
    const auto reverse =
        v4 ? dns::reverse_name(dns::Ipv4{address.to_v4().to_bytes()}) : dns::reverse_name(dns::Ipv6{address.to_v6().to_bytes()});
    const auto names = co_await resolver.async_ask({reverse, dns::Type::ptr});
    for (const auto& record : names.records | std::views::take(kMostNames)) {
        const auto* name = std::get_if<dns::NameRecord>(&record);
        if (!name || !mail::parse_domain(name->target)) continue;
        const auto addresses = co_await resolver.async_ask({name->target, v4 ? dns::Type::a : dns::Type::aaaa});
        const bool confirmed = std::ranges::any_of(addresses.records, [&](const dns::Record& found) {
            if (v4) return found == dns::Record(dns::Ipv4{address.to_v4().to_bytes()});
            return found == dns::Record(dns::Ipv6{address.to_v6().to_bytes()});
        });
        if (confirmed) co_return name->target;
    }
    co_return std::string();
}

}  // namespace thurn::inbound
