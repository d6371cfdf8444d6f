#include "spool/content.h"

#include <algorithm>

namespace thurn::spool {

base::Result<std::size_t> MemoryContent::read(std::uint64_t offset, std::span<char> into) const {
    if (offset >= octets_.size()) return std::size_t{0};
    return octets_.copy(into.data(), into.size(), static_cast<std::size_t>(offset));
}

base::Result<std::size_t> FileContent::read(std::uint64_t offset, std::span<char> into) const {
    if (offset >= size_.count) return std::size_t{0};
    if (offset >= top_)
        return read_part(offset - top_, into.first(static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), size_.count - offset))));
    const auto on_top = into.first(static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), top_ - offset)));
    auto first = read_part(size_.count - top_ + offset, on_top);
    if (!first || on_top.size() == into.size()) return first;
    auto rest = read(top_, into.subspan(on_top.size()));
    if (!rest) return rest;
    return *first + *rest;
}

/// All of `into`, from a place in the file.
base::Result<std::size_t> FileContent::read_part(std::uint64_t at, std::span<char> into) const {
    auto count = file_->read(at, into);
    if (count && *count < into.size()) return base::fail(base::ErrorKind::corrupt, "content file is shorter than it was");
    return count;
}

}  // namespace thurn::spool
