#pragma once

#include "spool/message.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

namespace thurn::support {

/// Content for tests, in memory or as if it lay in a file.
class HeldContent final : public spool::Content {
public:
    enum class Where { memory, disk };
    explicit HeldContent(std::string octets, Where where = Where::memory) : octets_(std::move(octets)), where_(where) {}
    [[nodiscard]] base::Octets size() const override { return {octets_.size()}; }
    [[nodiscard]] std::optional<std::string_view> in_memory() const override {
        if (where_ == Where::memory) return octets_;
        return std::nullopt;
    }
    [[nodiscard]] base::Result<std::size_t> read(std::uint64_t offset, std::span<char> into) const override {
        const std::size_t count = std::min(into.size(), octets_.size() - std::min<std::size_t>(offset, octets_.size()));
        std::memcpy(into.data(), octets_.data() + offset, count);
        return count;
    }

private:
    std::string octets_;
    Where where_;
};

/// Content on a disk that fails behind `good` octets.
class UnreadableContent final : public spool::Content {
public:
    UnreadableContent(std::size_t size, std::size_t good) : size_(size), good_(good) {}
    [[nodiscard]] base::Octets size() const override { return {size_}; }
    [[nodiscard]] std::optional<std::string_view> in_memory() const override { return std::nullopt; }
    [[nodiscard]] base::Result<std::size_t> read(std::uint64_t offset, std::span<char> into) const override {
        if (offset >= good_) return base::fail(base::ErrorKind::disk, "the disk failed");
        const std::size_t count = std::min<std::size_t>(into.size(), good_ - offset);
        std::memset(into.data(), 'x', count);
        return count;
    }

private:
    std::size_t size_, good_;
};

}  // namespace thurn::support
