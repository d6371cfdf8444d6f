#pragma once

#include "policy/situation.h"
#include "policy/stage.h"
#include "policy/walk.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace thurn::policy {

/// What somebody outside is asked: all that is known at a stage. A view, good while the conversation stands still.
struct Question {
    Stage stage = Stage::rcpt;
    std::string_view rule{};
    const Situation& now;
    const Marks& marks;
    std::vector<std::pair<std::string, FactValue>> told{};  // facts that were looked up for it
    std::string_view session{};                             // of the connection
    std::string_view message{};                             // its id; empty before MAIL
    std::string_view protocol{};                            // SMTP, ESMTP or LMTP
    std::string_view mechanism{};                           // of the login
    std::uint16_t client_port = 0;
    std::string server_address{};
    std::uint16_t server_port = 0;
    std::string_view tls_version{};
    std::string_view tls_cipher{};
    unsigned tls_bits = 0;

    /// A text among what was told; empty: it was not told, or is unavailable.
    [[nodiscard]] std::string_view text_of(std::string_view fact) const;
};

/// All facts of the stage that need no looking up, by their names; header fields only if they are told.
[[nodiscard]] std::vector<std::pair<std::string, FactValue>> facts_of(const Question& question);

}  // namespace thurn::policy
