#pragma once

#include "scan/archive_listing.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace thurn::archive {

/// Lists what archives hold, and those within them, by libarchive. For a process of its own, see run_reader(): what libarchive is given here was
/// written by anybody.
///
/// Shape    Lines of a listing (scan/archive_listing.h) go to `write` as they are known, without head and end. Every file is unpacked, but nothing of it
///          is kept, nor written anywhere: its first octets tell what it is, archives within are looked at in memory. Directories are not told.
/// Limits   ArchiveLimits; memory for one archive of each level.
/// Formats  ZIP, 7z, RAR, tar, cab, lha, cpio, ar, ISO 9660, and what gzip, bzip2, xz, zstd, lzip, lz4, compress made of them or of a single file.
class Lister {
public:
    Lister(const scan::ArchiveLimits& limits, std::function<void(std::string_view)> write) : limits_(limits), write_(std::move(write)) {}
    /// `name`: what it is called where it lies.
    void list(std::size_t archive, const std::string& name, std::string_view contents);

private:
    enum class Go : std::uint8_t { on, not_here, not_at_all };
    struct Place {
        std::string_view name;  // of the archive itself
        std::string path;       // before the names of its members
        std::size_t depth = 1;  // of its members
    };
    class Opened;

    Go look_into(const Place& place, std::string_view contents);
    Go take_member(const Place& place, Opened& opened);
    Go unpack(Opened& opened, const Place& place, scan::ArchiveMember& member);
    [[nodiscard]] Go count(std::size_t octets);
    Go exceed(scan::ArchiveExcess excess, Go go);
    void say_broken(const char* why);

    scan::ArchiveLimits limits_;
    std::function<void(std::string_view)> write_;
    std::size_t archive_ = 0;
    std::uint64_t packed_ = 0;         // of this archive
    std::uint64_t unpacked_here_ = 0;  // of this archive
    std::uint64_t unpacked_ = 0;       // of all
    std::size_t entries_ = 0;          // of all
    bool stopped_ = false;
};

}  // namespace thurn::archive
