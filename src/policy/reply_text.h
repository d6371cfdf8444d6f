#pragma once

#include "policy/condition.h"

#include <string>
#include <string_view>
#include <vector>

namespace thurn::policy {

/// The words of a reply, with facts in braces: `no mail from {client.address}`.
/// Limits  200 octets in the rule; rendered, printable US-ASCII of at most 300, whatever the facts hold.
class ReplyText {
public:
    ReplyText() = default;
    /// Errors  `syntax`, `too_long`, `invalid`: an unknown fact.
    [[nodiscard]] static base::Result<ReplyText> parse(std::string_view text, FactIndex& facts);
    [[nodiscard]] std::string render(const FactSheet& facts) const;
    [[nodiscard]] std::vector<std::size_t> facts() const;
    [[nodiscard]] bool empty() const { return pieces_.empty(); }

private:
    struct Piece {
        std::string words;
        std::optional<std::size_t> fact{};  // behind them
    };
    std::vector<Piece> pieces_;
};

}  // namespace thurn::policy
