#pragma once

#include "base/result.h"
#include "net/pieces.h"
#include "net/step.h"
#include "net/tls.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

struct ssl_st;

namespace thurn::net {

/// One TLS connection on a non-blocking descriptor, which it does not own. Never raises SIGPIPE.
///
/// Waits    None: each call does what it can and says what it waits for.
/// Memory   No record buffers while idle (SSL_MODE_RELEASE_BUFFERS).
/// Threads  The connection's loop.
class TlsSession {
public:
    /// `scope`: tickets are good only among sessions of one context with the same scope.
    [[nodiscard]] static base::Result<std::unique_ptr<TlsSession>> for_server(std::shared_ptr<const TlsContext> context, int descriptor,
                                                                              std::uint16_t scope,
                                                                              ClientCertificate client = ClientCertificate::ignored);
    /// `name`: host name or address literal for SNI and verification; may be empty if nothing is to be verified. An earlier session with the
    /// same `name` and `port` is resumed where the server agrees; none without a name.
    [[nodiscard]] static base::Result<std::unique_ptr<TlsSession>> for_client(std::shared_ptr<const TlsContext> context, int descriptor,
                                                                              std::string name, std::uint16_t port);
    ~TlsSession();
    TlsSession(const TlsSession&) = delete;
    TlsSession& operator=(const TlsSession&) = delete;

    [[nodiscard]] Step shake_hands();
    [[nodiscard]] Step read(std::span<char> into);
    /// Done when at least one octet of content can be read; takes none.
    [[nodiscard]] Step peek();
    /// Writes one record at most, which may be of several pieces.
    [[nodiscard]] Step write(const Pieces& pieces);
    /// Octets have been read from the descriptor that read() has not given yet.
    [[nodiscard]] bool holds_input() const;
    /// Sends close_notify if the descriptor takes it at once.
    void say_goodbye();

    /// After the handshake.
    [[nodiscard]] TlsFacts facts() const;
    [[nodiscard]] TlsBindings bindings() const;

private:
    TlsSession(std::shared_ptr<const TlsContext> context, ssl_st* session) : context_(std::move(context)), session_(session) {}
    [[nodiscard]] Step outcome(int result, std::size_t count);

    std::shared_ptr<const TlsContext> context_;
    ssl_st* session_;
    std::string server_;  // by which its sessions are kept; empty on the server
    bool named_ = false;  // the verification includes a name
    bool established_ = false;
    bool broken_ = false;  // after a fatal error even SSL_shutdown() must not be called
};

}  // namespace thurn::net
