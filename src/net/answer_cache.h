#pragma once

#include "base/guarded.h"
#include "dns/dns.h"

#include <chrono>
#include <map>
#include <optional>

namespace thurn::net {

/// Answers that still hold, so that a name asked for again costs no trip to the resolver's thread.
///
/// Lifetime  That of the answer, within a second and an hour; five seconds if it is `failed` or `bogus`.
/// Limits    At most `most` answers; when full, the expired go first and then any.
/// Threads   Any.
class AnswerCache {
public:
    using Time = std::chrono::steady_clock::time_point;
    explicit AnswerCache(std::size_t most) : most_(most) {}

    /// With the lifetime that is left.
    [[nodiscard]] std::optional<dns::Answer> find(const dns::Question& question, Time now) const;
    void put(const dns::Question& question, const dns::Answer& answer, Time now);
    [[nodiscard]] std::size_t size() const;

private:
    struct Entry {
        dns::Answer answer;
        Time until;
    };
    struct Entries {
        std::map<dns::Question, Entry> by_question;
        Time swept{};
    };
    void make_room(Entries& entries, Time now) const;

    std::size_t most_;
    base::Guarded<Entries> entries_;
};

}  // namespace thurn::net
