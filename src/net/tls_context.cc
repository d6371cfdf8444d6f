#include "net/host_name.h"
#include "net/pem.h"
#include "net/tls.h"

#include <algorithm>
#include <array>
#include <map>

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

namespace thurn::net {

namespace {

using ContextPtr = std::unique_ptr<SSL_CTX, FreeWith<SSL_CTX_free>>;

// RFC 9325 §4.2, plus ECDHE with CBC: peers of 2012's age have nothing better with an RSA certificate, and the alternative on port 25 is
// clear text.
constexpr const char* kCiphers = "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES:!aNULL:!eNULL:!PSK:!SRP";
constexpr const char* kGroups = "X25519:P-256:P-384";

std::string reason() {
    const char* text = ERR_reason_error_string(ERR_peek_last_error());
    ERR_clear_error();
    return text ? text : "unknown reason";
}

base::Result<ContextPtr> make_context(const SSL_METHOD* method) {
    ERR_clear_error();
    ContextPtr context(SSL_CTX_new(method));
    const bool set = context && SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) == 1 &&
                     SSL_CTX_set_cipher_list(context.get(), kCiphers) == 1 && SSL_CTX_set1_groups_list(context.get(), kGroups) == 1;
    if (!set) return base::fail(base::ErrorKind::invalid, "cannot set up TLS: " + reason());
    SSL_CTX_set_options(context.get(),
                        SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);  // tickets resume; a cache would hold 20,000 sessions
    SSL_CTX_set_read_ahead(context.get(), 1);                           // one read a record instead of two
    return context;
}

base::Result<void> use_pair(SSL_CTX* context, const CertificateFiles& files, const std::vector<X509Ptr>& chain) {
    auto key = load_private_key(files.private_key);
    if (!key) return base::pass_on(key);
    ERR_clear_error();
    const bool used = SSL_CTX_use_certificate(context, chain.front().get()) == 1 && SSL_CTX_use_PrivateKey(context, key->get()) == 1 &&
                      SSL_CTX_check_private_key(context) == 1 && SSL_CTX_clear_chain_certs(context) == 1 &&
                      std::all_of(chain.begin() + 1, chain.end(),
                                  [context](const X509Ptr& issuer) { return SSL_CTX_add1_chain_cert(context, issuer.get()) == 1; });
    if (used) return {};
    return base::fail(base::ErrorKind::invalid, fmt::format("certificate {} and key {} do not work together: {}",
                                                            files.certificate.string(), files.private_key.string(), reason()));
}

/// `mx.example.com` → `*.example.com`; a wildcard covers one label (RFC 6125 §6.4.3).
std::string wildcard_of(std::string_view name) {
    const std::size_t dot = name.find('.');
    return dot == std::string_view::npos ? std::string() : "*" + std::string(name.substr(dot));
}

}  // namespace

/// One SSL_CTX per set of names; an RSA and an ECDSA pair of the same names share one, and OpenSSL offers what the client can use.
/// Invariant: `contexts` is never empty; the first serves names that none matches.
struct TlsContext::Parts {
    std::vector<ContextPtr> contexts;
    std::map<std::string, SSL_CTX*, std::less<>> by_name;
    std::map<std::vector<std::string>, SSL_CTX*> by_names;
    std::array<unsigned char, 16> nonce{};

    [[nodiscard]] SSL_CTX* find(std::string_view name) const;
    [[nodiscard]] base::Result<SSL_CTX*> context_for(const std::vector<std::string>& names);
    [[nodiscard]] base::Result<void> add(const CertificateFiles& files);
    static int on_server_name(SSL* session, int* alert, void* parts);
};

SSL_CTX* TlsContext::Parts::find(std::string_view name) const {
    if (!is_host_name(name)) return nullptr;
    const std::string wanted = to_lower(name);
    if (const auto exact = by_name.find(wanted); exact != by_name.end()) return exact->second;
    const auto wild = by_name.find(wildcard_of(wanted));
    return wild == by_name.end() ? nullptr : wild->second;
}

// Any name is served, by the first pair if by no other: a sender that verifies finds out, one that does not is better off encrypted.
int TlsContext::Parts::on_server_name(SSL* session, int*, void* parts) {
    const char* const name = SSL_get_servername(session, TLSEXT_NAMETYPE_host_name);
    if (!name) return SSL_TLSEXT_ERR_NOACK;
    if (SSL_CTX* const context = static_cast<const Parts*>(parts)->find(name)) SSL_set_SSL_CTX(session, context);
    return SSL_TLSEXT_ERR_OK;
}

base::Result<SSL_CTX*> TlsContext::Parts::context_for(const std::vector<std::string>& names) {
    if (const auto same = by_names.find(names); same != by_names.end()) return same->second;
    auto made = make_context(TLS_server_method());
    if (!made) return base::pass_on(made);
    SSL_CTX* const context = made->get();
    SSL_CTX_set_num_tickets(context, 1);  // two by default; mail servers seldom come back with several connections at once
    SSL_CTX_set_tlsext_servername_callback(context, on_server_name);
    SSL_CTX_set_tlsext_servername_arg(context, this);
    contexts.push_back(*std::move(made));
    by_names.emplace(names, context);
    for (const auto& name : names) by_name.emplace(name, context);
    return context;
}

base::Result<void> TlsContext::Parts::add(const CertificateFiles& files) {
    auto chain = load_certificates(files.certificate);
    if (!chain) return base::pass_on(chain);
    auto names = names_of(chain->front().get());
    std::ranges::sort(names);
    auto context = context_for(names);
    if (!context) return base::pass_on(context);
    return use_pair(*context, files, *chain);
}

TlsContext::TlsContext(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
TlsContext::~TlsContext() = default;

ssl_ctx_st* TlsContext::native() const { return parts_->contexts.front().get(); }

std::string TlsContext::session_id_context(std::uint16_t scope) const {
    std::string id(reinterpret_cast<const char*>(parts_->nonce.data()), parts_->nonce.size());
    id.push_back(static_cast<char>(scope >> 8U));
    id.push_back(static_cast<char>(scope & 0xffU));
    return id;
}

base::Result<std::shared_ptr<const TlsContext>> TlsContext::for_server(const std::vector<CertificateFiles>& files) {
    if (files.empty()) return base::fail(base::ErrorKind::invalid, "no certificate is given");
    auto parts = std::make_unique<Parts>();
    if (RAND_bytes(parts->nonce.data(), static_cast<int>(parts->nonce.size())) != 1)
        return base::fail(base::ErrorKind::refused, "no random octets: " + reason());
    for (const auto& pair : files) {
        if (auto added = parts->add(pair); !added) return base::pass_on(added);
    }
    return std::shared_ptr<const TlsContext>(new TlsContext(std::move(parts)));
}

base::Result<std::shared_ptr<const TlsContext>> TlsContext::for_client(Verify verify, const std::filesystem::path& ca_file) {
    auto context = make_context(TLS_client_method());
    if (!context) return base::pass_on(context);
    const bool roots = ca_file.empty() ? SSL_CTX_set_default_verify_paths(context->get()) == 1
                                       : SSL_CTX_load_verify_file(context->get(), ca_file.c_str()) == 1;
    if (!roots)
        return base::fail(base::ErrorKind::invalid, fmt::format("no trusted certificates in {}: {}",
                                                                ca_file.empty() ? "the system's store" : ca_file.string(), reason()));
    SSL_CTX_set_verify(context->get(), verify == Verify::yes ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
    // Who would fall back to clear text anyway is better off with a weak key or signature (RFC 7435 §3).
    if (verify == Verify::no) SSL_CTX_set_security_level(context->get(), 1);
    auto parts = std::make_unique<Parts>();
    parts->contexts.push_back(*std::move(context));
    return std::shared_ptr<const TlsContext>(new TlsContext(std::move(parts)));
}

}  // namespace thurn::net
