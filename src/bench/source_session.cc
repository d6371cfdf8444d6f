#include "bench/source_session.h"

#include "base/base64.h"
#include "net/pieces.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <system_error>

#include <fmt/format.h>
#include <sys/socket.h>

namespace thurn::bench {
namespace {

bool positive(std::string_view line) { return line.starts_with('2'); }

std::string fill_in(const SourceOptions& options, std::size_t number) {
    std::string address = options.recipient;
    if (const auto at = address.find('%'); at != std::string::npos) address.replace(at, 1, std::to_string(number % options.spread + 1));
    return address;
}

}  // namespace

void SourceSession::start(std::size_t piece) {
    piece_ = piece;
    started_ = std::chrono::steady_clock::now();
    if (stage_ == Stage::ready)
        send_message();
    else
        connect();
}

void SourceSession::finish() {
    if (stage_ == Stage::ready)
        say("QUIT\r\n", Stage::quitting);
    else if (stage_ != Stage::quitting)
        disconnect();
}

// Connecting

void SourceSession::connect() {
    ++shared_.tally.connections;
    auto socket = start_connect(shared_.options.server, shared_.options.port);
    if (!socket) return broken(socket.error().detail);
    socket_ = *std::move(socket);
    stage_ = Stage::connecting;
    interest_ = Poller::Interest::writing;
    shared_.poller.add(socket_, interest_, *this);
}

void SourceSession::on_connected() {
    if (const auto connected = connect_result(socket_); !connected) return broken(connected.error().detail);
    if (shared_.options.tls == SourceTls::implicit) return begin_handshake();
    stage_ = Stage::greeting;
    awaited_ = 1;
    watch(Poller::Interest::reading);
}

void SourceSession::begin_handshake() {
    auto session = net::TlsSession::for_client(shared_.tls, socket_.get(), {}, 0);
    if (!session) return broken(session.error().detail);
    tls_ = *std::move(session);
    stage_ = Stage::shaking;
    shake();
}

void SourceSession::shake() {
    const auto step = tls_->shake_hands();
    if (step.kind == net::Step::Kind::failed) return broken(step.error.detail);
    if (step.kind == net::Step::Kind::want_read) return watch(Poller::Interest::reading);
    if (step.kind == net::Step::Kind::want_write) return watch(Poller::Interest::writing);
    hello_again_ = true;
    if (shared_.options.tls == SourceTls::starttls) return on_hello();
    stage_ = Stage::greeting;
    awaited_ = 1;
    watch(Poller::Interest::reading);
}

void SourceSession::on_hello() {
    pipelining_ = false;
    say(fmt::format("EHLO {}\r\n", shared_.options.hello), Stage::hello);
}

void SourceSession::after_hello(std::string_view line) {
    if (!positive(line)) return refused(line);
    if (shared_.options.tls == SourceTls::starttls && !hello_again_) return say("STARTTLS\r\n", Stage::starttls);
    if (shared_.options.login.empty()) return on_open();
    const std::string secret = '\0' + shared_.options.login + '\0' + shared_.options.password;
    say(fmt::format("AUTH PLAIN {}\r\n", base::encode_base64(secret)), Stage::auth);
}

void SourceSession::on_open() {
    stage_ = Stage::ready;
    if (shared_.options.messages > 0) return send_message();
    ++shared_.tally.accepted;
    shared_.tally.latencies.add(std::chrono::steady_clock::now() - started_);
    say("QUIT\r\n", Stage::quitting);
}

// One message

std::vector<std::string> SourceSession::envelope() const {
    std::vector<std::string> commands;
    commands.push_back(fmt::format("MAIL FROM:<{}>\r\n", shared_.options.sender));
    for (std::size_t index = 0; index < shared_.options.recipients; ++index) {
        commands.push_back(fmt::format("RCPT TO:<{}>\r\n", fill_in(shared_.options, piece_ * shared_.options.recipients + index)));
    }
    commands.push_back("DATA\r\n");
    return commands;
}

void SourceSession::send_message() {
    refusal_.clear();
    commands_ = envelope();
    if (!pipelining_) {
        const std::string first = commands_.front();
        commands_.erase(commands_.begin());
        return say(first, Stage::envelope);
    }
    std::string all;
    for (const auto& command : commands_) all += command;
    const std::size_t replies = commands_.size();
    commands_.clear();
    say(std::move(all), Stage::envelope, replies);
}

void SourceSession::on_envelope_reply(std::string_view line) {
    if (line.starts_with('4') || line.starts_with('5')) {
        if (refusal_.empty()) refusal_ = line;
        if (awaited_ == 0 && commands_.empty()) return refused(line);  // DATA itself
    }
    if (awaited_ > 0) return;
    if (line.starts_with('3')) return send_content();
    if (commands_.empty()) return refused(line);
    const std::string next = commands_.front();
    commands_.erase(commands_.begin());
    say(next, Stage::envelope);
}

void SourceSession::send_content() {
    // The time has 20 digits always, so that every message is of the same size.
    said_ = fmt::format("{}{:020}", shared_.rendered.head, started_.time_since_epoch().count());
    unsent_ = {said_, shared_.rendered.rest};
    stage_ = Stage::content;
    awaited_ = 1;
    flush();
}

void SourceSession::on_content_reply(std::string_view line) {
    if (!positive(line)) return refused(line);
    ++shared_.tally.accepted;
    shared_.tally.latencies.add(std::chrono::steady_clock::now() - started_);
    piece_done();
}

void SourceSession::piece_done() {
    piece_ = 0;
    ++sent_here_;
    stage_ = Stage::ready;
    if (shared_.options.per_connection > 0 && sent_here_ >= shared_.options.per_connection) say("QUIT\r\n", Stage::quitting);
}

// What goes wrong

void SourceSession::refused(std::string_view line) {
    const std::string_view reply = refusal_.empty() ? line : std::string_view(refusal_);
    ++shared_.tally.refused;
    ++shared_.tally.errors[std::string(reply.substr(0, 60))];
    const bool open = stage_ == Stage::envelope || stage_ == Stage::content;
    if (!open || line.starts_with("421")) {
        piece_ = 0;
        return disconnect();
    }
    say("RSET\r\n", Stage::resetting);
}

void SourceSession::broken(const std::string& why) {
    if (piece_ != 0) {
        ++shared_.tally.lost;
        ++shared_.tally.errors[why];
    }
    piece_ = 0;
    disconnect();
}

void SourceSession::disconnect() {
    tls_.reset();
    socket_.close();
    stage_ = Stage::closed;
    piece_ = 0;
    sent_here_ = awaited_ = 0;
    hello_again_ = pipelining_ = false;
    commands_.clear();
    line_.clear();
    unsent_.clear();
    refusal_.clear();
}

// Octets

void SourceSession::on_reply(std::string_view line) {
    switch (stage_) {
        case Stage::greeting:
            return positive(line) ? on_hello() : refused(line);
        case Stage::hello:
            return after_hello(line);
        case Stage::starttls:
            return positive(line) ? begin_handshake() : refused(line);
        case Stage::auth:
            return positive(line) ? on_open() : refused(line);
        case Stage::envelope:
            return on_envelope_reply(line);
        case Stage::content:
            return on_content_reply(line);
        case Stage::resetting:
            return piece_done();
        case Stage::quitting:
            return disconnect();
        default:
            return broken("a reply to nothing: " + std::string(line.substr(0, 40)));
    }
}

void SourceSession::take_lines(std::string_view octets) {
    line_ += octets;
    std::size_t begin = 0;
    for (auto end = line_.find('\n'); end != std::string::npos; end = line_.find('\n', begin)) {
        std::string line = line_.substr(begin, end - begin);
        if (line.ends_with('\r')) line.pop_back();
        begin = end + 1;
        if (stage_ == Stage::hello && line.find("PIPELINING") != std::string::npos) pipelining_ = true;
        if (line.size() > 3 && line[3] == '-') continue;
        if (awaited_ > 0) --awaited_;
        on_reply(line);
        if (!socket_.open()) return;  // line_ is gone with the connection
    }
    line_.erase(0, begin);
}

void SourceSession::say(std::string octets, Stage next, std::size_t replies) {
    said_ = std::move(octets);
    unsent_ = {said_};
    stage_ = next;
    awaited_ = replies;
    flush();
}

void SourceSession::flush() {
    while (!unsent_.empty()) {
        const auto step = write_some(net::Pieces(unsent_));
        if (step.kind == net::Step::Kind::failed) return broken(step.error.detail);
        if (step.kind == net::Step::Kind::want_write) return watch(Poller::Interest::writing);
        if (step.kind == net::Step::Kind::want_read) return watch(Poller::Interest::reading);
        std::size_t gone = step.count;
        while (!unsent_.empty() && gone >= unsent_.front().size()) {
            gone -= unsent_.front().size();
            unsent_.erase(unsent_.begin());
        }
        if (!unsent_.empty()) unsent_.front().remove_prefix(gone);
    }
    watch(Poller::Interest::reading);
}

void SourceSession::read() {
    std::array<char, 4096> buffer;
    do {
        const auto step = read_some(buffer);
        if (step.kind == net::Step::Kind::failed) return stage_ == Stage::quitting ? disconnect() : broken(step.error.detail);
        if (step.kind == net::Step::Kind::want_write) return watch(Poller::Interest::writing);
        if (step.kind == net::Step::Kind::want_read) return;
        take_lines({buffer.data(), step.count});
    } while (tls_ && tls_->holds_input());
}

net::Step SourceSession::write_some(const net::Pieces& pieces) {
    if (tls_) return tls_->write(pieces);
    std::array<iovec, 4> vectors;
    msghdr message{};
    message.msg_iov = vectors.data();
    message.msg_iovlen = pieces.gather(vectors);
    const ssize_t count = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
    if (count >= 0) return net::Step::done(static_cast<std::size_t>(count));
    if (errno == EAGAIN || errno == EINTR) return net::Step::wait_for(net::Step::Kind::want_write);
    return net::Step::fail(base::ErrorKind::peer_gone, std::system_category().message(errno));
}

net::Step SourceSession::read_some(std::span<char> into) {
    if (tls_) return tls_->read(into);
    const ssize_t count = ::recv(socket_.get(), into.data(), into.size(), 0);
    if (count > 0) return net::Step::done(static_cast<std::size_t>(count));
    if (count == 0) return net::Step::fail(base::ErrorKind::peer_gone, "the server closed the connection");
    if (errno == EAGAIN || errno == EINTR) return net::Step::wait_for(net::Step::Kind::want_read);
    return net::Step::fail(base::ErrorKind::peer_gone, std::system_category().message(errno));
}

void SourceSession::watch(Poller::Interest interest) {
    if (interest == interest_) return;
    interest_ = interest;
    shared_.poller.change(socket_, interest, *this);
}

void SourceSession::ready() {
    if (!socket_.open()) return;
    if (stage_ == Stage::connecting) return on_connected();
    if (stage_ == Stage::shaking) return shake();
    if (!unsent_.empty()) return flush();
    read();
}

}  // namespace thurn::bench
