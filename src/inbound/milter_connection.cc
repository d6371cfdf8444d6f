#include "inbound/milter_connection.h"

#include "net/host_name.h"

#include <utility>

#include <boost/asio/ip/address.hpp>

namespace thurn::inbound {

namespace asio = net::asio;
using asio::awaitable;

namespace {

constexpr std::size_t kMuch = std::size_t{64} << 10;  // octets that are not held back for later ones
constexpr std::chrono::seconds kLeave{1};

asio::ip::address address_of(const dns::Record& record) {
    if (const auto* v4 = std::get_if<dns::Ipv4>(&record)) return asio::ip::address_v4(v4->octets);
    if (const auto* v6 = std::get_if<dns::Ipv6>(&record)) return asio::ip::address_v6(v6->octets);
    return {};
}

awaitable<base::Result<std::vector<asio::ip::address>>> async_addresses(std::string host, net::Resolver* resolver) {
    boost::system::error_code none;
    const auto address = asio::ip::make_address(host, none);
    if (!none) co_return std::vector{address};
    std::vector<asio::ip::address> found;
    std::string why = "no DNS";
    for (const auto type : {dns::Type::a, dns::Type::aaaa}) {
        if (!resolver) break;
        const auto answer = co_await resolver->async_ask({net::to_lower(host), type});
        for (const auto& record : answer.records) found.push_back(address_of(record));
        why = answer.detail.empty() ? "it has no address" : answer.detail;
    }
    if (found.empty()) co_return base::fail(base::ErrorKind::not_found, "cannot find " + host + ": " + why);
    co_return found;
}

awaitable<base::Result<net::Stream>> async_dial(MilterSocket socket, net::Resolver* resolver, net::Deadline deadline) {
    if (!socket.path.empty()) co_return co_await net::async_connect_local(socket.path, deadline);
    const auto addresses = co_await async_addresses(socket.host, resolver);
    if (!addresses) co_return std::unexpected(addresses.error());
    base::Error last{base::ErrorKind::not_found, "no address"};
    for (const auto& address : *addresses) {
        auto stream = co_await net::async_connect({address, socket.port}, std::nullopt, deadline);
        if (stream) co_return stream;
        last = stream.error();
    }
    co_return std::unexpected(last);
}

}  // namespace

awaitable<base::Result<std::unique_ptr<MilterConnection>>> MilterConnection::async_open(const MilterOptions& options,
                                                                                        net::Resolver* resolver) {
    auto stream = co_await async_dial(options.socket, resolver, net::within(options.connect_timeout));
    if (!stream) co_return base::pass_on(stream);
    auto connection = std::make_unique<MilterConnection>(*std::move(stream));
    auto agreed = co_await connection->async_negotiate(options.command_timeout);
    if (!agreed) co_return base::pass_on(agreed);
    co_return connection;
}

awaitable<base::Result<void>> MilterConnection::async_negotiate(std::chrono::milliseconds limit) {
    session_.negotiate();
    const auto output = session_.take_output();
    auto sent = co_await stream_.async_write(std::string_view(output), net::within(limit));
    if (!sent) co_return sent;
    auto said = co_await async_hear(limit);
    if (!said) co_return base::pass_on(said);
    co_return base::Result<void>();
}

awaitable<base::Result<milter::Said>> MilterConnection::async_hear(std::chrono::milliseconds limit) {
    const auto deadline = net::within(limit);
    while (true) {
        auto next = session_.next();
        if (!next) co_return base::pass_on(next);
        if (*next) co_return **std::move(next);
        const auto count = co_await stream_.async_read(input_, deadline);
        if (!count) co_return std::unexpected(count.error());
        session_.receive({input_.data(), *count});
    }
}

awaitable<base::Result<milter::Verdict>> MilterConnection::async_settle(std::chrono::milliseconds limit) {
    if (session_.waits() || session_.output_size() >= kMuch) {
        const auto output = session_.take_output();
        auto sent = co_await stream_.async_write(std::string_view(output), net::within(limit));
        if (!sent) co_return base::pass_on(sent);
    }
    while (session_.waits()) {
        auto said = co_await async_hear(limit);
        if (!said) co_return base::pass_on(said);
        if (auto* change = std::get_if<milter::Change>(&*said)) changes_.push_back(std::move(*change));
        if (auto* verdict = std::get_if<milter::Verdict>(&*said)) co_return std::move(*verdict);
    }
    co_return milter::Verdict{};
}

awaitable<bool> MilterConnection::async_is_there() {
    const auto heard = co_await stream_.async_wait_readable(net::within(std::chrono::milliseconds(0)));
    co_return !heard && heard.error().kind == base::ErrorKind::timed_out;  // it has nothing to say now: what can be read is its end
}

awaitable<void> MilterConnection::async_quit() {
    session_.quit();
    const auto output = session_.take_output();
    std::ignore = co_await stream_.async_write(std::string_view(output), net::within(kLeave));
    stream_.close();
}

}  // namespace thurn::inbound
