#pragma once

#include "base/result.h"
#include "spool/spool.h"

#include <concepts>
#include <string>
#include <string_view>

namespace thurn::inbound {

/// Shows a draft from front to back, piece by piece, for as long as `feed` says true. Blocks unless the draft is in memory.
/// Errors   Of reading it.
template <std::predicate<std::string_view> Feed>
[[nodiscard]] base::Result<void> read_through(const spool::Draft& draft, Feed feed) {
    if (const auto octets = draft.in_memory()) {
        (void)feed(*octets);
        return {};
    }
    std::string piece(std::size_t{256} << 10, '\0');
    for (std::uint64_t at = 0;;) {
        const auto count = draft.read(at, piece);
        if (!count) return std::unexpected(count.error());
        if (*count == 0 || !feed(std::string_view(piece).substr(0, *count))) return {};
        at += *count;
    }
}

}  // namespace thurn::inbound
