// Who says who they are: passwords and tokens are checked on the pool's threads, SCRAM by the session, which asks for what is stored, and
// certificates by TLS.
#include "base/ascii.h"
#include "directory/resolve.h"
#include "inbound/conversation.h"
#include "mail/date.h"
#include "net/host_name.h"
#include "policy/login_rule.h"

#include <cstring>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace thurn::inbound {

using net::asio::awaitable;
using Answer = policy::LoginGuard::Verdict::Answer;

namespace {

void wipe(std::string& secret) {
    explicit_bzero(secret.data(), secret.size());
    secret.clear();
}

base::Result<bool> is_enabled(directory::Directory& directory, std::string_view login) {
    const auto account = directory.find_account(login);
    if (!account) return std::unexpected(account.error());
    return *account && (*account)->enabled;
}

base::Result<bool> is_suspended(directory::Directory& directory, std::string_view login) {
    const auto account = directory.find_account(login);
    if (!account) return std::unexpected(account.error());
    return *account && (*account)->suspended;
}

/// Fills in the login that the token speaks for.
base::Result<bool> is_enabled_by_token(directory::TokenChecker& tokens, directory::Directory& directory, smtp::CredentialsGiven& given) {
    auto login = tokens.check(given.password);
    if (!login) return base::pass_on(login);
    if (!*login) return false;
    given.login = directory::fold_address(**login);
    return is_enabled(directory, given.login);
}

base::Result<sasl::Secret> find_secret(directory::Directory& directory, const smtp::SecretWanted& wanted) {
    if (wanted.hash == sasl::Hash::md5) {
        auto secret = directory.find_cram_md5_secret(wanted.login);
        if (!secret) return base::pass_on(secret);
        return *std::move(secret);
    }
    auto secret = directory.find_scram_secret(wanted.login, wanted.hash);
    if (!secret) return base::pass_on(secret);
    return *std::move(secret);
}

}  // namespace

std::optional<Conversation::Refusal> Conversation::find_ban() const {
    const auto admission = with_.login_guard.admit(client_.address, client_.network, options_->logins, with_.clock.now());
    auto decision = policy::refuse_admission(admission, profile_.role);
    if (!decision) return std::nullopt;
    return Refusal{std::move(decision->rule), smtp::make_reply(decision->code, decision->status, decision->text)};
}

policy::LoginGuard::Verdict Conversation::judge_login(std::string_view login) const {
    return with_.login_guard.judge({.address = client_.address, .network = client_.network, .login = login}, options_->logins,
                                   with_.clock.now());
}

/// Those who have failed before wait for their answer, be it right or wrong; the loop does not. False when they were refused at once.
awaitable<bool> Conversation::async_hold_back(std::string_view mechanism, std::string_view login) {
    auto verdict = judge_login(login);
    if (verdict.answer == Answer::check && verdict.delay.count() > 0) {
        const auto begun = std::chrono::steady_clock::now();
        net::asio::steady_timer pause(stream_.executor(), verdict.delay);
        held_back_ = &pause;
        co_await pause.async_wait(net::asio::as_tuple(net::asio::use_awaitable));
        held_back_ = nullptr;
        log_.info("auth_delayed", {.mechanism = mechanism, .login = login, .rule = "login_protection.delay", .begun = begun});
        verdict = judge_login(login);  // others went on
    }
    if (verdict.answer != Answer::check) {
        refuse_login(mechanism, login, verdict);
        co_return false;
    }
    co_return !refuse_for_failures(mechanism, login);
}

/// Where a rate has no room for another failure the login is not checked, be it right or wrong.
std::optional<policy::Decision> Conversation::find_excess_of_failures(std::string_view login) {
    using enum policy::Counted;
    const auto& rates = options_->rulebook->rates;
    if (!with_.buckets || login.empty() || !rates.counts(failed_logins)) return std::nullopt;
    Transaction none;
    std::vector<policy::Excess> excesses;
    for (auto& counting : rates.look(failed_logins, 1, failed_situation(none, login), *with_.buckets, with_.clock.now())) {
        if (!counting.excess) continue;
        counting.excess->alarm = counting.rate->alarm;
        excesses.push_back(*std::move(counting.excess));
    }
    const auto* refusing = policy::refusing(excesses);
    if (!refusing) return std::nullopt;
    note_excess(*refusing, policy::Stage::auth, nullptr, none);
    return refusing->decision();
}

bool Conversation::refuse_for_failures(std::string_view mechanism, std::string_view login) {
    const auto excess = find_excess_of_failures(login);
    if (!excess) return false;
    const auto reply = smtp::make_reply(excess->code, excess->status, excess->text);
    log_.warning(
        "auth",
        {.mechanism = mechanism, .login = login, .rule = excess->rule, .result = "locked_out", .reason = excess->reason, .reply = &reply});
    session_.answer(reply);
    return true;
}

policy::Situation Conversation::failed_situation(const Transaction& none, std::string_view login) const {
    auto now = situation(none);
    now.login = login;
    now.login_failed = true;
    return now;
}

/// Also where the lock has passed since it was found: the password was not looked at then.
void Conversation::refuse_login(std::string_view mechanism, std::string_view login, policy::LoginGuard::Verdict verdict) {
    if (verdict.answer == Answer::check) verdict.answer = Answer::account_locked;
    const auto decision = *policy::refuse_login(verdict);
    const auto reply = smtp::make_reply(decision.code, decision.status, decision.text);
    log_.warning("auth", {.mechanism = mechanism,
                          .login = login,
                          .rule = decision.rule,
                          .result = verdict.answer == Answer::banned ? "banned" : "locked_out",
                          .reply = &reply});
    session_.answer(reply);
}

/// Lines for programs that watch for attacks: who, against whom, how often, and until when it is answered.
void Conversation::count_failed_login(std::string_view login) {
    const auto lockouts = with_.login_guard.add_failure({.address = client_.address, .network = client_.network, .login = login},
                                                        options_->logins, with_.clock.now());
    const auto tell = [&](std::string_view event, const policy::Ban& ban) {
        with_.log.warning(event, {{"session", client_.session},
                                  {"client", client_.address},
                                  {"listener", client_.listener},
                                  {"login", login},
                                  {"subject", ban.subject.text},
                                  {"reason", ban.reason},
                                  {"count", ban.failures},
                                  {"until", ban.until ? mail::render_timestamp(*ban.until) : std::string()}});
    };
    if (!login.empty() && options_->rulebook->rates.counts(policy::Counted::failed_logins)) {
        Transaction none;
        static_cast<void>(count(policy::Counted::failed_logins, 1, none, failed_situation(none, login)));  // the next try hears of it
    }
    if (lockouts.client) {
        tell("banned", *lockouts.client);
        raise(policy::AlarmKind::lockout, lockouts.client->subject.text, {.login = login, .reason = lockouts.client->reason});
    }
    if (lockouts.account) {
        tell("login_attack", *lockouts.account);
        raise(policy::AlarmKind::login_attack, lockouts.account->subject.text, {.login = login, .reason = lockouts.account->reason});
    }
}

void Conversation::count_right_login(std::string_view login) {
    with_.login_guard.add_success({.address = client_.address, .network = client_.network, .login = login}, options_->logins,
                                  with_.clock.now());
}

/// The session refused an exchange; which login it was about is known once its first message was read.
void Conversation::log_failed_proof(const smtp::Reply& reply) {
    constexpr std::uint16_t kWrongProof = 535;
    const auto proving = std::exchange(proving_, std::nullopt);
    if (reply.code != kWrongProof || std::exchange(token_refused_, false)) return;
    count_failed_login(proving ? std::string_view(proving->wanted.login) : std::string_view());
    if (proving)
        log_.info("auth", {.mechanism = proving->wanted.mechanism,
                           .login = proving->wanted.login,
                           .result = "refused",
                           .reply = &reply,
                           .begun = proving->begun});
    else
        log_.info("auth", {.result = "refused", .reply = &reply});
}

/// SCRAM and CRAM-MD5: what is stored goes to the session, which does the rest.
awaitable<void> Conversation::async_find_secret(smtp::SecretWanted wanted) {
    if (!co_await async_hold_back(wanted.mechanism, wanted.login)) co_return;
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
awaitable<base::Result<sasl::Secret>> Conversation::async_stored_secret() {
    co_return co_await with_.pool.async_run([this] { return find_secret(with_.directory, proving_->wanted); });
}

/// Between the two ends of the exchange the account may have been disabled, or its password changed.
awaitable<base::Result<bool>> Conversation::async_still_good() {
    const auto now = co_await async_stored_secret();
    if (!now) co_return std::unexpected(now.error());
    co_return *now == proving_->secret;
}

/// Whether the client is who it says it is; of a token, also who that is. A password is looked at only if the login is not locked when its
/// turn comes: of a thousand that guess at once, most come too late.
awaitable<base::Result<Conversation::Belief>> Conversation::async_believe(smtp::CredentialsGiven& given) {
    using Proof = smtp::CredentialsGiven::Proof;
    base::Result<bool> right = false;
    switch (given.proof) {
        case Proof::claimed: {
            bool locked = false;
            right = co_await with_.pool.async_run([&]() -> base::Result<bool> {
                locked = judge_login(given.login).answer != Answer::check;
                return locked ? false : with_.passwords.check(given.login, given.password);
            });
            if (locked) co_return Belief::locked;
            break;
        }
        case Proof::proven:
            if (proving_) right = co_await async_still_good();
            break;
        case Proof::certificate:
            right = co_await with_.pool.async_run([this, &given] { return is_enabled(with_.directory, given.login); });
            break;
        case Proof::token:
            right = co_await with_.pool.async_run([this, &given] { return is_enabled_by_token(*with_.tokens, with_.directory, given); });
            break;
    }
    if (!right) co_return base::pass_on(right);
    if (!*right) co_return Belief::wrong;
    const auto suspended = co_await with_.pool.async_run([this, &given] { return is_suspended(with_.directory, given.login); });
    if (!suspended) co_return std::unexpected(suspended.error());
    co_return *suspended ? Belief::suspended : Belief::right;
}

awaitable<void> Conversation::async_check_credentials(smtp::CredentialsGiven given) {
    using Proof = smtp::CredentialsGiven::Proof;
    const bool guessed = given.proof == Proof::claimed || given.proof == Proof::token;  // of SCRAM, the first message was held back
    if (guessed && !co_await async_hold_back(given.mechanism, given.login)) {
        wipe(given.password);
        co_return;
    }
    const auto begun = proving_ ? proving_->begun : std::chrono::steady_clock::now();
    const auto checked = co_await async_believe(given);
    proving_.reset();
    wipe(given.password);
    // Others went on while this one was checked: what comes out after the lock has closed is told to nobody, be it right or wrong.
    if (const auto verdict = judge_login(given.login); checked == Belief::locked || verdict.answer != Answer::check) {
        refuse_login(given.mechanism, given.login, verdict);
        co_return;
    }
    if (refuse_for_failures(given.mechanism, given.login)) co_return;
    const bool impersonation = !given.authorization.empty() && given.authorization != given.login;
    const bool right = checked == Belief::right && !impersonation;
    const bool suspended = checked == Belief::suspended && !impersonation;  // told to those alone who have the password
    if (checked && !right && !suspended) count_failed_login(given.login);
    const auto reply = suspended  ? smtp::make_reply(525, {5, 7, 13}, "your account is suspended; the server's administrator can tell why")
                       : right    ? smtp::make_reply(235, {2, 7, 0}, "logged in")
                       : !checked ? smtp::make_reply(454, {4, 7, 0}, "logins cannot be checked now, try again later")
                                  : smtp::make_reply(535, {5, 7, 8}, "login or password is wrong");
    log_.info("auth", {.mechanism = given.mechanism,
                       .login = given.login,
                       .result = right       ? "ok"
                                 : suspended ? "suspended"
                                 : !checked  ? "unavailable"
                                             : "refused",
                       .reason = checked ? std::string_view() : std::string_view(checked.error().detail),
                       .reply = &reply,
                       .begun = begun});
    if (right) {
        client_.login = given.login;
        client_.mechanism = given.mechanism;
        co_await async_take_login();
    } else {
        token_refused_ = checked && given.proof == smtp::CredentialsGiven::Proof::token;  // the session has 535 to say still
        session_.answer(reply);
    }
}

}  // namespace thurn::inbound
