#pragma once

#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>

namespace thurn::smtp {

/// Overwrites octets that may hold a password. The empty assembly makes the compiler believe that someone reads them, so the write stays.
inline void wipe(char* octets, std::size_t count) {
    std::memset(octets, 0, count);
    __asm__ __volatile__("" : : "r"(octets) : "memory");
}

inline void wipe(std::string& secret) {
    wipe(secret.data(), secret.size());
    secret.clear();
}

}  // namespace thurn::smtp
