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

/// Content in a file of its own. The open file outlives its name, so a courier can finish with what was removed meanwhile.
class FileContent final : public Content {
public:
    FileContent(std::unique_ptr<File> file, base::Octets size) : file_(std::move(file)), size_(size) {}
    [[nodiscard]] base::Octets size() const override { return size_; }
    [[nodiscard]] std::optional<std::string_view> in_memory() const override { return std::nullopt; }
    [[nodiscard]] base::Result<std::size_t> read(std::uint64_t offset, std::span<char> into) const override;

private:
    std::unique_ptr<File> file_;
    base::Octets size_;
};

}  // namespace thurn::spool
