#include "delivery/site_finder.h"

#include "delivery/connection.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

namespace thurn::delivery {

namespace {

constexpr std::size_t kMostRemembered = 10000;
constexpr std::chrono::seconds kRememberFor{30};

std::string_view demand_name(route::TlsDemand demand) {
    switch (demand) {
        case route::TlsDemand::none:
            return "none";
        case route::TlsDemand::may:
            return "may";
        case route::TlsDemand::encrypt:
            return "encrypt";
        case route::TlsDemand::verify:
            return "verify";
    }
    return "";
}

std::string egress_of(const std::shared_ptr<const route::Egress>& egress) {
    return egress ? route::describe_egress(*egress) : std::string();
}

/// What sets a way to a host apart from others to the same one, in words; nothing for the usual.
std::string way_of(const route::ToHost& hop) {
    std::string way = hop.implicit_tls ? " by smtps" : hop.protocol == smtp::Protocol::lmtp ? " by lmtp" : "";
    if (hop.socket.empty() && hop.tls != route::TlsDemand::may) way += fmt::format(" with tls={}", demand_name(hop.tls));
    if (!hop.credentials_reference.empty()) way += fmt::format(" with auth={}", hop.credentials_reference);
    return way;
}

}  // namespace

SiteFinder::SiteFinder(net::Resolver& resolver, base::Random& random, Options options, CredentialReader read_credentials)
    : resolver_(resolver), random_(random), options_(std::move(options)), read_credentials_(std::move(read_credentials)) {}

std::string SiteFinder::key(const Hop& hop) {
    if (const auto* mx = std::get_if<route::ByMx>(&hop))
        return fmt::format("mx:{} {}{}", mx->domain, demand_name(mx->tls), egress_of(mx->egress));
    const auto& host = std::get<route::ToHost>(hop);
    const std::string_view scheme = host.protocol == smtp::Protocol::lmtp ? "lmtp" : host.implicit_tls ? "smtps" : "smtp";
    if (!host.socket.empty()) return fmt::format("socket:{} {}{}", host.socket, scheme, egress_of(host.egress));
    return fmt::format("host:{}:{} {} {} {}{}", host.host, host.port, scheme, demand_name(host.tls), host.credentials_reference,
                       egress_of(host.egress));
}

boost::asio::awaitable<std::shared_ptr<const Destination>> SiteFinder::async_find(Hop hop) {
    const auto name = key(hop);
    if (auto known = recall(name)) co_return known;
    auto* mx = std::get_if<route::ByMx>(&hop);
    co_return remember(name,
                       mx ? co_await async_find_mx(std::move(*mx)) : co_await async_find_host(std::get<route::ToHost>(std::move(hop))));
}

boost::asio::awaitable<Destination> SiteFinder::async_find_mx(route::ByMx hop) {
    auto hosts = co_await async_drive(route::HostFinder(hop, options_.ourselves, random_, options_.hosts));
    for (auto& address : hosts.addresses) address.port = options_.port;
    if (hop.tls != route::TlsDemand::may) hosts.site += fmt::format(" with tls={}", demand_name(hop.tls));
    Destination destination{.hosts = std::move(hosts), .tls = hop.tls, .implicit_tls = false, .credentials = {}};
    if (hop.egress) co_await async_add_egress(destination, std::move(hop.egress));
    co_return destination;
}

boost::asio::awaitable<Destination> SiteFinder::async_find_host(route::ToHost hop) {
    Destination destination{.hosts = co_await async_drive(route::HostFinder(hop, random_, options_.hosts)),
                            .tls = hop.tls,
                            .implicit_tls = hop.implicit_tls,
                            .credentials = {},
                            .protocol = hop.protocol};
    if (!hop.credentials_reference.empty()) {
        auto credentials = read_credentials_(hop.credentials_reference);
        if (credentials)
            destination.credentials = *std::move(credentials);
        else
            destination.hosts.problem = route::Unroutable{.permanent = false, .status = "451 4.3.5 " + credentials.error().detail};
    }
    if (!destination.hosts.site.empty()) destination.hosts.site += way_of(hop);
    if (hop.egress) co_await async_add_egress(destination, std::move(hop.egress));
    co_return destination;
}

boost::asio::awaitable<void> SiteFinder::async_add_egress(Destination& destination, std::shared_ptr<const route::Egress> egress) {
    destination.egress = egress;
    if (!destination.hosts.site.empty()) destination.hosts.site += egress_of(egress);
    if (!egress->proxy || destination.hosts.problem) co_return;
    auto proxy = co_await async_find_proxy(*egress->proxy);
    if (proxy)
        destination.proxy = std::make_shared<const net::ProxyOut>(*std::move(proxy));
    else
        destination.hosts.problem = route::Unroutable{.permanent = false, .status = proxy.error().detail};
}

/// Errors   `detail` is a status.
boost::asio::awaitable<base::Result<net::ProxyOut>> SiteFinder::async_find_proxy(route::ProxyPlace place) {
    const bool socks = place.kind == route::ProxyPlace::Kind::socks5;
    net::ProxyOut proxy{.kind = socks ? net::ProxyOut::Kind::socks5 : net::ProxyOut::Kind::http, .name = route::render_proxy(place)};
    const route::ToHost hop{.host = place.host, .port = place.port, .credentials_reference = {}};
    const auto hosts = co_await async_drive(route::HostFinder(hop, random_, options_.hosts));
    if (hosts.problem)
        co_return base::fail(base::ErrorKind::not_found, fmt::format("451 4.4.1 no way through {}: {}", proxy.name, hosts.problem->status));
    for (const auto& address : hosts.addresses) proxy.addresses.push_back(endpoint_of(address));
    if (place.login_reference.empty()) co_return proxy;
    auto login = read_credentials_(place.login_reference);
    if (!login) co_return base::fail(base::ErrorKind::not_found, "451 4.3.5 " + login.error().detail);
    proxy.login = net::ProxyLogin{std::move(login->login), std::move(login->password)};
    co_return proxy;
}

boost::asio::awaitable<std::vector<dns::Answer>> SiteFinder::async_ask_all(std::vector<dns::Question> questions) {
    struct Round {
        boost::asio::steady_timer all_here;
        std::vector<dns::Answer> answers;
        std::size_t missing;
    };
    const auto executor = co_await boost::asio::this_coro::executor;
    const auto round = std::make_shared<Round>(boost::asio::steady_timer(executor, boost::asio::steady_timer::time_point::max()),
                                               std::vector<dns::Answer>(questions.size()), questions.size());
    for (std::size_t i = 0; i < questions.size(); ++i)
        boost::asio::co_spawn(executor, resolver_.async_ask(questions[i]), [round, i](const std::exception_ptr&, dns::Answer answer) {
            round->answers[i] = std::move(answer);  // of an exception, a bug: the answer that there was none
            if (--round->missing == 0) round->all_here.cancel();
        });
    while (round->missing > 0) co_await round->all_here.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    co_return std::move(round->answers);
}

boost::asio::awaitable<route::Hosts> SiteFinder::async_drive(route::HostFinder finder) {
    while (!finder.done()) {
        const auto questions = finder.questions();
        const auto answers = co_await async_ask_all(questions);
        for (std::size_t i = 0; i < questions.size(); ++i) finder.answer(questions[i], answers[i]);
    }
    co_return finder.take();
}

std::shared_ptr<const Destination> SiteFinder::recall(const std::string& key) {
    const auto found = known_.find(key);
    if (found == known_.end()) return nullptr;
    if (found->second.until > std::chrono::steady_clock::now()) return found->second.destination;
    known_.erase(found);
    return nullptr;
}

/// Failures of DNS are not remembered: each attempt asks anew.
std::shared_ptr<const Destination> SiteFinder::remember(const std::string& key, Destination destination) {
    auto shared = std::make_shared<const Destination>(std::move(destination));
    if (shared->hosts.problem && !shared->hosts.problem->permanent) return shared;
    if (known_.size() >= kMostRemembered) known_.clear();
    known_[key] = {shared, std::chrono::steady_clock::now() + kRememberFor};
    return shared;
}

}  // namespace thurn::delivery
