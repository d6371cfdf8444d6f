#include "net/pem.h"

#include "net/host_name.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

namespace thurn::net {

namespace {

constexpr std::size_t kMostOctets = 1U << 20U;

using NamesPtr = std::unique_ptr<GENERAL_NAMES, FreeWith<GENERAL_NAMES_free>>;
using BioPtr = std::unique_ptr<BIO, FreeWith<BIO_free>>;

BioPtr over(const std::string& octets) { return BioPtr(BIO_new_mem_buf(octets.data(), static_cast<int>(octets.size()))); }

/// OpenSSL's own would ask on the terminal.
int no_passphrase(char*, int, int, void*) { return -1; }

std::unexpected<base::Error> cannot_read(const std::filesystem::path& path, int system_error) {
    const auto kind = system_error == ENOENT || system_error == ENOTDIR ? base::ErrorKind::not_found
                      : system_error == EACCES || system_error == EPERM ? base::ErrorKind::refused
                                                                        : base::ErrorKind::disk;
    return base::fail(kind, fmt::format("cannot read {}: {}", path.string(), std::generic_category().message(system_error)));
}

base::Result<std::string> read_all(int descriptor, const std::filesystem::path& path) {
    std::string octets;
    char block[16384];
    while (true) {
        const ssize_t got = ::read(descriptor, block, sizeof block);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return cannot_read(path, errno);
        if (got == 0) return octets;
        octets.append(block, static_cast<std::size_t>(got));
        if (octets.size() > kMostOctets) return base::fail(base::ErrorKind::too_long, fmt::format("{} is over 1 MiB", path.string()));
    }
}

std::string text_of(const ASN1_STRING* text) {
    return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)), static_cast<std::size_t>(ASN1_STRING_length(text))};
}

void add_name(std::vector<std::string>& names, const std::string& name) {
    const std::string_view host = name.starts_with("*.") ? std::string_view(name).substr(2) : std::string_view(name);
    if (is_host_name(host)) names.push_back(to_lower(name));
}

void add_common_name(std::vector<std::string>& names, X509* certificate) {
    const X509_NAME* const subject = X509_get_subject_name(certificate);
    const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (at >= 0) add_name(names, text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at))));
}

}  // namespace

base::Result<std::string> load_small_file(const std::filesystem::path& path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // a FIFO must not hold us up
    if (descriptor < 0) return cannot_read(path, errno);
    auto octets = read_all(descriptor, path);
    ::close(descriptor);
    return octets;
}

base::Result<std::vector<X509Ptr>> load_certificates(const std::filesystem::path& path) {
    auto octets = load_small_file(path);
    if (!octets) return base::pass_on(octets);
    const BioPtr bio = over(*octets);
    std::vector<X509Ptr> chain;
    while (X509* const certificate = PEM_read_bio_X509(bio.get(), nullptr, no_passphrase, nullptr)) chain.emplace_back(certificate);
    const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    if (!at_end) return base::fail(base::ErrorKind::invalid, fmt::format("{} holds a damaged PEM certificate", path.string()));
    if (chain.empty()) return base::fail(base::ErrorKind::invalid, fmt::format("{} holds no PEM certificate", path.string()));
    return chain;
}

base::Result<KeyPtr> load_private_key(const std::filesystem::path& path) {
    auto octets = load_small_file(path);
    if (!octets) return base::pass_on(octets);
    KeyPtr key(PEM_read_bio_PrivateKey(over(*octets).get(), nullptr, no_passphrase, nullptr));
    OPENSSL_cleanse(octets->data(), octets->size());
    ERR_clear_error();
    if (!key)
        return base::fail(base::ErrorKind::invalid,
                          fmt::format("{} holds no PEM private key that can be read without a passphrase", path.string()));
    return key;
}

std::vector<std::string> names_of(X509* certificate) {
    std::vector<std::string> names;
    const NamesPtr alternatives(static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
    if (!alternatives) {
        add_common_name(names, certificate);
        return names;
    }
    for (int at = 0; at < sk_GENERAL_NAME_num(alternatives.get()); ++at) {
        const GENERAL_NAME* const name = sk_GENERAL_NAME_value(alternatives.get(), at);
        if (name->type == GEN_DNS) add_name(names, text_of(name->d.dNSName));
    }
    return names;
}

std::vector<std::string> mailboxes_of(X509* certificate) {
    std::vector<std::string> mailboxes;
    const NamesPtr alternatives(static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
    for (int at = 0; at < sk_GENERAL_NAME_num(alternatives.get()); ++at) {
        const GENERAL_NAME* const name = sk_GENERAL_NAME_value(alternatives.get(), at);
        if (name->type != GEN_EMAIL) continue;
        auto mailbox = text_of(name->d.rfc822Name);
        const bool plain = std::ranges::all_of(mailbox, [](unsigned char c) { return c > 32 && c < 127; });
        if (plain && !mailbox.empty()) mailboxes.push_back(std::move(mailbox));
    }
    return mailboxes;
}

}  // namespace thurn::net
