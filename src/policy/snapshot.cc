#include "policy/snapshot.h"

#include <cstring>

#include <xxhash.h>

namespace thurn::policy {

namespace {

constexpr std::string_view kMagic = "thurn state\n";
constexpr std::uint64_t kOrder = 0x0102030405060708;  // as the machine has it: rows of tables are written as they are in memory
constexpr std::size_t kNumber = 8;

void put(std::string& out, std::uint64_t number) {
    for (unsigned shift = 0; shift < 64; shift += 8) out.push_back(static_cast<char>(number >> shift));
}

std::uint64_t get(std::string_view octets) {
    std::uint64_t number = 0;
    for (std::size_t i = kNumber; i-- > 0;) number = number << 8U | static_cast<unsigned char>(octets[i]);
    return number;
}

std::string head_of(SnapshotKind kind) {
    std::string head(kMagic);
    head.append(reinterpret_cast<const char*>(&kOrder), sizeof kOrder);
    put(head, kind.name.size());
    head += kind.name;
    put(head, kind.version);
    return head;
}

}  // namespace

std::unexpected<base::Error> damaged_snapshot() { return base::fail(base::ErrorKind::corrupt, "no whole snapshot of this kind"); }

SnapshotWriter::SnapshotWriter(SnapshotKind kind) : octets_(head_of(kind)) {}

void SnapshotWriter::number(std::uint64_t number) { put(octets_, number); }

void SnapshotWriter::text(std::string_view octets) {
    put(octets_, octets.size());
    octets_ += octets;
}

std::string SnapshotWriter::finish() && {
    put(octets_, XXH3_64bits(octets_.data(), octets_.size()));
    return std::move(octets_);
}

base::Result<SnapshotReader> SnapshotReader::open(std::string_view octets, SnapshotKind kind) {
    const auto head = head_of(kind);
    if (octets.size() < head.size() + kNumber || !octets.starts_with(head)) return damaged_snapshot();
    const auto whole = octets.substr(0, octets.size() - kNumber);
    if (get(octets.substr(whole.size())) != XXH3_64bits(whole.data(), whole.size())) return damaged_snapshot();
    return SnapshotReader(whole.substr(head.size()));
}

std::uint64_t SnapshotReader::number() {
    if (rest_.size() < kNumber) {
        ok_ = false;
        rest_ = {};
        return 0;
    }
    const auto number = get(rest_);
    rest_.remove_prefix(kNumber);
    return number;
}

std::string_view SnapshotReader::text() {
    const auto size = number();
    if (size > rest_.size()) {
        ok_ = false;
        rest_ = {};
        return {};
    }
    const auto octets = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return octets;
}

}  // namespace thurn::policy
