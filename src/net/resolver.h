#pragma once

#include "base/result.h"
#include "dns/dns.h"

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>

namespace thurn::net {

struct ResolverOptions {
    std::vector<std::string> servers;  // `192.0.2.1`, `127.0.0.1:5353`, `[::1]:53`; empty: those of /etc/resolv.conf
    bool dnssec = true;                // validate with the root's trust anchor when it is installed
    std::chrono::milliseconds timeout{20000};
    std::filesystem::path trust_anchor = "/usr/share/dns/root.key";
};

/// Asks DNS through libunbound, on one thread of its own; keeps a cache.
///
/// Local    `localhost` and what is under it are answered here: 127.0.0.1 and ::1 (RFC 6761 §6.3). /etc/hosts is not read.
/// DNSSEC   Answers are validated if it is wanted, the trust anchor is there, and the servers pass signatures on. start() asks for the
///          root's, at most some seconds; servers that answer but leave DNSSEC out are used without it, because with it every signed domain
///          would seem forged. See validates(), notice().
/// Errors   None: trouble is an Answer with Status::failed, the reason in `detail`: "timed out", "stopping", what the servers said.
/// Stop     Call stop() while the loops still run, or at least before Loops::stop(): all that waits is answered.
/// Threads  async_ask() from any loop; resumes on the caller's executor. stop() from none of them.
class Resolver {
public:
    /// Errors   `syntax`: a server is no address. `refused`, `full`: the thread or libunbound could not be set up.
    [[nodiscard]] static base::Result<std::unique_ptr<Resolver>> start(const ResolverOptions& options);
    ~Resolver();
    [[nodiscard]] boost::asio::awaitable<dns::Answer> async_ask(dns::Question question);
    /// Waits no longer than until `deadline`: what comes later is for the next one who asks, here it "timed out".
    [[nodiscard]] boost::asio::awaitable<dns::Answer> async_ask(dns::Question question, std::chrono::steady_clock::time_point deadline);
    /// Answers all that waits, and all that asks from now on, with `failed`.
    void stop();

    /// The servers asked, `192.0.2.1@53`.
    [[nodiscard]] const std::vector<std::string>& servers() const;
    /// Whether answers are validated; if not, `secure` is never set.
    [[nodiscard]] bool validates() const;
    /// Why answers are not validated although it was wanted; for the log at start-up. Empty: all is as wanted.
    [[nodiscard]] const std::string& notice() const;

private:
    struct State;
    explicit Resolver(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace thurn::net
