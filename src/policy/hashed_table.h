#pragma once

#include "base/clock.h"
#include "base/guarded.h"
#include "policy/hashed_key.h"
#include "policy/snapshot.h"

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstring>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace thurn::policy {

/// A few numbers, and the moment from which on they mean no more than if they had never been.
template <class Value>
concept Forgettable = std::is_trivially_copyable_v<Value> && std::has_unique_object_representations_v<Value> && requires(Value value) {
    { value.kept_until() } -> std::same_as<base::Time>;
};

/// A bounded table of small values by hashed key, for what clients make us remember.
///
/// Memory   `sizeof(Value)` + 16 octets a place. Begins with a few places and doubles as needed. What means nothing any more makes room; at
///          the most, the eighth does that would be forgotten soonest. Holds `capacity` at least, and needs four places for three.
/// Cost     One lock out of 64, one look-up by linear probing; now and then one of the 64 parts is built anew.
/// Threads  Any; fill() before anybody uses it.
template <Forgettable Value>
class HashedTable {
public:
    explicit HashedTable(std::size_t capacity)
        : most_places_(std::max(kFewest, std::bit_ceil(capacity / kParts * kPlacesOf / kUsedOf + 1))) {}

    [[nodiscard]] std::optional<Value> find(HashedKey key) const {
        return part_of(key).with([&](const Part& part) -> std::optional<Value> {
            if (part.places.empty()) return std::nullopt;
            const auto& place = part.places[place_of(part, key)];
            return is_free(place) ? std::nullopt : std::optional(place.value);
        });
    }
    /// Calls `function` with the value of the key, a new one if there is none, and gives back what it gives. What it does is quick.
    template <class Function>
    decltype(auto) change(HashedKey key, base::Time now, Function&& function) {
        return part_of(key).with([&](Part& part) -> decltype(auto) {
            if (part.used + 1 > part.places.size() / kPlacesOf * kUsedOf) make_room(part, now);
            auto& place = part.places[place_of(part, key)];
            if (is_free(place)) {
                place = {.key = key, .value = {}};
                ++part.used;
            }
            return std::forward<Function>(function)(place.value);
        });
    }

    [[nodiscard]] std::size_t size() const {
        return sum([](const Part& part) { return part.used; });
    }
    /// Of memory.
    [[nodiscard]] std::size_t octets() const {
        return sizeof *this + sum([](const Part& part) { return part.places.capacity() * sizeof(Place); });
    }

    void write(SnapshotWriter& out, base::Time now) const {
        std::string rows;
        for (const auto& guarded : parts_)
            guarded.with([&](const Part& part) {
                for (const auto& place : part.places)
                    if (!is_free(place) && place.value.kept_until() > now) rows.append(reinterpret_cast<const char*>(&place), sizeof place);
            });
        out.text(rows);
    }
    class Rows;
    /// What write() wrote, for fill().
    /// Errors   `corrupt`.
    [[nodiscard]] static base::Result<Rows> read(SnapshotReader& in) {
        const auto octets = in.text();
        if (octets.size() % sizeof(Place) != 0) return damaged_snapshot();
        Rows rows;
        rows.places_.resize(octets.size() / sizeof(Place));
        if (!octets.empty()) std::memcpy(rows.places_.data(), octets.data(), octets.size());
        if (std::ranges::any_of(rows.places_, is_free)) return damaged_snapshot();
        return rows;
    }
    /// In place of all it held. What does not fit, since the capacity was more, is forgotten.
    void fill(const Rows& rows) {
        std::array<std::vector<Place>, kParts> given;
        for (const auto& place : rows.places_) given[number_of(place.key)].push_back(place);
        for (std::size_t number = 0; number < kParts; ++number)
            parts_[number].with([&](Part& part) { part = built_of(std::move(given[number])); });
    }

private:
    struct Place {
        HashedKey key;
        Value value;
    };
    static_assert(std::has_unique_object_representations_v<Place>);  // a snapshot holds places as they are
    struct Part {
        std::vector<Place> places;  // none, or a power of two
        std::size_t used = 0;
    };
    static constexpr std::size_t kParts = 64;
    static constexpr std::size_t kFewest = 8;
    static constexpr std::size_t kPlacesOf = 4, kUsedOf = 3;  // four places for three values: probes stay short

    static bool is_free(const Place& place) { return place.key == HashedKey{}; }
    static std::size_t number_of(HashedKey key) { return key.high % kParts; }
    base::Guarded<Part>& part_of(HashedKey key) { return parts_[number_of(key)]; }
    const base::Guarded<Part>& part_of(HashedKey key) const { return parts_[number_of(key)]; }

    /// Where the key is, or would be. There is always a free place.
    static std::size_t place_of(const Part& part, HashedKey key) {
        const auto mask = part.places.size() - 1;
        auto at = key.low & mask;
        while (!is_free(part.places[at]) && part.places[at].key != key) at = (at + 1) & mask;
        return at;
    }

    void make_room(Part& part, base::Time now) const {
        std::vector<Place> kept;
        std::ranges::copy_if(part.places, std::back_inserter(kept),
                             [&](const Place& place) { return !is_free(place) && place.value.kept_until() > now; });
        part = built_of(std::move(kept));
    }
    Part built_of(std::vector<Place> kept) const {
        const auto most = most_places_ / kPlacesOf * kUsedOf;
        if (const auto enough = most - most / 8 - 1; kept.size() > enough) {
            std::ranges::nth_element(kept, kept.begin() + static_cast<std::ptrdiff_t>(enough), std::ranges::greater{},
                                     [](const Place& place) { return place.value.kept_until(); });
            kept.resize(enough);
        }
        Part part;
        part.places.resize(std::clamp(std::bit_ceil(kept.size() * 2), kFewest, most_places_));
        for (const auto& place : kept) {
            auto& home = part.places[place_of(part, place.key)];
            part.used += is_free(home) ? 1 : 0;
            home = place;
        }
        return part;
    }

    template <class Function>
    std::size_t sum(Function function) const {
        std::size_t total = 0;
        for (const auto& part : parts_) total += part.with(function);
        return total;
    }

    const std::size_t most_places_;  // of one part
    std::array<base::Guarded<Part>, kParts> parts_;

public:
    /// Values that were read and found whole.
    class Rows {
        friend class HashedTable;
        std::vector<Place> places_;
    };
};

}  // namespace thurn::policy
