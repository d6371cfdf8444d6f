#pragma once

#include "base/result.h"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <openssl/evp.h>
#include <openssl/x509.h>

namespace thurn::net {

template <auto Free>
struct FreeWith {
    template <class T>
    void operator()(T* object) const {
        Free(object);
    }
};
using X509Ptr = std::unique_ptr<X509, FreeWith<X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;

/// Errors   `not_found`, `refused`, `disk`, `too_long` (over 1 MiB); names the file.
[[nodiscard]] base::Result<std::string> load_small_file(const std::filesystem::path& path);
/// Leaf first.
/// Errors  As above; `invalid`: no PEM certificate in it.
[[nodiscard]] base::Result<std::vector<X509Ptr>> load_certificates(const std::filesystem::path& path);
/// Errors   As above; `invalid`: no PEM key, or one that needs a passphrase.
[[nodiscard]] base::Result<KeyPtr> load_private_key(const std::filesystem::path& path);

/// DNS names of a certificate, lower case, perhaps with a first label `*`: its subjectAltNames, or the common name if it has none (RFC 6125
/// §6.4.4). Names with a NUL or other octets no host name has are left out (CVE-2009-4565).
[[nodiscard]] std::vector<std::string> names_of(X509* certificate);
/// Its rfc822Names (RFC 5280 §4.2.1.6) as they stand, without those that hold a NUL or are not ASCII.
[[nodiscard]] std::vector<std::string> mailboxes_of(X509* certificate);

}  // namespace thurn::net
