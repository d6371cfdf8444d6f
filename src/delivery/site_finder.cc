#include "delivery/site_finder.h"

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

}  // namespace

SiteFinder::SiteFinder(net::Resolver& resolver, base::Random& random, Options options, CredentialReader read_credentials)
    : resolver_(resolver), random_(random), options_(std::move(options)), read_credentials_(std::move(read_credentials)) {}

boost::asio::awaitable<std::shared_ptr<const Destination>> SiteFinder::async_find(route::ByMx hop) {
    const auto key = fmt::format("mx:{} {}", hop.domain, demand_name(hop.tls));
    if (auto known = recall(key)) co_return known;
    route::HostFinder finder(hop, options_.ourselves, random_, options_.hosts);
    auto hosts = co_await async_drive(std::move(finder));
    for (auto& address : hosts.addresses) address.port = options_.port;
    if (hop.tls != route::TlsDemand::may) hosts.site += fmt::format(" tls={}", demand_name(hop.tls));
    co_return remember(key, {.hosts = std::move(hosts), .tls = hop.tls, .implicit_tls = false, .credentials = {}});
}

boost::asio::awaitable<std::shared_ptr<const Destination>> SiteFinder::async_find(route::ToHost hop) {
    const auto key = fmt::format("host:{}:{} {} {} {}", hop.host, hop.port, hop.implicit_tls ? "smtps" : "smtp", demand_name(hop.tls),
                                 hop.credentials_reference);
    if (auto known = recall(key)) co_return known;
    route::HostFinder finder(hop, random_, options_.hosts);
    Destination destination{
        .hosts = co_await async_drive(std::move(finder)), .tls = hop.tls, .implicit_tls = hop.implicit_tls, .credentials = {}};
    if (!hop.credentials_reference.empty()) {
        auto credentials = read_credentials_(hop.credentials_reference);
        if (credentials)
            destination.credentials = *std::move(credentials);
        else
            destination.hosts.problem = route::Unroutable{.permanent = false, .status = "451 4.3.5 " + credentials.error().detail};
    }
    destination.hosts.site = key;
    co_return remember(key, std::move(destination));
}

boost::asio::awaitable<route::Hosts> SiteFinder::async_drive(route::HostFinder finder) {
    while (!finder.done()) {
        const auto questions = finder.questions();
        for (const auto& question : questions) {
            const auto answer = co_await resolver_.async_ask(question);
            finder.answer(question, answer);
        }
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
