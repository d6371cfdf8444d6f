// The sink is a scanner, not an SMTP session: it must cost a server under load next to nothing. It knows four letters of each command line,
// and in content it looks for nothing but CRLF.CRLF. It is for load tests only: it checks no syntax and keeps no limits.
#include "bench/bench_sink.h"

#include "bench/poller.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <cstring>
#include <deque>
#include <iostream>
#include <memory>
#include <random>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <fmt/format.h>
#include <fmt/ostream.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace thurn::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::string_view kGreeting = "220 sink.bench.example ESMTP\r\n";
constexpr std::string_view kFeatures =
    "250-sink.bench.example\r\n250-PIPELINING\r\n250-SIZE 0\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n";
constexpr std::string_view kFewFeatures = "250-sink.bench.example\r\n250 8BITMIME\r\n";
constexpr std::string_view kOk = "250 2.0.0 ok\r\n";
constexpr std::string_view kGoOn = "354 go on\r\n";
constexpr std::string_view kBye = "221 2.0.0 bye\r\n";
constexpr std::string_view kUnknown = "500 5.5.1 what?\r\n";
constexpr std::string_view kDeferred = "451 4.3.0 not now\r\n";
constexpr std::string_view kRejected = "550 5.7.1 no\r\n";
constexpr std::string_view kSentField = "\nX-Bench-Sent: ";
constexpr std::string_view kEnd = "\r\n.\r\n";

enum class Verdict { take, defer, reject, close };

/// What came in; shared by all connections.
struct Tally {
    std::size_t connections = 0, taken = 0, deferred = 0, rejected = 0, cut = 0;
    std::uint64_t octets = 0;
    Clock::time_point first{}, last{};
    Latencies under_way;
};

/// One client.
class Client final : public Poller::Watcher {
public:
    /// What all clients have in common.
    struct Shared {
        const SinkOptions& options;
        Poller& poller;
        Tally& tally;
        std::vector<char>& buffer;
        std::mt19937& random;
        std::deque<std::pair<Clock::time_point, std::weak_ptr<Client>>>& delayed;
        std::vector<Client*>& finished;
    };

    Client(Descriptor socket, Shared& shared) : socket_(std::move(socket)), shared_(shared) {
        shared_.poller.add(socket_, Poller::Interest::reading, *this);
        out_ = kGreeting;
        flush();
    }
    void remember(std::weak_ptr<Client> self) { self_ = std::move(self); }

    void ready() override {
        const ssize_t count = ::recv(socket_.get(), shared_.buffer.data(), shared_.buffer.size(), 0);
        if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (count <= 0) return finish();
        scan({shared_.buffer.data(), static_cast<std::size_t>(count)});
        flush();
    }

    /// The delay before an answer is over.
    void go_on() {
        paused_ = false;
        shared_.poller.change(socket_, Poller::Interest::reading, *this);
        answer_content();
        const std::string rest = std::exchange(rest_, {});
        scan(rest);
        flush();
    }

private:
    void scan(std::string_view octets) {
        while (!octets.empty() && !ended_) {
            if (paused_) return void(rest_ += octets);
            octets = in_content_ ? scan_content(octets) : scan_line(octets);
        }
    }

    std::string_view scan_line(std::string_view octets) {
        const auto end = octets.find('\n');
        if (end == std::string_view::npos) {
            line_ += octets;
            return {};
        }
        if (line_.empty()) {
            on_command(octets.substr(0, end));
        } else {
            line_ += octets.substr(0, end);
            on_command(line_);
            line_.clear();
        }
        return octets.substr(end + 1);
    }

    void on_command(std::string_view line) {
        std::array<char, 4> verb{};
        for (std::size_t index = 0; index < std::min<std::size_t>(4, line.size()); ++index)
            verb[index] = static_cast<char>(line[index] & ~0x20);
        const std::string_view word(verb.data(), verb.size());
        if (word == "MAIL" || word == "RCPT" || word == "RSET" || word == "NOOP" || word == "HELO")
            out_ += kOk;
        else if (word == "EHLO")
            out_ += shared_.options.pipelining ? kFeatures : kFewFeatures;
        else if (word == "DATA")
            begin_content();
        else if (word == "QUIT")
            out_ += kBye, ended_ = true;
        else
            out_ += kUnknown;
    }

    void begin_content() {
        out_ += kGoOn;
        in_content_ = true;
        tail_ = "\r\n";  // a dot on the first line ends it too
        fresh_ = true;
    }

    /// The end may lie across two reads: `tail_` holds the last octets of the former.
    std::string_view scan_content(std::string_view octets) {
        if (std::exchange(fresh_, false)) note_start(octets);
        const std::size_t kept = tail_.size();
        std::string seam = tail_;
        seam += octets.substr(0, kEnd.size() - 1);
        if (const auto at = seam.find(kEnd); at != std::string::npos) return end_content(octets, at + kEnd.size() - kept);
        const auto* found = static_cast<const char*>(::memmem(octets.data(), octets.size(), kEnd.data(), kEnd.size()));
        if (found != nullptr) return end_content(octets, static_cast<std::size_t>(found - octets.data()) + kEnd.size());
        shared_.tally.octets += octets.size();
        tail_ += octets.substr(octets.size() - std::min(octets.size(), kEnd.size() - 1));
        if (tail_.size() > kEnd.size() - 1) tail_.erase(0, tail_.size() - (kEnd.size() - 1));
        return {};
    }

    void note_start(std::string_view octets) {
        const auto head = octets.substr(0, 4096);
        const auto at = head.find(kSentField);
        if (at == std::string_view::npos) return void(sent_ = 0);
        const auto digits = head.substr(at + kSentField.size());
        std::from_chars(digits.data(), digits.data() + digits.size(), sent_);
    }

    std::string_view end_content(std::string_view octets, std::size_t used) {
        shared_.tally.octets += used;
        in_content_ = false;
        if (shared_.options.delay.count() == 0) {
            answer_content();
        } else {
            paused_ = true;
            shared_.poller.change(socket_, Poller::Interest::nothing, *this);
            shared_.delayed.emplace_back(Clock::now() + shared_.options.delay, self_);
        }
        return octets.substr(used);
    }

    [[nodiscard]] Verdict decide() {
        const auto& options = shared_.options;
        if (options.defer_percent + options.reject_percent + options.close_percent == 0) return Verdict::take;
        const unsigned chance = static_cast<unsigned>(shared_.random() % 100);
        if (chance < options.defer_percent) return Verdict::defer;
        if (chance < options.defer_percent + options.reject_percent) return Verdict::reject;
        if (chance < options.defer_percent + options.reject_percent + options.close_percent) return Verdict::close;
        return Verdict::take;
    }

    void answer_content() {
        auto& tally = shared_.tally;
        switch (decide()) {
            case Verdict::take:
                take();
                break;
            case Verdict::defer:
                ++tally.deferred, out_ += kDeferred;
                break;
            case Verdict::reject:
                ++tally.rejected, out_ += kRejected;
                break;
            case Verdict::close:
                ++tally.cut, ended_ = true;
                break;
        }
    }

    void take() {
        auto& tally = shared_.tally;
        tally.last = Clock::now();
        if (tally.taken++ == 0) tally.first = tally.last;
        if (sent_ > 0) tally.under_way.add(tally.last.time_since_epoch() - std::chrono::nanoseconds(sent_));
        out_ += kOk;
    }

    /// Replies are short: a client that does not take them does not read, and is dropped.
    void flush() {
        if (!out_.empty()) {
            const ssize_t count = ::send(socket_.get(), out_.data(), out_.size(), MSG_NOSIGNAL);
            if (count != static_cast<ssize_t>(out_.size())) return finish();
            out_.clear();
        }
        if (ended_) finish();
    }

    void finish() {
        if (!socket_.open()) return;
        socket_.close();
        shared_.finished.push_back(this);
    }

    Descriptor socket_;
    Shared& shared_;
    std::weak_ptr<Client> self_;
    std::string line_;  // begun, without its end
    std::string tail_;
    std::string rest_;  // arrived while an answer was delayed
    std::string out_;
    std::int64_t sent_ = 0;
    bool in_content_ = false, fresh_ = false, paused_ = false, ended_ = false;
};

/// Accepts in batches, lets clients go when they have ended.
class Sink final : public Poller::Watcher {
public:
    Sink(const SinkOptions& options, Descriptor listener)
        : options_(options), listener_(std::move(listener)), shared_{options_, poller_, tally_, buffer_, random_, delayed_, finished_} {
        poller_.add(listener_, Poller::Interest::reading, *this);
    }

    void ready() override {
        for (;;) {
            Descriptor socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
            if (!socket.open()) return;
            ++tally_.connections;
            auto client = std::make_shared<Client>(std::move(socket), shared_);
            client->remember(client);
            clients_.emplace(client.get(), client);
        }
    }

    void run_until(Clock::time_point end, int signals) {
        while (!options_.stop.stop_requested() && Clock::now() < end && (options_.stop_after == 0 || tally_.taken < options_.stop_after)) {
            poller_.poll(delayed_.empty() ? std::chrono::milliseconds(100) : std::chrono::milliseconds(1));
            wake_delayed();
            for (Client* client : finished_) clients_.erase(client);
            finished_.clear();
            signalfd_siginfo info{};
            if (signals >= 0 && ::read(signals, &info, sizeof info) > 0) return;
        }
    }

    [[nodiscard]] Tally& tally() { return tally_; }

private:
    void wake_delayed() {
        for (const auto now = Clock::now(); !delayed_.empty() && delayed_.front().first <= now; delayed_.pop_front()) {
            if (const auto client = delayed_.front().second.lock()) client->go_on();
        }
    }

    const SinkOptions& options_;
    Poller poller_;
    Descriptor listener_;
    Tally tally_;
    std::vector<char> buffer_ = std::vector<char>(256 * 1024);
    std::mt19937 random_{1};
    std::deque<std::pair<Clock::time_point, std::weak_ptr<Client>>> delayed_;
    std::vector<Client*> finished_;
    Client::Shared shared_;
    std::unordered_map<Client*, std::shared_ptr<Client>> clients_;  // shared only for `delayed_` to look by weak pointer
};

/// SIGINT and SIGTERM as something to read, so that the figures are told at the end. Blocks both for this thread while it lives.
class StopSignals {
public:
    StopSignals() {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGTERM);
        ::pthread_sigmask(SIG_BLOCK, &set, &before_);
        descriptor_ = Descriptor(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
    }
    ~StopSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    StopSignals(const StopSignals&) = delete;
    StopSignals& operator=(const StopSignals&) = delete;
    [[nodiscard]] int descriptor() const { return descriptor_.get(); }

private:
    sigset_t before_{};
    Descriptor descriptor_;
};

void print(Tally& tally, Format format, std::ostream& out) {
    const double time = seconds_of(tally.last - tally.first);
    const double rate = time > 0 ? static_cast<double>(tally.taken) / time : 0;
    auto& latency = tally.under_way;
    if (format == Format::json) {
        fmt::print(out, R"({{"taken":{},"seconds":{:.6f},"rate":{:.1f},"octets":{},"connections":{},"deferred":{},"rejected":{},"cut":{},)",
                   tally.taken, time, rate, tally.octets, tally.connections, tally.deferred, tally.rejected, tally.cut);
        fmt::print(out, R"("latency":{{"count":{},"median_ms":{:.3f},"p99_ms":{:.3f},"max_ms":{:.3f}}}}})", latency.count(),
                   latency.milliseconds_at(0.5), latency.milliseconds_at(0.99), latency.milliseconds_at(1));
        out << '\n' << std::flush;
        return;
    }
    fmt::print(out, "taken      {} messages, {} octets, {} connections in {:.3f} s: {:.1f} messages/s\n", tally.taken, tally.octets,
               tally.connections, time, rate);
    fmt::print(out, "answered   {} deferred, {} rejected, {} cut off\n", tally.deferred, tally.rejected, tally.cut);
    if (latency.count() > 0) {
        fmt::print(out, "under way  median {:.3f} ms, p99 {:.3f} ms, longest {:.3f} ms\n", latency.milliseconds_at(0.5),
                   latency.milliseconds_at(0.99), latency.milliseconds_at(1));
    }
    out << std::flush;
}

}  // namespace

int run_sink(const SinkOptions& options, std::ostream& out) {
    auto listener = listen_on(options.address, options.port);
    if (!listener) {
        fmt::print(out, "sink: {}\n", listener.error().detail);
        return 2;
    }
    const StopSignals signals;
    const std::uint16_t port = local_port(*listener);
    if (options.format == Format::text) fmt::print(out, "listening  on {} port {}\n", options.address, port);
    out << std::flush;
    Sink sink(options, *std::move(listener));
    if (options.listening) options.listening(port);
    const auto forever = Clock::now() + std::chrono::hours(24 * 365);
    sink.run_until(options.limit.count() > 0 ? Clock::now() + options.limit : forever, signals.descriptor());
    print(sink.tally(), options.format, out);
    return 0;
}

int run_sink(const SinkOptions& options) { return run_sink(options, std::cout); }

}  // namespace thurn::bench
