#include "scan/clamd.h"

#include <fmt/format.h>

namespace thurn::scan {

namespace {

using base::ErrorKind;
using base::fail;

constexpr std::string_view kFound = " FOUND";
constexpr std::string_view kError = " ERROR";
constexpr std::string_view kSubject = "stream: ";  // what it calls what came over the connection

std::unexpected<base::Error> failed(std::string_view why) {
    if (why.find("size limit exceeded") != std::string_view::npos)
        return fail(ErrorKind::too_long, "the message is larger than clamd's StreamMaxLength");
    return fail(ErrorKind::refused, fmt::format("clamd says: {}", cleaned_name(why)));
}

}  // namespace

std::array<char, 4> clamd_chunk_head(std::uint32_t octets) {
    const auto octet = [octets](unsigned place) { return static_cast<char>(octets >> (8 * place) & 0xff); };
    return {octet(3), octet(2), octet(1), octet(0)};
}

base::Result<std::optional<VirusVerdict>> parse_clamd_reply(std::string_view octets) {
    const auto end = octets.find('\0');
    if (end == std::string_view::npos && octets.size() <= kMostOfClamdReply) return std::optional<VirusVerdict>();
    if (end == std::string_view::npos || end > kMostOfClamdReply) return fail(ErrorKind::syntax, "clamd's reply does not end");
    auto line = octets.substr(0, end);
    if (line.ends_with(kError)) return failed(line.substr(0, line.size() - kError.size()));
    if (!line.starts_with(kSubject)) return fail(ErrorKind::syntax, fmt::format("no reply of clamd's: {}", cleaned_name(line)));
    line.remove_prefix(kSubject.size());
    if (line == "OK") return std::optional(VirusVerdict{});
    if (!line.ends_with(kFound) || line.size() == kFound.size())
        return fail(ErrorKind::syntax, fmt::format("no reply of clamd's: {}", cleaned_name(line)));
    return std::optional(VirusVerdict{cleaned_name(line.substr(0, line.size() - kFound.size()))});
}

}  // namespace thurn::scan
