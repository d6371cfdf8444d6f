#include "delivery/smtp_courier.h"

#include "delivery/courier_round.h"

#include <utility>

#include <boost/asio/this_coro.hpp>

namespace thurn::delivery {

SmtpCourier::SmtpCourier(SmtpCourierOptions options, std::shared_ptr<const net::TlsContext> opportunistic,
                         std::shared_ptr<const net::TlsContext> verifying, net::BlockingPool& pool, base::Log& log)
    : options_(std::move(options)), opportunistic_(std::move(opportunistic)), verifying_(std::move(verifying)), pool_(pool), log_(log) {}

boost::asio::awaitable<queue::SiteOutcome> SmtpCourier::async_carry(std::shared_ptr<const Destination> destination,
                                                                    std::shared_ptr<ParcelSource> parcels) const {
    auto executor = co_await boost::asio::this_coro::executor;
    const CourierRound::Means means{options_, opportunistic_, verifying_, pool_, log_};
    CourierRound round(means, std::move(executor), std::move(destination), std::move(parcels));
    co_return co_await round.async_run();
}

boost::asio::awaitable<base::Result<smtp::Reply>> SmtpCourier::async_ask(std::shared_ptr<const Destination> destination,
                                                                         mail::Mailbox recipient) const {
    auto executor = co_await boost::asio::this_coro::executor;
    const CourierRound::Means means{options_, opportunistic_, verifying_, pool_, log_};
    CourierRound round(means, std::move(executor), std::move(destination), nullptr);
    auto answered = co_await round.async_ask(std::move(recipient));
    if (!answered) {
        const auto& failure = answered.error();
        co_return base::fail(failure.error.kind, failure.reply ? smtp::describe_reply(*failure.reply) : failure.error.detail);
    }
    if (answered->of_sender)
        co_return base::fail(base::ErrorKind::refused, "MAIL FROM:<> was refused: " + smtp::describe_reply(answered->reply));
    co_return std::move(answered->reply);
}

}  // namespace thurn::delivery
