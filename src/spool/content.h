#pragma once

#include "spool/filesystem.h"
#include "spool/message.h"

namespace thurn::spool {

/// Content held in memory: reading it never blocks.
class MemoryContent final : public Content {
public:
    explicit MemoryContent(std::string octets) : octets_(std::move(octets)) {}
    [[nodiscard]] base::Octets size() const override { return {octets_.size()}; }
    [[nodiscard]] std::optional<std::string_view> in_memory() const override { return octets_; }
    [[nodiscard]] base::Result<std::size_t> read(std::uint64_t offset, std::span<char> into) const override;

private:
    std::string octets_;
};

/// Content in a file of its own. The open file outlives its name, so a courier can finish with what was removed meanwhile. The last `top`
/// octets of the content's file stand first.
class FileContent final : public Content {
public:
    FileContent(std::unique_ptr<File> file, base::Octets size, std::uint32_t top) : file_(std::move(file)), size_(size), top_(top) {}
    [[nodiscard]] base::Octets size() const override { return size_; }
    [[nodiscard]] std::optional<std::string_view> in_memory() const override { return std::nullopt; }
    [[nodiscard]] base::Result<std::size_t> read(std::uint64_t offset, std::span<char> into) const override;

private:
    [[nodiscard]] base::Result<std::size_t> read_part(std::uint64_t at, std::span<char> into) const;
    std::unique_ptr<File> file_;
    base::Octets size_;
    std::uint64_t top_;
};

/// What stands behind the content of a turned file: how many octets of it stand first.
inline constexpr std::uint64_t kTurnedFileMark = 4;

}  // namespace thurn::spool
