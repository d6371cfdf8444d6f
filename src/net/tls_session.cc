// OpenSSL works on the descriptor through a BIO of ours. The stock socket BIO writes with write(2), which raises SIGPIPE when the peer is
// gone; ours sends with MSG_NOSIGNAL. asio's ssl::stream is avoided: it keeps four buffers of 17 KiB per connection, here an idle
// connection keeps none.
#include "net/tls_session.h"

#include "net/host_name.h"
#include "net/pem.h"
#include "net/resumable_sessions.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

namespace thurn::net {

namespace {

constexpr std::size_t kRecord = 16384;  // RFC 8446 §5.1

int descriptor_of(BIO* bio) { return static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio))); }

bool would_block() { return errno == EAGAIN || errno == EINTR; }

int bio_write(BIO* bio, const char* octets, int size) {
    BIO_clear_retry_flags(bio);
    const ssize_t sent = ::send(descriptor_of(bio), octets, static_cast<std::size_t>(size), MSG_NOSIGNAL);
    if (sent < 0 && would_block()) BIO_set_retry_write(bio);
    return static_cast<int>(sent);
}

int bio_read(BIO* bio, char* into, int size) {
    BIO_clear_retry_flags(bio);
    const ssize_t got = ::recv(descriptor_of(bio), into, static_cast<std::size_t>(size), 0);
    if (got < 0 && would_block()) BIO_set_retry_read(bio);
    return static_cast<int>(got);
}

long bio_control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

/// An immutable table of functions, as OpenSSL wants it; made once because it takes one of 127 type numbers.
const BIO_METHOD* descriptor_method() {
    static const BIO_METHOD* const method = [] {
        BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "descriptor without SIGPIPE");
        BIO_meth_set_write(made, bio_write);
        BIO_meth_set_read(made, bio_read);
        BIO_meth_set_ctrl(made, bio_control);
        return made;
    }();
    return method;
}

bool attach(SSL* session, int descriptor) {
    BIO* bio = BIO_new(descriptor_method());
    if (!bio) return false;
    BIO_set_data(bio, reinterpret_cast<void*>(static_cast<std::intptr_t>(descriptor)));
    BIO_set_init(bio, 1);
    SSL_set_bio(session, bio, bio);
    return true;
}

/// OpenSSL's constant reason; nothing the peer chose.
std::string reason() {
    const unsigned long code = ERR_peek_error();
    const char* text = ERR_reason_error_string(code);
    return text ? text : "protocol error";
}

/// Empty where there is no certificate, or no single hash in its signature (Ed25519), for which RFC 5929 §4.1 defines nothing.
std::string hash_of_certificate(X509* certificate) {
    int hash = NID_undef;
    if (!certificate || X509_get_signature_info(certificate, &hash, nullptr, nullptr, nullptr) != 1) return {};
    if (hash == NID_md5 || hash == NID_sha1) hash = NID_sha256;  // RFC 5929 §4.1
    const EVP_MD* const function = hash == NID_undef ? nullptr : EVP_get_digestbynid(hash);
    std::array<unsigned char, EVP_MAX_MD_SIZE> octets{};
    unsigned count = 0;
    if (!function || X509_digest(certificate, function, octets.data(), &count) != 1) return {};
    return {reinterpret_cast<const char*>(octets.data()), count};
}

base::Result<void> expect_name(SSL* session, std::string name) {
    if (name.ends_with('.')) name.pop_back();
    if (name.empty()) {
        if (SSL_get_verify_mode(session) == SSL_VERIFY_NONE) return {};
        return base::fail(base::ErrorKind::invalid, "TLS: no name to verify the certificate against");
    }
    X509_VERIFY_PARAM* const wanted = SSL_get0_param(session);
    if (X509_VERIFY_PARAM_set1_ip_asc(wanted, name.c_str()) == 1) return {};  // RFC 6066 §3: no literal in SNI
    ERR_clear_error();
    SSL_set_hostflags(session, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    const bool set =
        is_host_name(name) && SSL_set1_host(session, name.c_str()) == 1 && SSL_set_tlsext_host_name(session, name.c_str()) == 1;
    if (!set) return base::fail(base::ErrorKind::invalid, "TLS: not a host name to connect to");
    return {};
}

}  // namespace

base::Result<std::unique_ptr<TlsSession>> TlsSession::for_server(std::shared_ptr<const TlsContext> context, int descriptor,
                                                                 std::uint16_t scope, ClientCertificate client) {
    ERR_clear_error();
    SSL* const made = SSL_new(context->native());
    std::unique_ptr<TlsSession> session(new TlsSession(std::move(context), made));
    const std::string id = session->context_->session_id_context(scope);
    const bool ready =
        made && attach(made, descriptor) &&
        SSL_set_session_id_context(made, reinterpret_cast<const unsigned char*>(id.data()), static_cast<unsigned>(id.size())) == 1;
    if (!ready) return base::fail(base::ErrorKind::full, "TLS: no memory for a session");
    // A stranger's certificate is no reason to turn a client away, only none to believe it: the verdict is read after the handshake.
    if (client == ClientCertificate::wanted && session->context_->knows_clients())
        SSL_set_verify(made, SSL_VERIFY_PEER, [](int, X509_STORE_CTX*) { return 1; });
    SSL_set_accept_state(made);
    return session;
}

base::Result<std::unique_ptr<TlsSession>> TlsSession::for_client(std::shared_ptr<const TlsContext> context, int descriptor,
                                                                 std::string name, std::uint16_t port) {
    ERR_clear_error();
    SSL* const made = SSL_new(context->native());
    std::unique_ptr<TlsSession> session(new TlsSession(std::move(context), made));
    if (!made || !attach(made, descriptor)) return base::fail(base::ErrorKind::full, "TLS: no memory for a session");
    session->named_ = !name.empty();
    if (session->named_) session->server_ = fmt::format("{}:{}", to_lower(name), port);
    if (auto named = expect_name(made, std::move(name)); !named) return base::pass_on(named);
    SSL_set_app_data(made, &session->server_);
    if (const auto earlier = session->context_->resumable().take(session->server_)) SSL_set_session(made, earlier.get());
    SSL_set_connect_state(made);
    return session;
}

TlsSession::~TlsSession() { SSL_free(session_); }

Step TlsSession::outcome(int result, std::size_t count) {
    if (result > 0) return Step::done(count);
    const int system_error = errno;
    switch (SSL_get_error(session_, result)) {
        case SSL_ERROR_WANT_READ:
            return Step::wait_for(Step::Kind::want_read);
        case SSL_ERROR_WANT_WRITE:
            return Step::wait_for(Step::Kind::want_write);
        case SSL_ERROR_ZERO_RETURN:
            return Step::fail(base::ErrorKind::peer_gone, "peer ended TLS");
        case SSL_ERROR_SYSCALL:
            broken_ = true;
            return Step::fail(base::ErrorKind::peer_gone, result == 0 || system_error == 0 ? "peer closed the connection"
                                                                                           : std::generic_category().message(system_error));
        default:
            break;
    }
    broken_ = true;
    const long verdict = SSL_get_verify_result(session_);
    if (!established_ && SSL_get_verify_mode(session_) != SSL_VERIFY_NONE && verdict != X509_V_OK) {
        return Step::fail(base::ErrorKind::refused, std::string("TLS: certificate not trusted: ") + X509_verify_cert_error_string(verdict));
    }
    return Step::fail(base::ErrorKind::peer_gone, "TLS: " + reason());
}

Step TlsSession::shake_hands() {
    ERR_clear_error();
    errno = 0;
    const Step step = outcome(SSL_do_handshake(session_), 0);
    established_ = step.kind == Step::Kind::done;
    return step;
}

Step TlsSession::read(std::span<char> into) {
    ERR_clear_error();
    errno = 0;
    std::size_t count = 0;
    const int result = SSL_read_ex(session_, into.data(), into.size(), &count);
    return outcome(result, count);
}

Step TlsSession::peek() {
    ERR_clear_error();
    errno = 0;
    char octet = 0;
    std::size_t count = 0;
    const int result = SSL_peek_ex(session_, &octet, 1, &count);
    return outcome(result, 0);
}

Step TlsSession::write(const Pieces& pieces) {
    ERR_clear_error();
    errno = 0;
    std::array<char, kRecord> scratch;  // not initialised: 16 KiB of zeroes per write would cost more than the write
    const std::string_view octets = pieces.coalesce(scratch);
    std::size_t count = 0;
    const int result = SSL_write_ex(session_, octets.data(), octets.size(), &count);
    return outcome(result, count);
}

bool TlsSession::holds_input() const { return SSL_has_pending(session_) == 1; }

void TlsSession::say_goodbye() {
    if (!established_ || broken_) return;
    ERR_clear_error();
    SSL_shutdown(session_);
    broken_ = true;
}

TlsFacts TlsSession::facts() const {
    TlsFacts facts;
    facts.version = SSL_get_version(session_);
    const SSL_CIPHER* const cipher = SSL_get_current_cipher(session_);
    if (cipher) {
        facts.cipher = SSL_CIPHER_get_name(cipher);
        facts.bits = static_cast<unsigned>(SSL_CIPHER_get_bits(cipher, nullptr));
    }
    if (const char* name = SSL_get_servername(session_, TLSEXT_NAMETYPE_host_name); name && is_host_name(name))
        facts.server_name = to_lower(name);
    X509* const certificate = SSL_get0_peer_certificate(session_);
    const bool trusted = certificate && SSL_get_verify_result(session_) == X509_V_OK;
    facts.verified = trusted && (named_ || SSL_is_server(session_) == 1);  // a client is asked for no name
    facts.resumed = SSL_session_reused(session_) == 1;
    if (trusted && SSL_is_server(session_)) facts.client_mailboxes = mailboxes_of(certificate);
    return facts;
}

TlsBindings TlsSession::bindings() const {
    TlsBindings bindings;
    if (!established_ || SSL_version(session_) != TLS1_3_VERSION) return bindings;
    constexpr std::string_view kLabel = "EXPORTER-Channel-Binding";  // RFC 9266 §4.2
    std::array<unsigned char, 32> exported{};
    ERR_clear_error();
    if (SSL_export_keying_material(session_, exported.data(), exported.size(), kLabel.data(), kLabel.size(), nullptr, 0, 1) == 1)
        bindings.exporter.assign(reinterpret_cast<const char*>(exported.data()), exported.size());
    if (!SSL_is_server(session_))
        bindings.server_end_point = hash_of_certificate(SSL_get0_peer_certificate(session_));
    else if (SSL_session_reused(session_) == 0)
        bindings.server_end_point = hash_of_certificate(SSL_get_certificate(session_));
    return bindings;
}

}  // namespace thurn::net
