#pragma once

#include "base/result.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace thurn::policy {

/// What a snapshot is of. A change of a kind's form takes another version; the old ones are refused, which costs what they remembered.
struct SnapshotKind {
    std::string_view name;
    std::uint32_t version = 1;
};

/// Builds the octets of a snapshot.
///
/// Shape    `thurn state`, the machine's order of octets, name and version of the kind; numbers of 64 bits and texts after their length, in
///          little endian; XXH3 of all that in the last 8 octets.
class SnapshotWriter {
public:
    explicit SnapshotWriter(SnapshotKind kind);
    void number(std::uint64_t number);
    void text(std::string_view octets);
    [[nodiscard]] std::string finish() &&;

private:
    std::string octets_;
};

/// Reads what SnapshotWriter wrote. Total: past the end, or after a length that does not fit, all reads as zero and done() is false.
class SnapshotReader {
public:
    /// `octets` outlive it.
    /// Errors   `corrupt`: cut, changed, or of another kind.
    [[nodiscard]] static base::Result<SnapshotReader> open(std::string_view octets, SnapshotKind kind);
    [[nodiscard]] std::uint64_t number();
    [[nodiscard]] std::string_view text();
    /// Everything was read, and all of it was there.
    [[nodiscard]] bool done() const { return ok_ && rest_.empty(); }
    /// How much there is still: a count that the octets name must be checked against it before room is made.
    [[nodiscard]] std::size_t left() const { return rest_.size(); }

private:
    explicit SnapshotReader(std::string_view rest) : rest_(rest) {}
    std::string_view rest_;
    bool ok_ = true;
};

[[nodiscard]] std::unexpected<base::Error> damaged_snapshot();

}  // namespace thurn::policy
