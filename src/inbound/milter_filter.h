#pragma once

#include "inbound/milters.h"

namespace thurn::inbound {

/// One filter of a session, and where it stands.
struct Milters::Filter {
    /// What it still wants to hear, or is still asked.
    enum class Hears { everything, not_this_message, not_this_connection };

    const MilterOptions& options;
    std::unique_ptr<MilterConnection> connection{};
    Hears hears = Hears::everything;
    bool in_message = false;                            // it was told MAIL, and the message is not ended
    std::string greeted{};                              // HELO and TLS, as it was told
    std::optional<policy::Decision> refuses_client{};   // whatever it sends
    std::optional<policy::Decision> refuses_message{};  // since the filter failed
};

}  // namespace thurn::inbound
