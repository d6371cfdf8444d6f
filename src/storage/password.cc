#include "storage/password.h"

#include "base/guarded.h"

#include <array>
#include <cstring>
#include <deque>
#include <unordered_map>

#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

namespace thurn::storage {
namespace {

using base::ErrorKind;
using base::Result;

constexpr const char* kMethod = "$y$";
static_assert(kMaxPasswordOctets == CRYPT_MAX_PASSPHRASE_SIZE - 1);

/// crypt(3) for one password and setting; empty when the setting is of no known kind.
std::string crypt_with(std::string_view password, const std::string& setting) {
    std::string phrase(password);
    const auto work = std::make_unique<crypt_data>();  // 32 KiB: too much for a stack that is a coroutine's or a pool's
    const char* hashed = ::crypt_rn(phrase.c_str(), setting.c_str(), work.get(), sizeof(crypt_data));
    std::string result = hashed == nullptr ? std::string() : std::string(hashed);
    OPENSSL_cleanse(work.get(), sizeof(crypt_data));
    OPENSSL_cleanse(phrase.data(), phrase.size());
    return result;
}

bool is_usable(std::string_view password) {
    return !password.empty() && password.size() <= kMaxPasswordOctets && password.find('\0') == std::string_view::npos;
}

bool equal_in_constant_time(const std::string& a, const std::string& b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

Result<std::string> hash_password(std::string_view password) {
    if (password.empty()) return base::fail(ErrorKind::invalid, "the password is empty");
    if (password.size() > kMaxPasswordOctets)
        return base::fail(ErrorKind::invalid, "the password is longer than " + std::to_string(kMaxPasswordOctets) + " octets");
    if (!is_usable(password)) return base::fail(ErrorKind::invalid, "the password holds a NUL");
    std::array<char, CRYPT_GENSALT_OUTPUT_SIZE> setting{};
    if (::crypt_gensalt_rn(kMethod, 0, nullptr, 0, setting.data(), static_cast<int>(setting.size())) == nullptr)
        return base::fail(ErrorKind::refused, std::string("the system makes no salt for yescrypt: ") + std::strerror(errno));
    std::string hash = crypt_with(password, setting.data());
    if (hash.empty()) return base::fail(ErrorKind::refused, "the system's crypt has no yescrypt");
    return hash;
}

Result<std::string> make_salt() {
    std::string salt(sasl::kSaltOctets, '\0');
    if (RAND_bytes(reinterpret_cast<unsigned char*>(salt.data()), static_cast<int>(salt.size())) != 1)
        return base::fail(ErrorKind::refused, "the system has no randomness for a salt");
    return salt;
}

bool matches_password(std::string_view password, const std::string& hash) {
    if (!is_usable(password) || hash.empty()) return false;
    const std::string computed = crypt_with(password, hash);
    return !computed.empty() && equal_in_constant_time(computed, hash);
}

/// Successes not long ago, oldest first out.
struct DirectoryPasswordChecker::Memory {
    using Key = std::array<unsigned char, 32>;
    struct Hasher {
        std::size_t operator()(const Key& key) const {  // the key is a MAC: any part of it is as good as a hash
            std::size_t part = 0;
            std::memcpy(&part, key.data(), sizeof part);
            return part;
        }
    };
    struct Successes {
        std::unordered_map<Key, base::Time, Hasher> until;
        std::deque<Key> order;
    };

    Memory(const base::Clock& given_clock, base::Random& random, PasswordCheckerOptions given) : clock(given_clock), options(given) {
        for (auto& word : secret) word = random.next();
    }

    Key key_of(std::string_view login, std::string_view password, std::string_view hash) const {
        std::string input;
        for (const std::string_view part : {login, password, hash}) {  // with lengths: no two triples read the same
            input += std::to_string(part.size()) + ':';
            input += part;
        }
        Key key{};
        unsigned int size = 0;
        const auto* octets = reinterpret_cast<const unsigned char*>(input.data());
        HMAC(EVP_sha256(), secret.data(), static_cast<int>(sizeof secret), octets, input.size(), key.data(), &size);
        OPENSSL_cleanse(input.data(), input.size());
        return key;
    }

    bool remembers(const Key& key) {
        const auto now = clock.now();
        return successes.with([&](Successes& held) {
            const auto found = held.until.find(key);
            return found != held.until.end() && now < found->second;
        });
    }

    void remember(const Key& key) {
        if (options.remembered == 0 || options.remember.count() == 0) return;
        const auto until = clock.now() + options.remember;
        successes.with([&](Successes& held) {
            if (!held.until.insert_or_assign(key, until).second) return;
            held.order.push_back(key);
            while (held.order.size() > options.remembered) {
                held.until.erase(held.order.front());
                held.order.pop_front();
            }
        });
    }

    const base::Clock& clock;
    const PasswordCheckerOptions options;
    std::array<std::uint64_t, 4> secret{};
    base::Guarded<Successes> successes;
};

DirectoryPasswordChecker::DirectoryPasswordChecker(directory::Directory& directory, const base::Clock& clock, base::Random& random,
                                                   PasswordCheckerOptions options)
    : directory_(directory), memory_(std::make_unique<Memory>(clock, random, options)) {
    // Of a password nobody has; where even this fails, so does every hash of ours, and there is nothing to hide.
    dummy_hash_ = hash_password("nobody-" + std::to_string(random.next())).value_or("");
}

DirectoryPasswordChecker::~DirectoryPasswordChecker() = default;

Result<bool> DirectoryPasswordChecker::check(std::string_view login, std::string_view password) {
    if (!is_usable(password)) return false;  // says nothing about the login: all are refused alike
    auto account = directory_.find_account(login);
    if (!account) return base::pass_on(account);
    if (!*account || !(*account)->enabled) {
        static_cast<void>(matches_password(password, dummy_hash_));
        return false;
    }
    const auto key = memory_->key_of(login, password, (*account)->password_hash);
    if (memory_->remembers(key)) return true;
    if (!matches_password(password, (*account)->password_hash)) return false;
    memory_->remember(key);
    return true;
}

}  // namespace thurn::storage
