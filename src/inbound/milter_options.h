#pragma once

#include "base/result.h"
#include "policy/recipient_rule.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace thurn::inbound {

/// Where a content filter listens.
/// Shape    Either `path`, or `host`, a name or an address, and `port`.
struct MilterSocket {
    std::string path;
    std::string host;
    std::uint16_t port = 0;
    friend bool operator==(const MilterSocket&, const MilterSocket&) = default;
};
/// Reads `unix:/run/filter.sock`, `inet:127.0.0.1:8891`, `inet:[::1]:8891`, `inet:filter.example.net:8891`.
/// Errors   `syntax`: says what is wrong.
[[nodiscard]] base::Result<MilterSocket> parse_milter_socket(std::string_view text);
[[nodiscard]] std::string render_milter_socket(const MilterSocket& socket);

/// One content filter that speaks the milter protocol.
struct MilterOptions {
    /// What becomes of a message that the filter cannot judge: it is not there, too slow, or breaks the protocol.
    enum class DefaultAction { tempfail, accept, reject, quarantine };

    std::string name;  // for log, trace and rules
    MilterSocket socket;
    std::vector<policy::Role> on{policy::Role::mx, policy::Role::submission};
    DefaultAction default_action = DefaultAction::tempfail;
    std::chrono::seconds connect_timeout{30};
    std::chrono::seconds command_timeout{30};
    std::chrono::seconds content_timeout{300};  // header, body, and each sign of life while it judges
    std::chrono::seconds total_timeout{600};    // one command, or all of a content, whatever signs of life there are
};

}  // namespace thurn::inbound
