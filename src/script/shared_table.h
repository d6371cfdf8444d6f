#pragma once

#include "base/clock.h"
#include "base/guarded.h"

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>

namespace thurn::script {

/// What scripts remember for each other, over conversations and loops: values by key, each for a while. Forgotten at a restart.
///
/// Limits   So many keys; beyond that, what would end soonest goes first. Keys of at most 256 octets, texts of at most 1024, and at most
///          a week: longer ones are cut.
/// Threads  Any.
class SharedTable {
public:
    using Value = std::variant<double, std::string>;

    explicit SharedTable(std::size_t most = 65536) : most_(most) {}
    [[nodiscard]] std::optional<Value> get(std::string_view key, base::Time now) const;
    void set(std::string_view key, Value value, base::Duration keep, base::Time now);
    /// The number under the key after `more` was added; one that begins here is kept for `keep` from now, and no longer by what is added
    /// later. A text counts as none.
    double add(std::string_view key, double more, base::Duration keep, base::Time now);
    [[nodiscard]] std::size_t size() const;

private:
    struct Entry {
        Value value;
        base::Time until;
    };
    struct Kept {
        std::unordered_map<std::string, Entry> by_key;
        std::set<std::pair<base::Time, std::string>> by_end;
    };
    void put(Kept& kept, std::string key, Value value, base::Time until, base::Time now) const;

    std::size_t most_;
    base::Guarded<Kept> kept_;
};

}  // namespace thurn::script
