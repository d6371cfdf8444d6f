#include "policy/past_message.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace thurn::policy {

namespace {

constexpr auto kTogether = std::chrono::seconds(10);

}  // namespace

PastMessage* PastMessages::find(base::MessageId id) {
    const auto found = std::ranges::find(open_.rbegin(), open_.rend(), id, &PastMessage::id);
    return found == open_.rend() ? nullptr : &*found;
}

void PastMessages::take(trace::Event event) {
    while (!open_.empty() && open_.front().at + kTogether < event.at) {
        done_(open_.front());
        open_.pop_front();
    }
    if (const auto* parties = trace::parties_of(event.body)) {
        if (parties->client.empty()) return;  // made here
        open_.push_back({.id = event.id,
                         .at = event.at,
                         .accepted = std::holds_alternative<trace::Accepted>(event.body),
                         .parties = *parties,
                         .decisions = {},
                         .found = {}});
        return;
    }
    auto* decided = std::get_if<trace::Decided>(&event.body);
    auto* found = std::get_if<trace::Found>(&event.body);
    if (!decided && !found) return;
    auto* message = find(event.id);
    if (!message) return;
    if (decided)
        message->decisions.push_back(std::move(*decided));
    else
        message->found.push_back(std::move(*found));
}

void PastMessages::finish() {
    for (const auto& message : std::exchange(open_, {})) done_(message);
}

}  // namespace thurn::policy
