#pragma once

#include "trace/event.h"

#include <deque>
#include <functional>
#include <vector>

namespace thurn::policy {

/// What a trace tells of one message, or of a try that came to none.
struct PastMessage {
    base::MessageId id;
    base::Time at{};
    bool accepted = false;
    trace::Parties parties;
    std::vector<trace::Decided> decisions;
    std::vector<trace::Found> found;
};

/// Puts together what came by SMTP from the events of a trace, in their order.
///
/// Shape    A message's own events are written one behind the other, those of others may stand between them; so each is done when a later
///          event is ten seconds away, and few are held at a time.
class PastMessages {
public:
    explicit PastMessages(std::function<void(const PastMessage&)> done) : done_(std::move(done)) {}
    void take(trace::Event event);
    /// There are no more events.
    void finish();

private:
    [[nodiscard]] PastMessage* find(base::MessageId id);

    std::function<void(const PastMessage&)> done_;
    std::deque<PastMessage> open_;  // in the order they began
};

}  // namespace thurn::policy
