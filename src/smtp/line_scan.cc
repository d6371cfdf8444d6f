// The hot path of every message. Content is nearly always regular: lines end with CRLF, few begin with a dot. So 64 octets become four bit
// masks (CR, LF, dot, NUL), and shifting them against one another asks all questions about all 64 places at once:
//
//   text      H i CR LF . x        behind a CR must stand a LF:   (cr << 1) == lf, else a bare CR or LF
//   cr        0 0 1  0  0 0        behind CRLF a line starts:     starts = (cr << 1 & lf) << 1
//   lf        0 0 0  1  0 0        a dot there is irregular:      dot & starts
//   starts    0 0 0  0  1 0
//
// Only where an answer is not zero does anyone look at single octets. Carries join one block to the next.
#include "smtp/line_scan.h"

#include <bit>
#include <cstdint>
#include <cstring>

namespace thurn::smtp {

namespace {

constexpr std::size_t kBlock = 64;

struct Masks {
    std::uint64_t cr = 0;
    std::uint64_t lf = 0;
    std::uint64_t dot = 0;
    std::uint64_t nul = 0;
};

// Clang's own vectors: one comparison of 64 octets becomes what the machine has, down to four of SSE2 or NEON.
using Block = char __attribute__((ext_vector_type(kBlock)));
using Bits = bool __attribute__((ext_vector_type(kBlock)));

[[gnu::always_inline]] inline std::uint64_t equal_bits(const Block& octets, char wanted) {
    return __builtin_bit_cast(std::uint64_t, __builtin_convertvector(octets == Block(wanted), Bits));
}

[[gnu::always_inline]] inline Masks masks_of(const char* text) {
    Block octets;
    std::memcpy(&octets, text, kBlock);
    return {
        .cr = equal_bits(octets, '\r'), .lf = equal_bits(octets, '\n'), .dot = equal_bits(octets, '.'), .nul = equal_bits(octets, '\0')};
}

/// What one block leaves to the next.
struct Carry {
    std::uint64_t cr = 0;     // the last octet was a CR
    std::uint64_t start = 0;  // the next octet begins a line
};

struct Irregular {
    std::uint64_t at = 0;         // the octet itself is irregular
    std::uint64_t cr_before = 0;  // the octet before it is a bare CR
};

[[gnu::always_inline]] inline Irregular examine(const Masks& masks, Carry& carry) {
    const std::uint64_t after_cr = masks.cr << 1 | carry.cr;
    const std::uint64_t line_ends = masks.lf & after_cr;
    const std::uint64_t starts = line_ends << 1 | carry.start;
    carry = {.cr = masks.cr >> 63, .start = line_ends >> 63};
    return {.at = (masks.lf & ~after_cr) | (masks.dot & starts) | masks.nul, .cr_before = after_cr & ~masks.lf};
}

[[gnu::always_inline]] inline std::size_t scan(std::string_view text, LinePlace place) {
    Carry carry{.cr = 0, .start = place == LinePlace::start ? 1U : 0U};
    for (std::size_t base = 0; base < text.size(); base += kBlock) {
        Masks masks;
        if (text.size() - base >= kBlock) {
            masks = masks_of(text.data() + base);
        } else {
            char padded[kBlock];
            std::memset(padded, ' ', kBlock);
            std::memcpy(padded, text.data() + base, text.size() - base);
            masks = masks_of(padded);
        }
        const Irregular irregular = examine(masks, carry);
        if (const auto any = irregular.at | irregular.cr_before; any != 0) {
            const auto bit = static_cast<unsigned>(std::countr_zero(any));
            return base + bit - (irregular.cr_before >> bit & 1);
        }
    }
    return text.size() - carry.cr;
}

#if defined(__x86_64__)
// Twice as fast as SSE2. Chosen by hand: the loader's choice (target_clones) runs before ThreadSanitizer is ready for it.
[[gnu::target("avx2")]] std::size_t scan_with_avx2(std::string_view text, LinePlace place) { return scan(text, place); }
#endif

}  // namespace

std::size_t regular_prefix(std::string_view text, LinePlace place) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) return scan_with_avx2(text, place);
#endif
    return scan(text, place);
}

}  // namespace thurn::smtp
