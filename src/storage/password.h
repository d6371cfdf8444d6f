#pragma once

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "directory/directory.h"

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace thurn::storage {

/// The longest password crypt(3) takes (CRYPT_MAX_PASSPHRASE_SIZE less its end).
inline constexpr std::size_t kMaxPasswordOctets = 511;

/// A yescrypt hash (`$y$`) with a salt of its own, at the system's default cost. Slow on purpose: some 10 ms and more.
/// Errors   `invalid`: empty, longer than kMaxPasswordOctets, or with a NUL. `refused`: the system has no randomness or no yescrypt.
[[nodiscard]] base::Result<std::string> hash_password(std::string_view password);

/// Random octets for a SCRAM secret.
/// Errors   `refused`: the system has no randomness.
[[nodiscard]] base::Result<std::string> make_salt();

/// Whether the password has this hash, of any kind crypt(5) knows ($y$ $7$ $2b$ $6$ $5$ $1$ …). A hash it does not know matches nothing.
[[nodiscard]] bool matches_password(std::string_view password, const std::string& hash);

struct PasswordCheckerOptions {
    std::chrono::seconds remember{300};  // how long a success spares the hashing; 0: not at all
    std::size_t remembered = 10'000;     // successes kept at most
};

/// Logins against the hashes of a directory.
///
/// Timing   An unknown or disabled account costs one hash of the default kind, as a wrong password does. Accounts whose hashes came from
///          elsewhere in another kind may be told apart from unknown ones until their password is set anew.
/// Memory   Clients reconnect all the time, so successes are remembered for a while, in memory only, as HMAC-SHA-256 under a key of this
///          process over login, password and stored hash: a changed password or a disabled account shows at once.
/// Errors   Those of the directory: callers say 454, and nobody is told that his password is wrong.
/// Threads  Any; blocks for the time of a hash, outside of any lock.
class DirectoryPasswordChecker final : public directory::PasswordChecker {
public:
    DirectoryPasswordChecker(directory::Directory& directory, const base::Clock& clock, base::Random& random,
                             PasswordCheckerOptions options = {});
    ~DirectoryPasswordChecker() override;
    base::Result<bool> check(std::string_view login, std::string_view password) override;

private:
    struct Memory;
    directory::Directory& directory_;
    std::string dummy_hash_;
    std::unique_ptr<Memory> memory_;
};

}  // namespace thurn::storage
