#include "policy/hashed_key.h"

#include <xxhash.h>

namespace thurn::policy {

KeyHasher& KeyHasher::add(std::string_view text) {
    const std::uint64_t size = text.size();
    const auto* octets = reinterpret_cast<const char*>(&size);
    text_.append(octets, octets + sizeof size);
    text_.append(text.data(), text.data() + text.size());
    return *this;
}

HashedKey KeyHasher::finish() const {
    const auto hash = XXH3_128bits_withSeed(text_.data(), text_.size(), seed_);
    return {.high = hash.high64 | std::uint64_t{hash.low64 == 0}, .low = hash.low64};
}

}  // namespace thurn::policy
