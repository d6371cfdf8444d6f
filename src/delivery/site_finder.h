#pragma once

#include "base/random.h"
#include "delivery/smtp_courier.h"
#include "net/resolver.h"
#include "route/hosts.h"

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <variant>

#include <boost/asio/awaitable.hpp>

namespace thurn::delivery {

/// Turns a next hop into hosts with addresses, asking DNS; remembers what it found for a short while.
///
/// Shape    The site of a destination also tells apart what must not share connections: TLS demand, credentials and the way out.
/// Limits   At most 10,000 destinations are remembered, for 30 seconds each; DNS has its own cache below.
/// Threads  One executor.
class SiteFinder {
public:
    /// Credentials by the reference a route names them with.
    using CredentialReader = std::function<base::Result<smtp::ClientCredentials>(const std::string& reference)>;
    struct Options {
        route::Ourselves ourselves;
        route::HostFinder::Options hosts;
        std::uint16_t port = 25;
    };
    SiteFinder(net::Resolver& resolver, base::Random& random, Options options, CredentialReader read_credentials);

    using Hop = std::variant<route::ByMx, route::ToHost>;
    /// A name of the hop: equal for equal hops only.
    [[nodiscard]] static std::string key(const Hop& hop);
    /// What was found lately, by key(); null when nothing was.
    [[nodiscard]] std::shared_ptr<const Destination> recall(const std::string& key);
    /// Where to go, with `hosts.problem` set when that is nowhere.
    [[nodiscard]] boost::asio::awaitable<std::shared_ptr<const Destination>> async_find(Hop hop);

private:
    struct Remembered {
        std::shared_ptr<const Destination> destination;  // shared with couriers
        std::chrono::steady_clock::time_point until;
    };
    boost::asio::awaitable<Destination> async_find_mx(route::ByMx hop);
    boost::asio::awaitable<Destination> async_find_host(route::ToHost hop);
    boost::asio::awaitable<void> async_add_egress(Destination& destination, std::shared_ptr<const route::Egress> egress);
    boost::asio::awaitable<base::Result<net::ProxyOut>> async_find_proxy(route::ProxyPlace place);
    boost::asio::awaitable<std::vector<dns::Answer>> async_ask_all(std::vector<dns::Question> questions);
    boost::asio::awaitable<route::Hosts> async_drive(route::HostFinder finder);
    std::shared_ptr<const Destination> remember(const std::string& key, Destination destination);

    net::Resolver& resolver_;
    base::Random& random_;
    Options options_;
    CredentialReader read_credentials_;
    std::unordered_map<std::string, Remembered> known_;
};

}  // namespace thurn::delivery
