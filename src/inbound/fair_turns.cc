#include "inbound/fair_turns.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace thurn::inbound {

FairTurns::Ticket::Ticket(FairTurns& turns, std::string party) : all_(turns), party_(std::move(party)) {
    all_.queue_.with([this](Queue& queue) {
        number_ = queue.next_number++;
        queue.parties[party_].waiting.insert(number_);
    });
}

FairTurns::Ticket::~Ticket() {
    all_.queue_.with([this](Queue& queue) {
        const auto found = queue.parties.find(party_);
        auto& party = found->second;
        party.waiting.erase(number_);
        if (running_) {
            --party.running;
            --queue.running;
        }
        if (party.running == 0 && party.waiting.empty()) queue.parties.erase(found);
    });
}

/// Looks at all parties, which is done only while there is a turn to give to this one.
bool FairTurns::is_next(const Queue& queue, const Party& party, std::uint64_t number, std::size_t most) {
    if (*party.waiting.begin() != number) return false;
    return std::ranges::none_of(queue.parties, [&](const auto& entry) {
        const auto& other = entry.second;
        return !other.waiting.empty() && other.running < most &&
               std::tuple(other.running, other.served, *other.waiting.begin()) < std::tuple(party.running, party.served, number);
    });
}

bool FairTurns::Ticket::try_take(std::size_t turns) {
    const auto most = std::max<std::size_t>(1, turns / 4);
    if (running_) return true;
    running_ = all_.queue_.with([&](Queue& queue) {
        auto& party = queue.parties.find(party_)->second;
        if (queue.running >= turns || party.running >= most || !is_next(queue, party, number_, most)) return false;
        party.waiting.erase(number_);
        party.served = ++queue.given;
        ++party.running;
        ++queue.running;
        return true;
    });
    return running_;
}

}  // namespace thurn::inbound
