#include "base/octets.h"

#include <array>
#include <charconv>
#include <limits>
#include <utility>

namespace thurn::base {
namespace {

constexpr std::uint64_t kMaximum = std::uint64_t{1} << 63;

struct Unit {
    std::string_view name;
    unsigned shift;
};
constexpr std::array kUnits{Unit{"GiB", 30}, Unit{"MiB", 20}, Unit{"KiB", 10}, Unit{"", 0}};  // the largest first

const Unit* find_unit(std::string_view name) {
    for (const Unit& unit : kUnits) {
        if (unit.name == name) return &unit;
    }
    return nullptr;
}

}  // namespace

Result<Octets> parse_octets(std::string_view text) {
    std::uint64_t count = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (problem == std::errc::invalid_argument) return fail(ErrorKind::syntax, "a size is a number, perhaps with KiB, MiB or GiB");
    const Unit* unit = find_unit(text.substr(static_cast<std::size_t>(end - text.data())));
    if (unit == nullptr) return fail(ErrorKind::syntax, "the unit of a size is KiB, MiB or GiB");
    if (problem != std::errc{} || count > (kMaximum >> unit->shift)) return fail(ErrorKind::too_long, "a size is at most 2^63 octets");
    return Octets{count << unit->shift};
}

std::string render_octets(Octets octets) {
    for (const Unit& unit : kUnits) {
        const std::uint64_t whole = octets.count >> unit.shift;
        if (whole > 0 && whole << unit.shift == octets.count) return std::to_string(whole).append(unit.name);
    }
    return "0";
}

}  // namespace thurn::base
