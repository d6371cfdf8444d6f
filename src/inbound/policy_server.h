#pragma once

#include "inbound/asked.h"
#include "inbound/milter_options.h"
#include "inbound/web_client.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace thurn::inbound {

/// A server outside that says what to do: by Postfix's policy delegation at a socket, or as a web hook.
struct PolicyServerOptions {
    /// What becomes of what it cannot judge: it is not there, too slow, or talks nonsense.
    enum class DefaultAction : std::uint8_t { tempfail, accept };

    Asked asked{.tell = {"client.name"}};
    MilterSocket socket{};
    std::optional<WebAddress> url{};  // instead of the socket
    std::string authorization{};      // of the web hook; empty: none
    std::shared_ptr<const net::TlsContext> tls{};
    std::string context{};  // policy_context, for servers that tell who asks by it
    DefaultAction default_action = DefaultAction::tempfail;
    std::chrono::seconds time_limit{10};
};

inline constexpr std::string_view kPolicyServer = "policy_server";  // what its rules are called by

/// Whether it can be asked at the stage: policy delegation knows no `auth`.
[[nodiscard]] bool asks_at(const PolicyServerOptions& server, policy::Stage stage);

}  // namespace thurn::inbound
