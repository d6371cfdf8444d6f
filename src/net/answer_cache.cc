#include "net/answer_cache.h"

#include <algorithm>
#include <iterator>

namespace thurn::net {

namespace {

using namespace std::chrono_literals;

std::chrono::seconds lifetime_of(const dns::Answer& answer) {
    const bool trouble = answer.status == dns::Status::failed || answer.status == dns::Status::bogus;
    return trouble ? 5s : std::clamp<std::chrono::seconds>(answer.ttl, 1s, 1h);
}

}  // namespace

std::optional<dns::Answer> AnswerCache::find(const dns::Question& question, Time now) const {
    return entries_.with([&](const Entries& entries) -> std::optional<dns::Answer> {
        const auto found = entries.by_question.find(question);
        if (found == entries.by_question.end() || found->second.until <= now) return std::nullopt;
        dns::Answer answer = found->second.answer;
        answer.ttl = std::min(answer.ttl, std::chrono::duration_cast<std::chrono::seconds>(found->second.until - now));
        return answer;
    });
}

void AnswerCache::put(const dns::Question& question, const dns::Answer& answer, Time now) {
    entries_.with([&](Entries& entries) {
        if (entries.by_question.size() >= most_) make_room(entries, now);
        entries.by_question.insert_or_assign(question, Entry{answer, now + lifetime_of(answer)});
    });
}

// Sweeping is linear, so it is done once a second at most; between sweeps the neighbour of nobody in particular has to go.
void AnswerCache::make_room(Entries& entries, Time now) const {
    if (now - entries.swept >= 1s) {
        entries.swept = now;
        std::erase_if(entries.by_question, [now](const auto& entry) { return entry.second.until <= now; });
    }
    if (entries.by_question.size() < most_) return;
    entries.by_question.erase(entries.by_question.begin());
}

std::size_t AnswerCache::size() const {
    return entries_.with([](const Entries& entries) { return entries.by_question.size(); });
}

}  // namespace thurn::net
