#pragma once

#include "base/clock.h"
#include "base/guarded.h"
#include "directory/directory.h"
#include "storage/signed_token.h"

#include <filesystem>
#include <memory>
#include <semaphore>
#include <string>

namespace thurn::storage {

/// How many checks may wait for a web server at once: the pool's other threads are left for what does not.
inline constexpr std::ptrdiff_t kTokensAtOnce = 2;

/// Tokens that their issuer is asked about, each time (RFC 7662).
///
/// Errors   `full`: too many are asked about already. As ask_web(); `refused`: the issuer does not know us, or says what is no answer.
/// Threads  Any.
class IntrospectedTokens final : public directory::TokenChecker {
public:
    struct Options {
        std::string endpoint;
        std::string user;  // the client id, and its secret
        std::string password;
        std::filesystem::path ca_file;
        std::string login_claim = "email";
    };
    explicit IntrospectedTokens(Options options) : options_(std::move(options)) {}
    [[nodiscard]] base::Result<std::optional<std::string>> check(std::string_view token) override;

private:
    Options options_;
    std::counting_semaphore<kTokensAtOnce> slots_{kTokensAtOnce};
};

/// Tokens that are signed, with keys their issuer publishes at a URL or that lie in a file.
///
/// Keys     Read anew after ten minutes, or when a token is signed with an unknown one, but once a minute at most. Where that fails those at
///          hand stay.
/// Errors   There are no keys: as ask_web() or TokenKeys::parse(), `not_found` for a file. `full`: too many wait for them.
/// Threads  Any.
class SignedTokens final : public directory::TokenChecker {
public:
    struct Options {
        std::string keys;  // `https://…`, or the path of a file
        std::filesystem::path ca_file;
        TokenExpectations expected;
    };
    SignedTokens(Options options, const base::Clock& clock) : options_(std::move(options)), clock_(clock) {}
    [[nodiscard]] base::Result<std::optional<std::string>> check(std::string_view token) override;

private:
    struct Known {
        std::shared_ptr<const TokenKeys> keys;  // shared with checks under way
        base::Time asked;                       // with or without success
    };
    [[nodiscard]] base::Result<std::shared_ptr<const TokenKeys>> keys(std::chrono::seconds no_older_than);
    [[nodiscard]] base::Result<TokenKeys> fetch();

    Options options_;
    const base::Clock& clock_;
    base::Guarded<Known> known_;
    std::counting_semaphore<kTokensAtOnce> slots_{kTokensAtOnce};
};

}  // namespace thurn::storage
