#pragma once

#include "base/result.h"
#include "scan/file_kind.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace thurn::scan {

/// How much of archives is looked at.
struct ArchiveLimits {
    std::size_t depth = 5;                              // archives within archives
    std::size_t entries = 10'000;                       // of all archives of a message
    std::uint64_t unpacked = std::uint64_t{256} << 20;  // octets, of all that is unpacked
    std::uint64_t ratio = 250;                          // of what is unpacked to what it was unpacked from, from 10 MiB on
    friend bool operator==(const ArchiveLimits&, const ArchiveLimits&) = default;
};
inline constexpr std::uint64_t kRatioCountsFrom = std::uint64_t{10} << 20;

enum class ArchiveExcess : std::uint8_t { none, depth, entries, unpacked, ratio };
[[nodiscard]] std::string_view name_of(ArchiveExcess excess);

/// A file in an archive, or in one within it.
struct ArchiveMember {
    std::size_t archive = 0;  // of those that were looked at
    std::string path;         // within it: `inner.zip/setup.exe`
    std::size_t depth = 1;    // 2: in an archive within
    std::uint64_t size = 0;   // unpacked, as far as it was
    FileKind kind = FileKind::none;
    bool macros = false;
    bool encrypted = false;
    friend bool operator==(const ArchiveMember&, const ArchiveMember&) = default;
};

/// What the helper found that looks into archives.
struct ArchiveListing {
    struct Note {
        std::size_t archive = 0;
        std::string what;  // of broken: why; of excess: its name
        friend bool operator==(const Note&, const Note&) = default;
    };
    std::vector<ArchiveMember> members;
    std::vector<Note> broken;  // that could not be read, or not to their ends
    std::vector<Note> excess;  // where a limit was met: what is beyond it was not looked at
    friend bool operator==(const ArchiveListing&, const ArchiveListing&) = default;
};

/// What was found in the archives of one message.
struct MessageArchives {
    std::vector<std::string> names;  // of those that were looked at, in the order of ArchiveMember::archive
    ArchiveListing listing;
};

// The helper writes lines, each when it knows of it, so that what comes of it is bounded and can be read with no trust in it:
//   listing = "thurn-archive 1" LF *(member / broken / excess) "end" LF
//   member  = "member" SP archive SP depth SP size SP kind SP flags SP path LF    kind: a name of FileKind, or `-`; flags: `-`, `m`, `e`, `me`
//   broken  = "broken" SP archive SP text LF
//   excess  = "excess" SP archive SP ("depth" / "entries" / "unpacked" / "ratio") LF
// In paths and texts everything but printable US-ASCII, and the percent sign, is `%` and two hexadecimal digits.

inline constexpr std::string_view kListingHead = "thurn-archive 1\n";
inline constexpr std::string_view kListingEnd = "end\n";
/// Of a path; of a longer one this much of its end is told.
inline constexpr std::size_t kMostOfPath = 1000;

[[nodiscard]] std::string render_member(const ArchiveMember& member);
[[nodiscard]] std::string render_broken(const ArchiveListing::Note& note);
[[nodiscard]] std::string render_excess(std::size_t archive, ArchiveExcess excess);

/// Errors   `peer_gone`: it ends before its end. `syntax`: nobody of ours wrote it. `too_long`: more than 4 KiB in a line.
[[nodiscard]] base::Result<ArchiveListing> parse_listing(std::string_view text);

}  // namespace thurn::scan
