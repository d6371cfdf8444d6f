#pragma once

#include "base/guarded.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>

namespace thurn::inbound {

/// Few turns for many who want one: what is costly is done for so many at once, and no party takes all of them.
///
/// Order    A free turn goes to the party that holds fewest; among those to the one served longest ago, or never while it waited; among those to who
///          came first.
/// Limits   A party holds at most a quarter of the turns, and one where there are fewer than four.
/// Waits    Not here: who waits looks again.
/// Threads  Any. Must outlive its tickets.
class FairTurns {
public:
    /// Waits for a turn, or has one, as long as it exists. A resource: neither copied nor moved.
    class Ticket {
    public:
        Ticket(FairTurns& turns, std::string party);
        ~Ticket();
        Ticket(const Ticket&) = delete;
        Ticket& operator=(const Ticket&) = delete;
        /// Whether it has its turn by now. `turns`: how many there are at once.
        [[nodiscard]] bool try_take(std::size_t turns);

    private:
        FairTurns& all_;
        std::string party_;
        std::uint64_t number_ = 0;
        bool running_ = false;
    };

private:
    struct Party {
        std::size_t running = 0;
        std::uint64_t served = 0;  // when it last got a turn: the count of all that were given; 0: not yet
        std::set<std::uint64_t> waiting{};
    };
    /// Invariant: a party is here while it has a ticket.
    struct Queue {
        std::map<std::string, Party> parties{};
        std::size_t running = 0;
        std::uint64_t next_number = 1;
        std::uint64_t given = 0;
    };
    [[nodiscard]] static bool is_next(const Queue& queue, const Party& party, std::uint64_t number, std::size_t most);
    base::Guarded<Queue> queue_;
};

}  // namespace thurn::inbound
