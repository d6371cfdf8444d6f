#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace thurn::policy {

/// When something is decided, in the order of a conversation (DESIGN §7). `data`: all recipients are known, no content yet.
enum class Stage : std::uint8_t { connect, helo, auth, mail, rcpt, data, content };

inline constexpr std::array<std::string_view, 7> kStageNames{"connect", "helo", "auth", "mail", "rcpt", "data", "content"};

inline constexpr std::array<Stage, 7> kStages{Stage::connect, Stage::helo, Stage::auth,   Stage::mail,
                                              Stage::rcpt,    Stage::data, Stage::content};

[[nodiscard]] constexpr std::string_view name_of(Stage stage) { return kStageNames[static_cast<std::size_t>(stage)]; }

}  // namespace thurn::policy
