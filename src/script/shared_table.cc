#include "script/shared_table.h"

#include <algorithm>

namespace thurn::script {

namespace {

constexpr std::size_t kMostOfAKey = 256;
constexpr std::size_t kMostOfAText = 1024;
constexpr base::Duration kLongest = std::chrono::hours(24 * 7);

std::string key_of(std::string_view key) { return std::string(key.substr(0, kMostOfAKey)); }

base::Time end_of(base::Duration keep, base::Time now) { return now + std::clamp(keep, base::Duration(0), kLongest); }

}  // namespace

std::optional<SharedTable::Value> SharedTable::get(std::string_view key, base::Time now) const {
    return kept_.with([&](const Kept& kept) -> std::optional<Value> {
        const auto found = kept.by_key.find(key_of(key));
        if (found == kept.by_key.end() || found->second.until <= now) return std::nullopt;
        return found->second.value;
    });
}

void SharedTable::put(Kept& kept, std::string key, Value value, base::Time until, base::Time now) const {
    if (const auto old = kept.by_key.find(key); old != kept.by_key.end()) {
        kept.by_end.erase({old->second.until, key});
        kept.by_key.erase(old);
    }
    if (until <= now) return;
    const auto drop_first = [&kept] {
        kept.by_key.erase(kept.by_end.begin()->second);
        kept.by_end.erase(kept.by_end.begin());
    };
    while (!kept.by_end.empty() && kept.by_end.begin()->first <= now) drop_first();
    while (kept.by_key.size() >= most_) drop_first();
    kept.by_end.emplace(until, key);
    kept.by_key.emplace(std::move(key), Entry{std::move(value), until});
}

void SharedTable::set(std::string_view key, Value value, base::Duration keep, base::Time now) {
    if (auto* text = std::get_if<std::string>(&value); text && text->size() > kMostOfAText) text->resize(kMostOfAText);
    kept_.with([&](Kept& kept) { put(kept, key_of(key), std::move(value), end_of(keep, now), now); });
}

double SharedTable::add(std::string_view key, double more, base::Duration keep, base::Time now) {
    return kept_.with([&](Kept& kept) {
        const auto found = kept.by_key.find(key_of(key));
        const bool there = found != kept.by_key.end() && found->second.until > now;
        auto* number = there ? std::get_if<double>(&found->second.value) : nullptr;
        if (number) return *number += more;
        put(kept, key_of(key), more, end_of(keep, now), now);
        return more;
    });
}

std::size_t SharedTable::size() const {
    return kept_.with([](const Kept& kept) { return kept.by_key.size(); });
}

}  // namespace thurn::script
