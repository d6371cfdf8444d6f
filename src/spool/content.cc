#include "spool/content.h"

#include <algorithm>

namespace thurn::spool {

base::Result<std::size_t> MemoryContent::read(std::uint64_t offset, std::span<char> into) const {
    if (offset >= octets_.size()) return std::size_t{0};
    return octets_.copy(into.data(), into.size(), static_cast<std::size_t>(offset));
}

base::Result<std::size_t> FileContent::read(std::uint64_t offset, std::span<char> into) const {
    if (offset >= size_.count) return std::size_t{0};
    const auto wanted = std::min<std::uint64_t>(into.size(), size_.count - offset);
    auto count = file_->read(offset, into.first(static_cast<std::size_t>(wanted)));
    if (count && *count < wanted) return base::fail(base::ErrorKind::corrupt, "content file is shorter than it was");
    return count;
}

}  // namespace thurn::spool
