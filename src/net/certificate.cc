#include "net/host_name.h"
#include "net/pem.h"
#include "net/tls.h"

#include <cerrno>
#include <ctime>
#include <system_error>

#include <boost/asio/ip/address.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <unistd.h>

namespace thurn::net {

namespace {

namespace fs = std::filesystem;

constexpr long kTenYears = 10L * 365 * 24 * 3600;
constexpr std::size_t kLongestCommonName = 64;  // RFC 5280 appendix A.1, ub-common-name

std::unexpected<base::Error> cannot_write(const fs::path& path, int system_error) {
    const auto kind = system_error == EACCES || system_error == EPERM || system_error == ENOENT || system_error == EROFS
                          ? base::ErrorKind::refused
                          : base::ErrorKind::disk;
    return base::fail(kind, fmt::format("cannot write {}: {}", path.string(), std::generic_category().message(system_error)));
}

bool write_all(int descriptor, std::string_view octets) {
    while (!octets.empty()) {
        const ssize_t written = ::write(descriptor, octets.data(), octets.size());
        if (written < 0 && errno != EINTR) return false;
        if (written > 0) octets.remove_prefix(static_cast<std::size_t>(written));
    }
    return ::fsync(descriptor) == 0;
}

void sync_folder_of(const fs::path& path) {
    const int folder = ::open(path.has_parent_path() ? path.parent_path().c_str() : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return;
    ::fsync(folder);
    ::close(folder);
}

/// Whole or not at all; an existing file is never touched. The mode is right from the first moment on.
base::Result<void> write_new_file(const fs::path& path, std::string_view octets, mode_t mode) {
    const fs::path temporary = fmt::format("{}.new-{}", path.string(), ::getpid());
    ::unlink(temporary.c_str());  // of a crashed run with our number
    const int descriptor = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (descriptor < 0) return cannot_write(path, errno);
    const bool written = write_all(descriptor, octets);
    const int write_error = errno;
    ::close(descriptor);
    const bool placed = written && ::link(temporary.c_str(), path.c_str()) == 0;  // rename() would replace an existing file
    const int place_error = written ? errno : write_error;
    ::unlink(temporary.c_str());
    if (!placed) return cannot_write(path, place_error);
    sync_folder_of(path);
    return {};
}

template <class Object, class Write>
std::string render_pem(Object* object, Write write) {
    const std::unique_ptr<BIO, FreeWith<BIO_free>> bio(BIO_new(BIO_s_mem()));
    if (!bio || write(bio.get(), object) != 1) return {};
    char* octets = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &octets);
    return {octets, static_cast<std::size_t>(size)};
}

std::string render_key(EVP_PKEY* key) {
    return render_pem(
        key, [](BIO* bio, EVP_PKEY* object) { return PEM_write_bio_PKCS8PrivateKey(bio, object, nullptr, nullptr, 0, nullptr, nullptr); });
}

std::string render_certificate(X509* certificate) {
    return render_pem(certificate, [](BIO* bio, X509* object) { return PEM_write_bio_X509(bio, object); });
}

bool is_address(const std::string& name) {
    boost::system::error_code ec;
    boost::asio::ip::make_address(name, ec);
    return !ec;
}

bool add_extension(X509* certificate, int nid, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
    const std::unique_ptr<X509_EXTENSION, FreeWith<X509_EXTENSION_free>> extension(
        X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
    return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool set_names(X509* certificate, const std::string& hostname) {
    X509_NAME* const subject = X509_get_subject_name(certificate);
    const std::string common = hostname.substr(0, hostname.size() <= kLongestCommonName ? hostname.size() : 0);
    const auto* const octets = reinterpret_cast<const unsigned char*>(common.data());
    const bool named = common.empty() || X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8, octets,
                                                                    static_cast<int>(common.size()), -1, 0) == 1;
    return named && X509_set_issuer_name(certificate, subject) == 1 &&
           add_extension(certificate, NID_subject_alt_name, (is_address(hostname) ? "IP:" : "DNS:") + hostname);
}

bool set_serial(X509* certificate) {
    std::uint64_t serial = 0;
    if (RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial) != 1) return false;
    return ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), (serial >> 1U) | 1U) == 1;  // RFC 5280 §4.1.2.2: positive
}

X509Ptr make_certificate(EVP_PKEY* key, const std::string& hostname) {
    X509Ptr certificate(X509_new());
    const bool made =
        certificate && X509_set_version(certificate.get(), X509_VERSION_3) == 1 && set_serial(certificate.get()) &&
        X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600) &&
        X509_gmtime_adj(X509_getm_notAfter(certificate.get()), kTenYears) && X509_set_pubkey(certificate.get(), key) == 1 &&
        set_names(certificate.get(), hostname) && add_extension(certificate.get(), NID_basic_constraints, "critical,CA:FALSE") &&
        add_extension(certificate.get(), NID_ext_key_usage, "serverAuth") && X509_sign(certificate.get(), key, EVP_sha256()) > 0;
    if (!made) certificate.reset();
    ERR_clear_error();
    return certificate;
}

/// A key without a certificate is what a crash between the two leaves; it is used.
base::Result<KeyPtr> load_or_make_key(const fs::path& path) {
    if (auto existing = load_private_key(path); existing || existing.error().kind != base::ErrorKind::not_found) return existing;
    KeyPtr key(EVP_EC_gen("P-256"));
    if (!key) return base::fail(base::ErrorKind::refused, "cannot make a key");
    if (auto written = write_new_file(path, render_key(key.get()), 0600); !written) return base::pass_on(written);
    return key;
}

std::string render_time(const ASN1_TIME* time) {
    std::tm parts{};
    if (ASN1_TIME_to_tm(time, &parts) != 1) return "unknown";
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour,
                       parts.tm_min, parts.tm_sec);
}

}  // namespace

base::Result<void> make_self_signed(const CertificateFiles& files, const std::string& hostname) {
    const std::string_view host = hostname.starts_with("*.") ? std::string_view(hostname).substr(2) : std::string_view(hostname);
    if (!is_host_name(host) && !is_address(hostname)) return base::fail(base::ErrorKind::invalid, "a certificate needs a host name");
    std::error_code ec;
    if (fs::exists(files.certificate, ec)) {
        if (fs::exists(files.private_key, ec)) return {};
        return base::fail(base::ErrorKind::not_found,
                          fmt::format("{} exists, but its key {} does not", files.certificate.string(), files.private_key.string()));
    }
    auto key = load_or_make_key(files.private_key);
    if (!key) return base::pass_on(key);
    const X509Ptr certificate = make_certificate(key->get(), hostname);
    if (!certificate) return base::fail(base::ErrorKind::invalid, "cannot make a certificate for " + hostname);
    return write_new_file(files.certificate, render_certificate(certificate.get()), 0644);
}

base::Result<CertificateFacts> inspect_certificate(const fs::path& path) {
    auto chain = load_certificates(path);
    if (!chain) return base::pass_on(chain);
    X509* const leaf = chain->front().get();
    CertificateFacts facts;
    facts.names = names_of(leaf);
    facts.not_after = render_time(X509_get0_notAfter(leaf));
    int days = 0;
    int seconds = 0;
    if (ASN1_TIME_diff(&days, &seconds, nullptr, X509_get0_notAfter(leaf)) == 1) facts.days_left = days;
    facts.self_signed = X509_self_signed(leaf, 0) == 1;
    ERR_clear_error();
    return facts;
}

}  // namespace thurn::net
