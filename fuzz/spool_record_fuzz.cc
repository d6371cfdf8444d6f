// What a spool reads back from the disk, in any state of decay: no octets may do more than be refused, what is understood must be written
// again as the same octets, and a damaged segment must give up all records but the one that was hit.

#include "spool/index_format.h"
#include "spool/segment_reader.h"

#include <algorithm>
#include <cstdlib>

namespace {

using namespace thurn::spool;

void require(bool condition) {
    if (!condition) std::abort();
}

class OctetsFile final : public File {
public:
    explicit OctetsFile(std::string_view octets) : octets_(octets) {}
    thurn::base::Result<void> write(std::uint64_t, std::span<const std::string_view>) override { std::abort(); }
    thurn::base::Result<std::size_t> read(std::uint64_t offset, std::span<char> into) const override {
        return offset >= octets_.size() ? 0 : octets_.copy(into.data(), into.size(), offset);
    }
    thurn::base::Result<void> sync() override { std::abort(); }
    thurn::base::Result<void> allocate(std::uint64_t) override { std::abort(); }
    thurn::base::Result<void> truncate(std::uint64_t) override { std::abort(); }
    thurn::base::Result<std::uint64_t> size() const override { return octets_.size(); }

private:
    std::string_view octets_;
};

void check_decoders(std::string_view octets) {
    if (const auto message = decode_message_meta(octets)) {
        std::string again;
        append_message_meta(again, message->place, message->content_size, message->envelope);
        require(again == octets);
    }
    if (const auto updates = decode_updates_meta(octets)) {
        std::string again;
        append_updates_meta(again, *updates);
        require(again == octets);
    }
    if (const auto position = decode_checkpoint_meta(octets)) {
        std::string again;
        append_checkpoint_meta(again, *position);
        require(again == octets);
    }
    if (const auto recipient = decode_recipient(octets)) require(encode_recipient(*recipient) == octets);
    if (auto stored = decode_stored(octets)) {
        stored->first.envelope.recipients.resize(std::min<std::uint32_t>(stored->second, 100));
        if (stored->second <= 100) require(encode_stored(stored->first) == octets);
    }
    std::ignore = decode_state(octets);
    if (const auto header = decode_segment_header(octets)) require(decode_segment_header(encode_segment_header(*header)) == *header);
    if (const auto due = parse_due_key(octets)) require(due_key(*due) == octets);
    if (const auto id = parse_message_key(octets)) require(message_key(*id) == octets);
    if (const auto number = parse_segment_name(octets)) require(parse_segment_name(segment_path(*number).substr(4)) == number);
}

/// Walks any octets as a segment; returns how many records were found.
std::size_t walk(std::string_view octets, std::uint64_t salt, std::uint64_t begin) {
    const OctetsFile file(octets);
    SegmentReader reader(file, salt, begin, octets.size());
    std::uint64_t at = begin;
    for (std::size_t records = 0;;) {
        const auto next = reader.next();
        require(next.has_value());
        if (const auto* record = std::get_if<FoundRecord>(&*next)) {
            require(record->offset >= at && record->meta.size() == record->header.meta_length);
            at = record->offset + record_size(record->header);
            require(at <= octets.size() && at == reader.good_end());
            check_decoders(record->meta);
            ++records;
        } else if (const auto* damage = std::get_if<FoundDamage>(&*next)) {
            require(damage->begin >= at && damage->begin < damage->end && damage->end <= octets.size());
            at = damage->end;
        } else {
            return records;
        }
    }
}

/// A well-made segment whose records carry pieces of the input, with one octet changed.
void check_one_damage(std::string_view input) {
    constexpr std::uint64_t kSalt = 0x1234567890abcdef;
    if (input.size() < 4) return;
    const auto number = [&](std::size_t i) { return static_cast<std::size_t>(static_cast<unsigned char>(input[i])); };
    const auto place = number(0) | (number(1) << 8);
    const auto change = static_cast<char>(input[2] | 1);
    const auto piece = number(3) + 1;
    input.remove_prefix(4);
    std::string segment(kSegmentHeaderSize, 'h');
    std::size_t records = 0;
    for (std::size_t at = 0; at < input.size() && records < 50; at += piece, ++records) {
        const auto content = input.substr(at, piece);
        std::string head = begin_record();
        append_checkpoint_meta(head, {at, records});
        RecordHeader header;
        header.type = RecordType::message;
        header.content_length = static_cast<std::uint32_t>(content.size());
        header.content_checksum = content_checksum(content);
        seal_record(head, header, kSalt, segment.size());
        segment += head;
        segment += content;
    }
    require(walk(segment, kSalt, kSegmentHeaderSize) == records);
    if (records == 0) return;
    const auto hit = kSegmentHeaderSize + place % (segment.size() - kSegmentHeaderSize);
    segment[hit] = static_cast<char>(segment[hit] ^ change);
    require(walk(segment, kSalt, kSegmentHeaderSize) == records - 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    check_decoders(input);
    walk(input, 0, 0);
    check_one_damage(input);
    return 0;
}
