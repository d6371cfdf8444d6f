#pragma once

#include "bench/report.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <string>

namespace thurn::bench {

enum class SourceTls { none, starttls, implicit };

/// What `thurn bench source` does.
struct SourceOptions {
    std::string server = "127.0.0.1";  // an IP address: names are not looked up
    std::uint16_t port = 25;
    std::size_t sessions = 20;       // connections open at once
    std::size_t messages = 1000;     // in all, shared by the sessions; 0: each connection only says EHLO (and STARTTLS, AUTH) and QUIT
    std::size_t connections = 0;     // with `messages` 0: how many connections in all
    std::size_t per_connection = 0;  // messages before a session connects anew; 0: it keeps its connection
    std::size_t recipients = 1;      // per message
    std::size_t size = 10240;        // octets of content, header included
    std::string fields{};            // whole header fields with CRLF, on top of that content
    std::string sender = "source@bench.example";
    std::string recipient = "sink@bench.example";  // the first `%` becomes a number from 1 to `spread`
    std::size_t spread = 1;
    SourceTls tls = SourceTls::none;
    std::string login{};  // AUTH PLAIN; empty for none
    std::string password{};
    std::string hello = "source.bench.example";
    double rate = 0;                  // messages per second in all; 0: as fast as the server takes them
    std::chrono::seconds limit{600};  // for the whole run
    Format format = Format::text;
};

/// Sends mail as fast as the server takes it, on one thread, and prints what came of it: messages per second, replies other than 2yz by
/// their first words, and how long a message took from its MAIL (with `per_connection` 1: from connecting) to the reply after its content.
///
/// Fairness  Uses PIPELINING where offered: MAIL, RCPT and DATA leave in one write, the content in another. Content is rendered once; a
///           header `X-Bench-Sent` carries the start time for a `bench sink` on the same machine to measure by.
/// Result    An exit code: 0 when every message was accepted, 1 otherwise, 2 for options that make no sense.
/// Threads   Blocks the caller until done or `limit` has passed.
[[nodiscard]] int run_source(const SourceOptions& options, std::ostream& out);
[[nodiscard]] int run_source(const SourceOptions& options);  // to standard output

}  // namespace thurn::bench
