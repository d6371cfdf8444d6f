#pragma once

#include "mail/header.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace thurn::report {

// Machine-readable parts of reports are header fields, in blocks with empty lines between (RFC 3464 §2.1.2, RFC 5965 §3.1).

inline constexpr std::size_t kMaxFieldValue = 4096;  // octets of a value that are kept
inline constexpr std::size_t kMaxBlocks = 10'000;    // one for each recipient; the rest is left out

/// One block; `text` must outlive it.
class FieldBlock {
public:
    explicit FieldBlock(const mail::Header& header) : fields_(header.fields) {}
    [[nodiscard]] bool empty() const { return fields_.empty(); }
    /// Unfolded, without comments at its end being told apart; of several the first, empty if there is none.
    [[nodiscard]] std::string value(std::string_view name) const;
    [[nodiscard]] std::vector<std::string> values(std::string_view name) const;

private:
    std::vector<mail::HeaderField> fields_;
};

/// Views into `text`. Blocks without a field are left out; a line that is no field ends its block.
[[nodiscard]] std::vector<FieldBlock> parse_field_blocks(std::string_view text);

}  // namespace thurn::report
