#include "report/field_blocks.h"

#include "base/ascii.h"

#include <algorithm>

namespace thurn::report {
namespace {

std::string kept(const mail::HeaderField& field) { return mail::unfold(field.value.substr(0, kMaxFieldValue)); }

/// Behind the next empty line; the end if there is none.
std::size_t block_end(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        const auto feed = text.find('\n', at);
        const auto line = text.substr(at, feed == std::string_view::npos ? feed : feed - at);
        const auto next = feed == std::string_view::npos ? text.size() : feed + 1;
        if (line.empty() || line == "\r") return next;
        at = next;
    }
    return text.size();
}

}  // namespace

std::string FieldBlock::value(std::string_view name) const {
    const auto found = std::ranges::find_if(fields_, [&](const auto& field) { return base::equal_ignoring_case(field.name, name); });
    return found == fields_.end() ? std::string() : kept(*found);
}

std::vector<std::string> FieldBlock::values(std::string_view name) const {
    std::vector<std::string> all;
    for (const auto& field : fields_)
        if (base::equal_ignoring_case(field.name, name)) all.push_back(kept(field));
    return all;
}

std::vector<FieldBlock> parse_field_blocks(std::string_view text) {
    std::vector<FieldBlock> blocks;
    while (!text.empty() && blocks.size() < kMaxBlocks) {
        const auto end = block_end(text);
        if (FieldBlock block(mail::parse_header(text.substr(0, end))); !block.empty()) blocks.push_back(std::move(block));
        text.remove_prefix(end);
    }
    return blocks;
}

}  // namespace thurn::report
