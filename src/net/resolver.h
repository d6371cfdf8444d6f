#pragma once

#include "base/log.h"
#include "base/result.h"
#include "dns/dns.h"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>

namespace thurn::net {

struct ResolverOptions {
    std::vector<std::string> servers;  // `192.0.2.1`, `127.0.0.1:5353`, `[::1]:53`; empty: those of /etc/resolv.conf
    bool dnssec = true;                // validate with the root's trust anchor when it is installed
    std::chrono::milliseconds timeout{20000};
};

/// Asks DNS through libunbound, on one thread of its own; keeps a cache.
///
/// Errors   None: trouble is an Answer with Status::failed, the reason in `detail`.
/// Threads  async_ask() from any loop; resumes on the caller's executor.
class Resolver {
public:
    [[nodiscard]] static base::Result<std::unique_ptr<Resolver>> start(const ResolverOptions& options);
    ~Resolver();
    [[nodiscard]] boost::asio::awaitable<dns::Answer> async_ask(dns::Question question);

private:
    struct State;
    explicit Resolver(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace thurn::net
