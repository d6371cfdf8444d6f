#pragma once

#include "base/guarded.h"

#include <cstddef>
#include <string>
#include <unordered_map>

namespace thurn::inbound {

/// Counts open connections, in all and per client, see client_network().
///
/// Threads  Any.
class ConnectionLimits {
public:
    enum class Verdict { welcome, too_many, too_many_from_there };

    ConnectionLimits(std::size_t total, std::size_t per_client) : total_(total), per_client_(per_client) {}
    /// Counts the connection when it is welcome; then leave() must follow.
    [[nodiscard]] Verdict enter(const std::string& address);
    void leave(const std::string& address);
    [[nodiscard]] std::size_t open() const;

private:
    struct Counts {
        std::size_t open = 0;
        std::unordered_map<std::string, std::size_t> by_client;
    };
    const std::size_t total_;
    const std::size_t per_client_;
    base::Guarded<Counts> counts_;
};

}  // namespace thurn::inbound
