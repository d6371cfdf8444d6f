#include "policy/alarm.h"

#include "policy/snapshot.h"

#include <algorithm>

namespace thurn::policy {

namespace {

constexpr SnapshotKind kKind{.name = "alarms", .version = 1};
constexpr std::size_t kLongest = 300;
constexpr std::string_view kOthers = "(others)";

void tidy(std::string& text) {
    if (text.size() > kLongest) text.resize(kLongest);
    std::ranges::replace_if(text, [](char c) { return static_cast<unsigned char>(c) < 32 || c == 127; }, '?');
}

base::Time time_of(std::uint64_t milliseconds) { return base::Time(base::Duration(static_cast<std::int64_t>(milliseconds))); }
std::uint64_t milliseconds(base::Time time) { return static_cast<std::uint64_t>(time.time_since_epoch().count()); }

void write(SnapshotWriter& out, const AlarmBook::Entry& entry) {
    out.number(static_cast<std::uint64_t>(entry.alarm.kind));
    for (const auto* text : {&entry.alarm.subject, &entry.alarm.client, &entry.alarm.login, &entry.alarm.message, &entry.alarm.detail})
        out.text(*text);
    out.number(milliseconds(entry.first));
    out.number(milliseconds(entry.last));
    out.number(entry.count);
}

std::optional<AlarmBook::Entry> read_entry(SnapshotReader& in) {
    AlarmBook::Entry entry;
    const auto kind = in.number();
    if (kind >= kAlarmKindNames.size()) return std::nullopt;
    entry.alarm.kind = static_cast<AlarmKind>(kind);
    for (auto* text : {&entry.alarm.subject, &entry.alarm.client, &entry.alarm.login, &entry.alarm.message, &entry.alarm.detail}) {
        *text = in.text();
        tidy(*text);
    }
    entry.first = time_of(in.number());
    entry.last = time_of(in.number());
    entry.count = in.number();
    return entry;
}

}  // namespace

std::optional<AlarmKind> alarm_kind_of(std::string_view name) {
    const auto found = std::ranges::find(kAlarmKindNames, name);
    if (found == kAlarmKindNames.end()) return std::nullopt;
    return static_cast<AlarmKind>(found - kAlarmKindNames.begin());
}

std::string AlarmBook::key_of(const Alarm& alarm) { return std::string(name_of(alarm.kind)) + '\n' + alarm.subject; }

AlarmBook::Entry* AlarmBook::find_same(State& state, const std::string& key, base::Time now) {
    const auto found = state.open.find(key);
    if (found == state.open.end() || found->second < state.gone) return nullptr;
    auto& entry = state.entries[found->second - state.gone];
    return now - entry.first < kSame ? &entry : nullptr;
}

AlarmBook::Entry& AlarmBook::append(State& state, Entry entry) {
    state.open[key_of(entry.alarm)] = state.gone + state.entries.size();
    state.entries.push_back(std::move(entry));
    if (state.entries.size() > kKept) {
        const auto key = key_of(state.entries.front().alarm);
        if (const auto found = state.open.find(key); found != state.open.end() && found->second == state.gone) state.open.erase(found);
        state.entries.pop_front();
        ++state.gone;
    }
    return state.entries.back();
}

std::optional<AlarmBook::Entry> AlarmBook::add(Alarm alarm, base::Time now) {
    for (auto* text : {&alarm.subject, &alarm.client, &alarm.login, &alarm.message, &alarm.detail}) tidy(*text);
    changes_.fetch_add(1, std::memory_order_relaxed);
    return state_.with([&](State& state) -> std::optional<Entry> {
        const auto kind = static_cast<std::size_t>(alarm.kind);
        ++state.counts[kind];
        auto& window = state.windows[kind];
        if (now - window.begun >= kSame || now < window.begun) window = {.begun = now};
        auto* same = find_same(state, key_of(alarm), now);
        if (!same && window.news >= kMostOfAKind) {
            alarm = {.kind = alarm.kind, .subject = std::string(kOthers), .detail = "too many to tell apart; the latest: " + alarm.subject};
            tidy(alarm.detail);
            same = find_same(state, key_of(alarm), now);
        }
        if (same) {
            same->last = now;
            ++same->count;
            return std::nullopt;
        }
        ++window.news;
        return append(state, {.alarm = std::move(alarm), .first = now, .last = now});
    });
}

std::vector<AlarmBook::Entry> AlarmBook::list(base::Time since, std::optional<AlarmKind> kind) const {
    return state_.with([&](const State& state) {
        std::vector<Entry> found;
        std::ranges::copy_if(state.entries, std::back_inserter(found),
                             [&](const Entry& entry) { return entry.last >= since && (!kind || entry.alarm.kind == *kind); });
        std::ranges::sort(found, std::ranges::greater{}, &Entry::last);
        return found;
    });
}

std::array<std::uint64_t, kAlarmKindNames.size()> AlarmBook::counts() const {
    return state_.with([](const State& state) { return state.counts; });
}

std::string AlarmBook::snapshot(base::Time) const {
    SnapshotWriter out(kKind);
    state_.with([&](const State& state) {
        out.number(state.counts.size());
        for (const auto count : state.counts) out.number(count);
        out.number(state.entries.size());
        for (const auto& entry : state.entries) write(out, entry);
    });
    return std::move(out).finish();
}

base::Result<void> AlarmBook::restore(std::string_view octets) {
    auto in = SnapshotReader::open(octets, kKind);
    if (!in) return base::pass_on(in);
    State fresh;
    if (in->number() != fresh.counts.size()) return damaged_snapshot();
    for (auto& count : fresh.counts) count = in->number();
    const auto size = in->number();
    if (size > kKept) return damaged_snapshot();
    for (std::uint64_t i = 0; i < size; ++i) {
        auto entry = read_entry(*in);
        if (!entry) return damaged_snapshot();
        append(fresh, *std::move(entry));
    }
    if (!in->done()) return damaged_snapshot();
    state_.with([&](State& state) { state = std::move(fresh); });
    return {};
}

}  // namespace thurn::policy
