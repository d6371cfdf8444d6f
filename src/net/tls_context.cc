#include "net/host_name.h"
#include "net/ocsp_staple.h"
#include "net/pem.h"
#include "net/resumable_sessions.h"
#include "net/tls.h"

#include <algorithm>
#include <array>
#include <map>

#include <fmt/format.h>
#include <openssl/crypto.h>
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

base::Result<void> follow(SSL_CTX* context, const TlsRules& rules) {
    const int floor = rules.floor == TlsRules::Floor::tls13 ? TLS1_3_VERSION : TLS1_2_VERSION;
    const char* const ciphers = rules.ciphers.empty() ? kCiphers : rules.ciphers.c_str();
    if (SSL_CTX_set_min_proto_version(context, floor) != 1 || SSL_CTX_set1_groups_list(context, kGroups) != 1)
        return base::fail(base::ErrorKind::invalid, "cannot set up TLS: " + reason());
    if (SSL_CTX_set_cipher_list(context, ciphers) != 1)
        return base::fail(base::ErrorKind::invalid, fmt::format("ciphers \"{}\": {}", ciphers, reason()));
    if (!rules.ciphersuites.empty() && SSL_CTX_set_ciphersuites(context, rules.ciphersuites.c_str()) != 1)
        return base::fail(base::ErrorKind::invalid, fmt::format("ciphersuites \"{}\": {}", rules.ciphersuites, reason()));
    return {};
}

base::Result<ContextPtr> make_context(const SSL_METHOD* method, const TlsRules& rules) {
    ERR_clear_error();
    ContextPtr context(SSL_CTX_new(method));
    if (!context) return base::fail(base::ErrorKind::full, "cannot set up TLS: " + reason());
    if (auto followed = follow(context.get(), rules); !followed) return base::pass_on(followed);
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

base::Result<void> check_rules(const TlsRules& rules) {
    auto made = make_context(TLS_method(), rules);
    if (!made) return base::pass_on(made);
    return {};
}

/// One SSL_CTX per set of names; an RSA and an ECDSA pair of the same names share one, and OpenSSL offers what the client can use.
/// Invariant: `contexts` is never empty; the first serves names that none matches.
struct TlsContext::Parts {
    ServerTlsOptions options;
    std::vector<ContextPtr> contexts;
    std::map<std::string, SSL_CTX*, std::less<>> by_name;
    std::map<std::vector<std::string>, SSL_CTX*> by_names;
    std::map<const X509*, OcspStaple> staples;  // by the certificate a handshake has chosen
    std::vector<std::string> remarks;
    std::array<unsigned char, 16> nonce{};
    ResumableSessions resumable;

    [[nodiscard]] SSL_CTX* find(std::string_view name) const;
    [[nodiscard]] base::Result<SSL_CTX*> context_for(const std::vector<std::string>& names);
    [[nodiscard]] base::Result<void> add(const CertificateFiles& files);
    void add_staple(const CertificateFiles& files, X509* certificate);
    [[nodiscard]] base::Result<void> trust_clients(SSL_CTX* context) const;
    static int on_server_name(SSL* session, int* alert, void* parts);
    static int on_status_wanted(SSL* session, void* parts);
    static int on_new_session(SSL* session, SSL_SESSION* fresh);
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

// A response that is out of date is worse than none: clients that insist on a good one would turn away.
int TlsContext::Parts::on_status_wanted(SSL* session, void* parts) {
    const auto& staples = static_cast<const Parts*>(parts)->staples;
    const auto found = staples.find(SSL_get_certificate(session));
    if (found == staples.end() || !found->second.current(std::time(nullptr))) return SSL_TLSEXT_ERR_NOACK;
    const std::string& der = found->second.der;
    void* const copy = OPENSSL_memdup(der.data(), der.size());  // OpenSSL frees it
    if (!copy) return SSL_TLSEXT_ERR_NOACK;
    SSL_set_tlsext_status_ocsp_resp(session, copy, static_cast<long>(der.size()));
    return SSL_TLSEXT_ERR_OK;
}

/// TlsSession tells by its application data whom it talks to; without a name nothing is kept.
int TlsContext::Parts::on_new_session(SSL* session, SSL_SESSION* fresh) {
    const auto* const server = static_cast<const std::string*>(SSL_get_app_data(session));
    auto* const parts = static_cast<Parts*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(session)));
    if (!server || server->empty() || SSL_SESSION_is_resumable(fresh) != 1) return 0;
    parts->resumable.keep(*server, SessionPtr(fresh));
    return 1;  // it is ours now
}

void TlsContext::Parts::add_staple(const CertificateFiles& files, X509* certificate) {
    if (files.ocsp_response.empty()) return;
    auto staple = load_ocsp_staple(files.ocsp_response, certificate);
    if (!staple)
        remarks.push_back(staple.error().detail);
    else if (!staple->current(std::time(nullptr)))
        remarks.push_back(files.ocsp_response.string() + ": the OCSP response is out of date");
    else
        staples.insert_or_assign(certificate, *std::move(staple));
}

base::Result<void> TlsContext::Parts::trust_clients(SSL_CTX* context) const {
    const char* const file = options.client_ca.c_str();
    STACK_OF(X509_NAME)* const names = SSL_load_client_CA_file(file);
    if (!names || SSL_CTX_load_verify_file(context, file) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return base::fail(base::ErrorKind::invalid, fmt::format("no certificates of authorities in {}: {}", file, reason()));
    }
    SSL_CTX_set_client_CA_list(context, names);  // takes them
    return {};
}

base::Result<SSL_CTX*> TlsContext::Parts::context_for(const std::vector<std::string>& names) {
    if (const auto same = by_names.find(names); same != by_names.end()) return same->second;
    auto made = make_context(TLS_server_method(), options.rules);
    if (!made) return base::pass_on(made);
    SSL_CTX* const context = made->get();
    if (!options.client_ca.empty()) {
        if (auto trusted = trust_clients(context); !trusted) return base::pass_on(trusted);
    }
    SSL_CTX_set_num_tickets(context, 1);  // two by default; mail servers seldom come back with several connections at once
    SSL_CTX_set_tlsext_servername_callback(context, on_server_name);
    SSL_CTX_set_tlsext_servername_arg(context, this);
    SSL_CTX_set_tlsext_status_cb(context, on_status_wanted);
    SSL_CTX_set_tlsext_status_arg(context, this);
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
    if (auto used = use_pair(*context, files, *chain); !used) return used;
    add_staple(files, chain->front().get());
    return {};
}

TlsContext::TlsContext(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
TlsContext::~TlsContext() = default;

ssl_ctx_st* TlsContext::native() const { return parts_->contexts.front().get(); }
const std::vector<std::string>& TlsContext::remarks() const { return parts_->remarks; }
bool TlsContext::knows_clients() const { return !parts_->options.client_ca.empty(); }
ResumableSessions& TlsContext::resumable() const { return parts_->resumable; }

std::string TlsContext::session_id_context(std::uint16_t scope) const {
    std::string id(reinterpret_cast<const char*>(parts_->nonce.data()), parts_->nonce.size());
    id.push_back(static_cast<char>(scope >> 8U));
    id.push_back(static_cast<char>(scope & 0xffU));
    return id;
}

base::Result<std::shared_ptr<const TlsContext>> TlsContext::for_server(const std::vector<CertificateFiles>& files,
                                                                       const ServerTlsOptions& options) {
    if (files.empty()) return base::fail(base::ErrorKind::invalid, "no certificate is given");
    auto parts = std::make_unique<Parts>();
    parts->options = options;
    if (RAND_bytes(parts->nonce.data(), static_cast<int>(parts->nonce.size())) != 1)
        return base::fail(base::ErrorKind::refused, "no random octets: " + reason());
    for (const auto& pair : files) {
        if (auto added = parts->add(pair); !added) return base::pass_on(added);
    }
    return std::shared_ptr<const TlsContext>(new TlsContext(std::move(parts)));
}

base::Result<std::shared_ptr<const TlsContext>> TlsContext::for_client(Verify verify, const std::filesystem::path& ca_file,
                                                                       const ClientTlsOptions& options) {
    auto made = make_context(TLS_client_method(), options.rules);
    if (!made) return base::pass_on(made);
    SSL_CTX* const context = made->get();
    const bool roots =
        ca_file.empty() ? SSL_CTX_set_default_verify_paths(context) == 1 : SSL_CTX_load_verify_file(context, ca_file.c_str()) == 1;
    if (!roots)
        return base::fail(base::ErrorKind::invalid, fmt::format("no trusted certificates in {}: {}",
                                                                ca_file.empty() ? "the system's store" : ca_file.string(), reason()));
    if (!options.own.certificate.empty()) {
        auto chain = load_certificates(options.own.certificate);
        if (!chain) return base::pass_on(chain);
        if (auto used = use_pair(context, options.own, *chain); !used) return base::pass_on(used);
    }
    SSL_CTX_set_verify(context, verify == Verify::yes ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
    // Who would fall back to clear text anyway is better off with a weak key or signature (RFC 7435 §3).
    if (verify == Verify::no) SSL_CTX_set_security_level(context, 1);
    auto parts = std::make_unique<Parts>();
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, Parts::on_new_session);
    SSL_CTX_set_app_data(context, parts.get());
    parts->contexts.push_back(*std::move(made));
    return std::shared_ptr<const TlsContext>(new TlsContext(std::move(parts)));
}

}  // namespace thurn::net
