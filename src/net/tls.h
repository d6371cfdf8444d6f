#pragma once

#include "base/log.h"
#include "base/result.h"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

struct ssl_ctx_st;

namespace thurn::net {

class ResumableSessions;

/// What a handshake agreed on. `verified`: the peer's certificate chained to a trusted root and, where a name was asked for, has it.
struct TlsFacts {
    std::string version;  // TLSv1.3
    std::string cipher;   // TLS_AES_256_GCM_SHA384
    unsigned bits = 0;
    std::string server_name;  // SNI, as far as it is a valid host name
    bool verified = false;
    bool resumed = false;
    std::vector<std::string> client_mailboxes;  // of a client's certificate that is trusted: its rfc822Names, on the server only
};

/// What both ends of a connection can know it by (RFC 5056). Empty: not to be had, as under anything but TLS 1.3, whose predecessors need
/// more care than they deserve.
struct TlsBindings {
    std::string exporter;  // tls-exporter, RFC 9266
    std::string
        server_end_point;  // tls-server-end-point, RFC 5929 §4; not on the server after a resumption, whose certificate is forgotten
};

/// A certificate chain and its key, PEM, on disk; `ocsp_response`: DER, what its issuer says of its revocation, or empty. The first pair serves
/// names that none matches.
struct CertificateFiles {
    std::filesystem::path certificate;
    std::filesystem::path private_key;
    std::filesystem::path ocsp_response = {};
};

/// What a handshake may agree on.
struct TlsRules {
    enum class Floor { tls12, tls13 };
    Floor floor = Floor::tls12;
    std::string ciphers = {};       // of TLS 1.2, as OpenSSL lists them; empty: forward secrecy and no known weakness
    std::string ciphersuites = {};  // of TLS 1.3; empty: all
};
/// Errors   `invalid`: ciphers that OpenSSL does not know; names them.
[[nodiscard]] base::Result<void> check_rules(const TlsRules& rules);
struct ServerTlsOptions {
    TlsRules rules = {};
    std::filesystem::path client_ca = {};  // who signs the certificates that clients may show; empty: clients are not asked for any
};
/// Whether a client is asked for a certificate; it may have none, and a stranger's is no reason to end.
enum class ClientCertificate { ignored, wanted };
struct ClientTlsOptions {
    TlsRules rules = {};
    CertificateFiles own = {};  // shown to servers that ask for one; empty: none
};

/// An OpenSSL context, made once and shared by many connections. TLS 1.2 and 1.3 only; no renegotiation, no compression.
///
/// Threads  Immutable; any.
class TlsContext {
public:
    /// Certificates are chosen by SNI among the names in them.
    /// Errors   `not_found`, `refused`: a file cannot be read; `invalid`: no PEM, key and certificate do not match, or no such ciphers. Names
    ///          the file. An OCSP response that is not fit is a remark only: mail must not stop for it.
    [[nodiscard]] static base::Result<std::shared_ptr<const TlsContext>> for_server(const std::vector<CertificateFiles>& files,
                                                                                    const ServerTlsOptions& options = {});
    enum class Verify { no, yes };
    /// `ca_file`: empty for the system's roots. Sessions are resumed where a server lets us.
    [[nodiscard]] static base::Result<std::shared_ptr<const TlsContext>> for_client(Verify verify, const std::filesystem::path& ca_file,
                                                                                    const ClientTlsOptions& options = {});
    ~TlsContext();
    [[nodiscard]] ssl_ctx_st* native() const;
    [[nodiscard]] const std::vector<std::string>& remarks() const;  // what was left out, and why
    [[nodiscard]] bool knows_clients() const;                       // a `client_ca` was given
    [[nodiscard]] ResumableSessions& resumable() const;
    /// Session tickets are good only where this is the same. Stream gives its local port as `scope`: what one listener handed out is no
    /// good at another.
    [[nodiscard]] std::string session_id_context(std::uint16_t scope) const;

private:
    struct Parts;
    explicit TlsContext(std::unique_ptr<Parts> parts);
    std::unique_ptr<Parts> parts_;
};

/// Makes a self-signed P-256 pair for `hostname`, valid 10 years; the key is readable by its owner only. Existing files are kept.
[[nodiscard]] base::Result<void> make_self_signed(const CertificateFiles& files, const std::string& hostname);
/// What `thurn check` tells about a certificate.
struct CertificateFacts {
    std::vector<std::string> names;
    std::string not_after;  // RFC 3339
    long days_left = 0;
    bool self_signed = false;
};
[[nodiscard]] base::Result<CertificateFacts> inspect_certificate(const std::filesystem::path& certificate);

/// The server's current context: re-read when the files change (asked at most once a second), the old one kept when the new files are bad,
/// with a warning.
///
/// Threads  Any.
class ServerCertificates {
public:
    ServerCertificates(std::vector<CertificateFiles> files, ServerTlsOptions options, base::Log& log);
    ~ServerCertificates();
    /// Loads for the first time.
    [[nodiscard]] base::Result<void> load();
    /// Precondition: load() has succeeded.
    [[nodiscard]] std::shared_ptr<const TlsContext> current() { return current_at(std::chrono::steady_clock::now()); }
    [[nodiscard]] std::shared_ptr<const TlsContext> current_at(std::chrono::steady_clock::time_point now);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace thurn::net
