#pragma once

#include "base/guarded.h"
#include "trace/journal.h"

#include <string>
#include <vector>

namespace thurn::support {

/// A journal in memory, for tests that ask what was told about a message.
///
/// Threads  Any.
class MemoryJournal final : public trace::Journal {
public:
    void append(trace::Event event) override {
        events_.with([&](auto& events) { events.push_back(std::move(event)); });
    }
    [[nodiscard]] base::Result<std::vector<trace::Event>> find(base::MessageId id) override {
        return events_.with([&](auto& events) {
            std::vector<trace::Event> found;
            for (const auto& event : events)
                if (event.id == id) found.push_back(event);
            return found;
        });
    }
    /// All messages; nothing is asked of the query.
    [[nodiscard]] base::Result<std::vector<base::MessageId>> search(const trace::Query&) override {
        return events_.with([](auto& events) {
            std::vector<base::MessageId> ids;
            for (const auto& event : events)
                if (ids.empty() || ids.back() != event.id) ids.push_back(event.id);
            return ids;
        });
    }
    /// Everything so far, a line for each event.
    [[nodiscard]] std::string story() {
        return events_.with([](auto& events) {
            std::string text;
            for (const auto& event : events) text += trace::render_text(event) + "\n";
            return text;
        });
    }

private:
    base::Guarded<std::vector<trace::Event>> events_;
};

}  // namespace thurn::support
