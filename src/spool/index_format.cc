#include "spool/index_format.h"

#include "spool/encoding.h"

namespace thurn::spool {

namespace {

constexpr std::uint32_t kIndexVersion = 1;
constexpr std::uint64_t kSign = std::uint64_t{1} << 63;  // flipped, so that times before 1970 sort first

template <class Number>
void append_big_endian(std::string& key, Number number) {
    for (int shift = static_cast<int>(sizeof(Number)) * 8 - 8; shift >= 0; shift -= 8) key.push_back(static_cast<char>(number >> shift));
}

template <class Number>
Number big_endian(std::string_view octets) {
    Number number = 0;
    for (std::size_t i = 0; i < sizeof(Number); ++i) number = static_cast<Number>((number << 8) | static_cast<unsigned char>(octets[i]));
    return number;
}

}  // namespace

std::string message_key(base::MessageId id) {
    std::string key = "M";
    append_big_endian(key, id.value);
    return key;
}

std::string recipient_key(base::MessageId id, std::uint32_t index) {
    std::string key = "R";
    append_big_endian(key, id.value);
    append_big_endian(key, index);
    return key;
}

std::string due_key(const DueRecipient& due) {
    std::string key = "D";
    append_big_endian(key, static_cast<std::uint64_t>(due.due.time_since_epoch().count()) ^ kSign);
    append_big_endian(key, due.id.value);
    append_big_endian(key, due.index);
    return key;
}

std::optional<base::MessageId> parse_message_key(std::string_view key) {
    if (key.size() != 9 || key[0] != 'M') return std::nullopt;
    return base::MessageId{big_endian<std::uint64_t>(key.substr(1))};
}

std::optional<DueRecipient> parse_due_key(std::string_view key) {
    if (key.size() != 21 || key[0] != 'D') return std::nullopt;
    const auto due = static_cast<std::int64_t>(big_endian<std::uint64_t>(key.substr(1)) ^ kSign);
    return DueRecipient{.id = {big_endian<std::uint64_t>(key.substr(9))},
                        .index = big_endian<std::uint32_t>(key.substr(17)),
                        .due = base::Time(base::Duration(due))};
}

std::string encode_state(const IndexState& state) {
    std::string value;
    Writer out(value);
    out.u32(kIndexVersion);
    out.u64(state.spool);
    out.u64(state.position.segment);
    out.u64(state.position.offset);
    out.u64(state.newest.value);
    out.u64(state.messages);
    out.u64(state.file_octets);
    out.u32(static_cast<std::uint32_t>(state.use.size()));
    for (const auto& [segment, use] : state.use) {
        out.u64(segment);
        out.u64(use.messages);
        out.u64(use.octets);
    }
    return value;
}

base::Result<IndexState> decode_state(std::string_view value) {
    Reader in(value);
    if (in.u32() != kIndexVersion) return base::fail(base::ErrorKind::corrupt, "index of another version");
    IndexState state;
    state.spool = in.u64();
    state.position.segment = in.u64();
    state.position.offset = in.u64();
    state.newest.value = in.u64();
    state.messages = in.u64();
    state.file_octets = in.u64();
    const auto count = in.u32();
    for (std::uint32_t i = 0; i < count && in.ok(); ++i) {
        auto& use = state.use[in.u64()];
        use.messages = in.u64();
        use.octets = in.u64();
    }
    if (!in.done()) return base::fail(base::ErrorKind::corrupt, "damaged state of the index");
    return state;
}

std::string encode_stored(const Stored& stored) {
    std::string value;
    Writer out(value);
    out.u64(stored.where.segment);
    out.u64(stored.where.offset);
    out.u64(stored.record_octets);
    out.u8(static_cast<std::uint8_t>(stored.place));
    out.u64(stored.content_size);
    out.u64(stored.content_checksum);
    write_envelope_head(out, stored.envelope);
    out.u32(static_cast<std::uint32_t>(stored.envelope.recipients.size()));
    return value;
}

base::Result<std::pair<Stored, std::uint32_t>> decode_stored(std::string_view value) {
    Reader in(value);
    Stored stored;
    stored.where.segment = in.u64();
    stored.where.offset = in.u64();
    stored.record_octets = in.u64();
    stored.place = read_place(in);
    stored.content_size = in.u64();
    stored.content_checksum = in.u64();
    stored.envelope = read_envelope_head(in);
    const auto count = in.u32();
    if (!in.done()) return base::fail(base::ErrorKind::corrupt, "damaged message in the index");
    return std::pair(std::move(stored), count);
}

std::string encode_recipient(const Recipient& recipient) {
    std::string value;
    Writer out(value);
    write_recipient(out, recipient);
    return value;
}

base::Result<Recipient> decode_recipient(std::string_view value) {
    Reader in(value);
    auto recipient = read_recipient(in);
    if (!in.done()) return base::fail(base::ErrorKind::corrupt, "damaged recipient in the index");
    return recipient;
}

}  // namespace thurn::spool
