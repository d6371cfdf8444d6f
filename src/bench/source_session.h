#pragma once

#include "bench/bench_source.h"
#include "bench/poller.h"
#include "net/tls.h"
#include "net/tls_session.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace thurn::bench {

/// What came of the work; shared by all sessions.
struct SourceTally {
    std::size_t accepted = 0, refused = 0, lost = 0, connections = 0;
    std::map<std::string, std::size_t> errors;  // by code and first words of the reply, or by what broke
    Latencies latencies;                        // of messages, or of connections where no messages are sent
};

/// The octets that are the same for all messages.
struct Rendered {
    std::string head;  // up to and with `X-Bench-Sent: `; the time and the rest follow
    std::string rest;  // with the final dot
};

/// One connection at a time, one message after the other. Knows just enough SMTP to be fast: replies are counted, not understood.
///
/// Idle     Without a piece of work the session rests; start() wakes it.
/// Threads  The poller's.
class SourceSession final : public Poller::Watcher {
public:
    struct Shared {
        const SourceOptions& options;
        const Rendered& rendered;
        Poller& poller;
        SourceTally& tally;
        std::shared_ptr<const net::TlsContext> tls;
    };
    explicit SourceSession(Shared& shared) : shared_(shared) {}

    [[nodiscard]] bool idle() const { return piece_ == 0; }
    /// Not while it says goodbye on a connection that has done its share.
    [[nodiscard]] bool can_start() const { return stage_ == Stage::ready || stage_ == Stage::closed; }
    [[nodiscard]] bool closed() const { return !socket_.open(); }
    /// Precondition: idle() and can_start().
    void start(std::size_t piece);
    /// No more work: says QUIT and closes.
    void finish();
    void ready() override;

private:
    enum class Stage { closed, connecting, shaking, greeting, hello, starttls, auth, ready, envelope, content, resetting, quitting };

    void connect();
    void on_connected();
    void begin_handshake();
    void shake();
    void on_reply(std::string_view line);
    void on_hello();
    void on_open();
    void after_hello(std::string_view line);
    void send_message();
    void on_envelope_reply(std::string_view line);
    void send_content();
    void on_content_reply(std::string_view line);
    void piece_done();
    void refused(std::string_view line);
    void broken(const std::string& why);
    void disconnect();

    void say(std::string octets, Stage next, std::size_t replies = 1);
    void flush();
    void read();
    void take_lines(std::string_view octets);
    [[nodiscard]] net::Step write_some(const net::Pieces& pieces);
    [[nodiscard]] net::Step read_some(std::span<char> into);
    void watch(Poller::Interest interest);
    [[nodiscard]] std::vector<std::string> envelope() const;

    Shared& shared_;
    Descriptor socket_;
    std::unique_ptr<net::TlsSession> tls_;
    Stage stage_ = Stage::closed;
    Poller::Interest interest_ = Poller::Interest::nothing;
    std::size_t piece_ = 0;      // 0: none
    std::size_t sent_here_ = 0;  // messages over this connection
    std::size_t awaited_ = 0;    // replies still to come for what was said
    bool pipelining_ = false;
    bool hello_again_ = false;           // EHLO was said under TLS
    std::vector<std::string> commands_;  // of the envelope, not yet said
    std::string refusal_;                // first bad reply to the envelope
    std::string line_;                   // begun, without its end
    std::string said_;                   // owns what `unsent_` points to
    std::vector<std::string_view> unsent_;
    std::chrono::steady_clock::time_point started_{};
};

}  // namespace thurn::bench
