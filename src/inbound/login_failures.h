#pragma once

#include "base/guarded.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace thurn::inbound {

/// Remembers failed logins by client (see client_network()) and by login name, whether such a login exists or not, across connections and
/// loops. The more there were lately, the longer the next one waits for its answer; a client with too many gets none.
///
/// Decay    A count goes down by `most` in `window`, evenly. A right login changes nothing: an attack is not forgiven for one.
/// Names    They only slow down: who could lock a name out could keep its owner out.
/// Memory   Fixed, 512 KiB. Where there is no room, those with the fewest failures are forgotten.
/// Threads  Any.
class LoginFailures {
public:
    struct Rules {
        std::size_t most = 30;  // failures of one client within the window; then it is locked out
        std::chrono::seconds window{600};
        std::chrono::milliseconds delay{1000};  // after the first failure; doubles with each further one, up to longest_delay; 0: none
        static constexpr std::chrono::milliseconds longest_delay{10000};
    };
    struct Verdict {
        std::chrono::milliseconds delay{0};
        bool locked_out = false;
        friend bool operator==(const Verdict&, const Verdict&) = default;
    };
    using Time = std::chrono::steady_clock::time_point;

    /// `seed`: nobody shall find out what shares a place in the table.
    explicit LoginFailures(std::uint64_t seed);
    /// What the next attempt has to expect.
    [[nodiscard]] Verdict judge(std::string_view client, std::string_view login, const Rules& rules, Time now) const;
    void add(std::string_view client, std::string_view login, const Rules& rules, Time now);

private:
    struct Entry {
        std::uint64_t key = 0;
        float count = 0;
        std::uint32_t at = 0;  // seconds of Time
    };
    struct Tables {
        std::vector<Entry> clients;
        std::vector<Entry> logins;
    };
    [[nodiscard]] std::uint64_t key_of(std::string_view text) const;

    const std::uint64_t seed_;
    base::Guarded<Tables> tables_;
};

}  // namespace thurn::inbound
