#include "inbound/milter_connection.h"

#include "inbound/dial.h"

#include <algorithm>
#include <utility>

namespace thurn::inbound {

namespace asio = net::asio;
using asio::awaitable;

namespace {

constexpr std::size_t kMuch = std::size_t{64} << 10;  // octets that are not held back for later ones
constexpr std::chrono::seconds kLeave{1};

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
    auto said = co_await async_hear(net::within(limit));
    if (!said) co_return base::pass_on(said);
    co_return base::Result<void>();
}

awaitable<base::Result<milter::Said>> MilterConnection::async_hear(net::Deadline deadline) {
    while (true) {
        auto next = session_.next();
        if (!next) co_return base::pass_on(next);
        if (*next) co_return **std::move(next);
        const auto count = co_await stream_.async_read(input_, deadline);
        if (!count) co_return std::unexpected(count.error());
        session_.receive({input_.data(), *count});
    }
}

awaitable<base::Result<milter::Verdict>> MilterConnection::async_settle(MilterPatience patience) {
    if (session_.waits() || session_.output_size() >= kMuch) {
        const auto output = session_.take_output();
        auto sent = co_await stream_.async_write(std::string_view(output), std::min(net::within(patience.limit), patience.end));
        if (!sent) co_return base::pass_on(sent);
    }
    while (session_.waits()) {
        if (std::chrono::steady_clock::now() >= patience.end)
            co_return base::fail(base::ErrorKind::timed_out, "it gave signs of life, but no answer");
        auto said = co_await async_hear(std::min(net::within(patience.limit), patience.end));
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
