#include "net/proxy_out.h"

#include "net/endpoint.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace thurn::net {

namespace {

std::unique_ptr<ProxyClient> make_client(const ProxyOut& proxy, const asio::ip::tcp::endpoint& target) {
    return proxy.kind == ProxyOut::Kind::socks5 ? make_socks5_client(target, proxy.login) : make_http_connect_client(target, proxy.login);
}

/// The first of the proxy's addresses that takes a connection.
asio::awaitable<base::Result<Stream>> async_reach(const ProxyOut& proxy, const std::vector<asio::ip::address>& sources, Deadline deadline) {
    base::Result<Stream> stream = base::fail(base::ErrorKind::not_found, "the proxy has no address");
    for (const auto& address : proxy.addresses) {
        auto attempt = co_await async_connect(address, source_for(sources, address), deadline);
        if (attempt) co_return attempt;
        stream = std::unexpected(std::move(attempt).error());
    }
    co_return stream;
}

asio::awaitable<base::Result<void>> async_converse(Stream& stream, ProxyClient& client, Deadline deadline) {
    std::array<char, 1024> input;
    while (client.state() == ProxyClient::State::talking) {
        const auto octets = client.take_output();
        if (auto written = co_await stream.async_write(octets, deadline); !written) co_return written;
        const auto count = co_await stream.async_read(input, deadline);
        if (!count) {
            // Its own timer, not the proxy's silence alone: the target may be what does not answer.
            const bool silent = count.error().kind == base::ErrorKind::timed_out;
            co_return base::fail(count.error().kind, silent ? "no answer in time" : "the proxy closed the connection");
        }
        client.receive({input.data(), *count});
    }
    if (client.state() == ProxyClient::State::failed) co_return std::unexpected(client.error());
    co_return base::Result<void>();
}

}  // namespace

std::optional<asio::ip::address> source_for(const std::vector<asio::ip::address>& sources, const asio::ip::tcp::endpoint& endpoint) {
    const bool v4 = endpoint.address().is_v4();
    const auto found = std::ranges::find_if(sources, [v4](const auto& address) { return address.is_v4() == v4; });
    if (found == sources.end()) return std::nullopt;
    return *found;
}

asio::awaitable<base::Result<Tunnel>> async_connect_through(ProxyOut proxy, asio::ip::tcp::endpoint target,
                                                            std::vector<asio::ip::address> sources, Deadline deadline) {
    const auto fail_with = [&](const base::Error& error) {
        return base::fail(error.kind, fmt::format("cannot reach {} through {}: {}", render_endpoint(target), proxy.name, error.detail));
    };
    const auto client = make_client(proxy, target);
    auto stream = co_await async_reach(proxy, sources, deadline);
    if (!stream) co_return fail_with(stream.error());
    if (auto done = co_await async_converse(*stream, *client, deadline); !done) co_return fail_with(done.error());
    co_return Tunnel{.stream = *std::move(stream), .early = client->take_rest()};
}

}  // namespace thurn::net
