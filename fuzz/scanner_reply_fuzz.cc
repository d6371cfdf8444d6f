#include "require.h"
#include "scan/clamd.h"
#include "scan/spamd.h"

#include <cmath>

using namespace thurn;
using fuzz::require;

namespace {

void require_name(const std::string& name) {
    require(name.size() <= scan::kMostOfAName, "a name is short");
    for (const char c : name) require(c >= ' ' && c <= '~', "a name is printable");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view octets(reinterpret_cast<const char*>(data), size);
    if (const auto reply = scan::parse_clamd_reply(octets); reply && *reply) {
        require_name((*reply)->name);
        require(scan::parse_clamd_reply(std::string(octets) + "more").value() == *reply, "what follows its NUL is not of the reply");
    }
    const auto open = scan::parse_spamd_reply(octets, scan::Connection::open);
    const auto ended = scan::parse_spamd_reply(octets, scan::Connection::ended);
    require(!ended || *ended, "when the connection has ended there is a verdict or an error");
    if (open && *open) require(ended && *ended == *open, "a whole reply stays what it was");
    if (!ended) return 0;
    require(std::isfinite((*ended)->score) && std::isfinite((*ended)->threshold), "scores are numbers");
    require((*ended)->rules.size() <= 100, "so many rules and no more");
    for (const auto& rule : (*ended)->rules) require_name(rule);
    return 0;
}
