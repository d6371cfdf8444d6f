#pragma once

#include "base/result.h"
#include "trace/event.h"

#include <optional>
#include <span>

namespace thurn::trace {

/// What to look for; all given conditions must hold. Addresses match whole, in any case.
struct Query {
    std::optional<base::MessageId> id;
    std::string from;
    std::string to;
    std::optional<base::Time> since;
    std::optional<base::Time> until;
    std::size_t limit = 1000;  // messages
};

/// Keeps events for as long as its owner wants to be able to explain itself.
///
/// Contract  Best effort: not synced; what was appended within the last moments before a crash of the machine may be missing. A failing
///           journal never holds mail up.
/// Threads   Any. append() does not block on the disk. find() and search() read the disk: blocking pool.
class Journal {
public:
    virtual ~Journal() = default;
    virtual void append(Event event) = 0;
    /// All events of that message in order of time; empty when none is known.
    [[nodiscard]] virtual base::Result<std::vector<Event>> find(base::MessageId id) = 0;
    /// Ids of matching messages, newest last.
    [[nodiscard]] virtual base::Result<std::vector<base::MessageId>> search(const Query& query) = 0;
};

}  // namespace thurn::trace
