#pragma once

#include "bench/report.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <stop_token>
#include <string>

namespace thurn::bench {

/// What `thurn bench sink` does.
struct SinkOptions {
    std::string address = "127.0.0.1";
    std::uint16_t port = 2525;           // 0: any; the greeting line on `out` names it
    std::chrono::milliseconds delay{0};  // before the reply to the content
    unsigned defer_percent = 0;          // of contents answered 451
    unsigned reject_percent = 0;         // of contents answered 550
    unsigned close_percent = 0;          // of contents answered by closing the connection
    std::size_t stop_after = 0;          // messages taken; 0: until SIGINT or SIGTERM
    std::chrono::seconds limit{0};       // for the whole run; 0: none
    bool pipelining = true;              // whether EHLO offers it
    Format format = Format::text;
    std::stop_token stop{};                          // asked ten times a second
    std::function<void(std::uint16_t)> listening{};  // called with the port once it listens
};

/// An SMTP server that accepts mail and throws it away, on one thread, as leanly as can be: no state but what tells commands from content.
/// At its end it prints how many messages and octets came, from the first to the last, per second, and, when a `bench source` on this
/// machine sent them, how long they were under way.
///
/// Result    An exit code: 0, or 2 when it cannot listen.
/// Threads   Blocks the caller.
[[nodiscard]] int run_sink(const SinkOptions& options, std::ostream& out);
[[nodiscard]] int run_sink(const SinkOptions& options);  // to standard output

}  // namespace thurn::bench
