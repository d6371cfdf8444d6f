#include "bench/bench_source.h"

#include "bench/source_session.h"

#include <algorithm>
#include <iostream>
#include <memory>
#include <vector>

#include <fmt/format.h>
#include <fmt/ostream.h>

namespace thurn::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kLine = 64;  // octets of a line of content, with CRLF
constexpr std::size_t kTimeDigits = 20;

/// Content of exactly `options.size` octets, or as little as the header needs.
Rendered render_content(const SourceOptions& options) {
    Rendered rendered;
    rendered.head = fmt::format(
        "From: <{}>\r\nTo: <{}>\r\nSubject: load\r\nDate: Sun, 22 Nov 2026 12:00:00 +0000\r\nMessage-ID: <load@{}>\r\nX-Bench-Sent: ",
        options.sender, options.recipient, options.hello);
    std::string body = "\r\n\r\n";
    const std::size_t fixed = rendered.head.size() + kTimeDigits + body.size();
    for (std::size_t left = options.size > fixed ? options.size - fixed : 0; left > 0;) {
        const std::size_t line = left < kLine + 2 ? left : kLine;
        if (line >= 2) body += std::string(line - 2, 'x') + "\r\n";
        left -= line;
    }
    rendered.head.insert(0, options.fields);
    rendered.rest = body + ".\r\n";
    return rendered;
}

/// Sessions, and the work handed out to them at the rate wanted.
class Source {
public:
    Source(const SourceOptions& options, std::shared_ptr<const net::TlsContext> tls)
        : options_(options), rendered_(render_content(options)), shared_{options_, rendered_, poller_, tally_, std::move(tls)} {
        for (std::size_t index = 0; index < options_.sessions; ++index) sessions_.push_back(std::make_unique<SourceSession>(shared_));
    }

    void run() {
        begun_ = Clock::now();
        const auto end = begun_ + options_.limit;
        while (!done() && Clock::now() < end) {
            hand_out();
            poller_.poll(std::chrono::milliseconds(options_.rate > 0 ? 1 : 100));
        }
        took_ = Clock::now() - begun_;
        for (auto& session : sessions_) session->finish();
        for (const auto grace = Clock::now() + std::chrono::milliseconds(500); !all_closed() && Clock::now() < grace;)
            poller_.poll(std::chrono::milliseconds(20));
    }

    [[nodiscard]] std::size_t pieces() const { return options_.messages > 0 ? options_.messages : options_.connections; }
    [[nodiscard]] SourceTally& tally() { return tally_; }
    [[nodiscard]] double seconds() const { return seconds_of(took_); }

private:
    [[nodiscard]] bool done() const {
        return given_ == pieces() && std::ranges::all_of(sessions_, [](const auto& session) { return session->idle(); });
    }
    [[nodiscard]] bool all_closed() const {
        return std::ranges::all_of(sessions_, [](const auto& session) { return session->closed(); });
    }

    /// How many pieces may be under way or done by now.
    [[nodiscard]] std::size_t allowed() const {
        if (options_.rate <= 0) return pieces();
        return std::min(pieces(), static_cast<std::size_t>(seconds_of(Clock::now() - begun_) * options_.rate) + 1);
    }

    void hand_out() {
        const std::size_t most = allowed();
        for (auto& session : sessions_) {
            if (given_ >= most) return;
            if (session->idle() && session->can_start()) session->start(++given_);
        }
    }

    const SourceOptions& options_;
    Rendered rendered_;
    Poller poller_;
    SourceTally tally_;
    SourceSession::Shared shared_;
    std::vector<std::unique_ptr<SourceSession>> sessions_;
    std::size_t given_ = 0;
    Clock::time_point begun_{};
    Clock::duration took_{};
};

void print_text(const SourceOptions& options, Source& source, std::ostream& out) {
    auto& tally = source.tally();
    auto& latency = tally.latencies;
    const char* what = options.messages > 0 ? "messages" : "sessions";
    fmt::print(out, "accepted   {} {} over {} connections in {:.3f} s: {:.1f} {}/s\n", tally.accepted, what, tally.connections,
               source.seconds(), static_cast<double>(tally.accepted) / source.seconds(), what);
    fmt::print(out, "took       median {:.3f} ms, p99 {:.3f} ms, longest {:.3f} ms\n", latency.milliseconds_at(0.5),
               latency.milliseconds_at(0.99), latency.milliseconds_at(1));
    if (tally.refused + tally.lost > 0) fmt::print(out, "refused    {}; lost {}\n", tally.refused, tally.lost);
    for (const auto& [reply, count] : tally.errors) fmt::print(out, "  {:6} times  {}\n", count, reply);
    out << std::flush;
}

std::string quote_json(std::string_view text) {
    std::string quoted;
    for (const char c : text) {
        if (c == '"' || c == '\\') quoted += '\\';
        quoted += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
    return '"' + quoted + '"';
}

void print_json(Source& source, std::ostream& out) {
    auto& tally = source.tally();
    auto& latency = tally.latencies;
    std::string errors;
    for (const auto& [reply, count] : tally.errors) errors += fmt::format("{}{}:{}", errors.empty() ? "" : ",", quote_json(reply), count);
    fmt::print(out, R"({{"accepted":{},"refused":{},"lost":{},"connections":{},"seconds":{:.6f},"rate":{:.1f},)", tally.accepted,
               tally.refused, tally.lost, tally.connections, source.seconds(), static_cast<double>(tally.accepted) / source.seconds());
    fmt::print(out, R"("latency":{{"median_ms":{:.3f},"p99_ms":{:.3f},"max_ms":{:.3f}}},"errors":{{{}}}}})", latency.milliseconds_at(0.5),
               latency.milliseconds_at(0.99), latency.milliseconds_at(1), errors);
    out << '\n' << std::flush;
}

/// Empty when the options make sense.
std::string wrong_with(const SourceOptions& options) {
    if (options.sessions == 0) return "at least one session is needed";
    if (options.messages == 0 && options.connections == 0) return "nothing to do: give messages or connections";
    if (options.recipients == 0 || options.spread == 0) return "at least one recipient is needed";
    if (!options.login.empty() && options.tls == SourceTls::none) return "a password is sent under TLS only";
    return {};
}

}  // namespace

int run_source(const SourceOptions& options, std::ostream& out) {
    std::shared_ptr<const net::TlsContext> tls;
    std::string wrong = wrong_with(options);
    if (wrong.empty() && options.tls != SourceTls::none) {
        auto made = net::TlsContext::for_client(net::TlsContext::Verify::no, {});
        if (made)
            tls = *made;
        else
            wrong = made.error().detail;
    }
    if (!wrong.empty()) {
        fmt::print(out, "source: {}\n", wrong);
        return 2;
    }
    Source source(options, std::move(tls));
    source.run();
    if (options.format == Format::json)
        print_json(source, out);
    else
        print_text(options, source, out);
    return source.tally().accepted == source.pieces() ? 0 : 1;
}

int run_source(const SourceOptions& options) { return run_source(options, std::cout); }

}  // namespace thurn::bench
