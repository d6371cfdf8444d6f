// Who says who they are: passwords are checked on the pool's threads, SCRAM by the session, which asks for what is stored.
#include "inbound/conversation.h"

#include <cstring>
#include <utility>

namespace thurn::inbound {

using net::asio::awaitable;

namespace {

void wipe(std::string& secret) {
    explicit_bzero(secret.data(), secret.size());
    secret.clear();
}

}  // namespace

/// The session refused an exchange; which login it was about is known once its first message was read.
void Conversation::log_failed_proof(const smtp::Reply& reply) {
    constexpr std::uint16_t kWrongProof = 535;
    const auto proving = std::exchange(proving_, std::nullopt);
    if (reply.code != kWrongProof) return;
    if (proving)
        log_.info("auth", {.mechanism = proving->wanted.mechanism,
                           .login = proving->wanted.login,
                           .result = "refused",
                           .reply = &reply,
                           .begun = proving->begun});
    else
        log_.info("auth", {.result = "refused", .reply = &reply});
}

/// SCRAM: what is stored goes to the session, which does the rest.
awaitable<void> Conversation::async_find_secret(smtp::SecretWanted wanted) {
    proving_ = {.wanted = std::move(wanted), .begun = std::chrono::steady_clock::now()};
    auto secret = co_await async_stored_secret();
    if (secret) {
        proving_->secret = *secret;
        session_.give_secret(*std::move(secret));
        co_return;
    }
    const auto proving = std::exchange(proving_, std::nullopt);
    const auto reply = smtp::make_reply(454, {4, 7, 0}, "logins cannot be checked now, try again later");
    log_.info("auth", {.mechanism = proving->wanted.mechanism,
                       .login = proving->wanted.login,
                       .result = "unavailable",
                       .reason = secret.error().detail,
                       .reply = &reply,
                       .begun = proving->begun});
    session_.answer(reply);
}

/// Precondition: an exchange is under way.
awaitable<base::Result<sasl::ScramSecret>> Conversation::async_stored_secret() {
    co_return co_await with_.pool.async_run(
        [this] { return with_.directory.find_scram_secret(proving_->wanted.login, proving_->wanted.hash); });
}

/// Between the two ends of the exchange the account may have been disabled, or its password changed.
awaitable<base::Result<bool>> Conversation::async_still_good() {
    const auto now = co_await async_stored_secret();
    if (!now) co_return std::unexpected(now.error());
    co_return *now == proving_->secret;
}

awaitable<void> Conversation::async_check_credentials(smtp::CredentialsGiven given) {
    const bool proven = given.proof == smtp::CredentialsGiven::Proof::proven && proving_;
    const auto begun = proven ? proving_->begun : std::chrono::steady_clock::now();
    const bool impersonation = !given.authorization.empty() && given.authorization != given.login;
    base::Result<bool> checked = false;
    if (proven)
        checked = co_await async_still_good();
    else
        checked =
            co_await with_.pool.async_run([&passwords = with_.passwords, &given] { return passwords.check(given.login, given.password); });
    proving_.reset();
    wipe(given.password);
    const bool right = checked && *checked && !impersonation;
    const auto reply = right      ? smtp::make_reply(235, {2, 7, 0}, "logged in")
                       : !checked ? smtp::make_reply(454, {4, 7, 0}, "logins cannot be checked now, try again later")
                                  : smtp::make_reply(535, {5, 7, 8}, "login or password is wrong");
    log_.info("auth", {.mechanism = given.mechanism,
                       .login = given.login,
                       .result = right      ? "ok"
                                 : !checked ? "unavailable"
                                            : "refused",
                       .reason = checked ? std::string_view() : std::string_view(checked.error().detail),
                       .reply = &reply,
                       .begun = begun});
    if (right) {
        client_.login = given.login;
        session_.accept();
    } else {
        session_.answer(reply);
    }
}
}  // namespace thurn::inbound
