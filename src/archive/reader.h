#pragma once

#include "archive/sandbox.h"
#include "scan/archive_listing.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace thurn::archive {

/// The word by which the server starts itself as a reader of archives.
inline constexpr std::string_view kReaderWord = "archive-reader";

struct ReaderOptions {
    scan::ArchiveLimits archives;
    SandboxLimits sandbox;
};
/// Behind the word on the command line.
[[nodiscard]] std::vector<std::string> render_arguments(const ReaderOptions& options);
[[nodiscard]] std::optional<ReaderOptions> parse_arguments(std::span<char* const> arguments);

/// An archive with its name, as they follow each other in the reader's input: lengths of both in eight octets each, in the machine's order, then the
/// name, then the contents.
struct FrameHead {
    std::uint64_t name_length;
    std::uint64_t length;
};

/// The whole of a process: maps its standard input, locks itself in, and writes the listing of the archives there to standard output.
///
/// Returns  0: all is listed. 2: wrong arguments or input. 3: no memory. 4: it could not be locked in, and so did nothing.
/// Errors   Killed by a limit, or by libarchive's own faults, it leaves a listing without an end.
[[nodiscard]] int run_reader(std::span<char* const> arguments);

}  // namespace thurn::archive
