#pragma once

#include <cstdint>
#include <string_view>

#include <fmt/format.h>

namespace thurn::policy {

/// What stands for a name in tables that forget the name itself: 128 bits of XXH3. Two names that share it are taken for one, which
/// among a million happens by chance once in 10^26 tables.
struct HashedKey {
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    friend bool operator==(const HashedKey&, const HashedKey&) = default;
};

/// Hashes several texts so that where one ends and the next begins counts too. With a seed that nobody can guess, nobody can choose names
/// that share a place.
class KeyHasher {
public:
    explicit KeyHasher(std::uint64_t seed) : seed_(seed) {}
    KeyHasher& add(std::string_view text);
    /// Never all zeros, which marks a free place.
    [[nodiscard]] HashedKey finish() const;

private:
    std::uint64_t seed_;
    fmt::basic_memory_buffer<char, 256> text_;
};

}  // namespace thurn::policy
