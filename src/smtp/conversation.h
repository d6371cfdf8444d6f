#pragma once

#include "smtp/command.h"

namespace thurn::smtp {

/// Where a client stands between two commands.
enum class Stage {
    fresh,       // no HELO or EHLO yet, or TLS has just begun
    ready,       // said hello, no transaction
    sender,      // MAIL accepted, no recipient yet
    recipients,  // at least one recipient accepted
    chunks,      // content has begun to come by BDAT, its last chunk not yet
};
inline constexpr std::size_t kStages = static_cast<std::size_t>(Stage::chunks) + 1;

/// The legal conversation, as one table: nothing when `verb` may come now, else the reply that refuses it.
/// Source   RFC 5321 §4.1.4; RFC 3207 §4; RFC 4954 §4; RFC 3030 §2.
[[nodiscard]] const FixedReply* refused_now(Stage stage, Verb verb);

}  // namespace thurn::smtp
