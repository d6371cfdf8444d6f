#include "spool/segment_reader.h"

#include <algorithm>
#include <charconv>

namespace thurn::spool {

namespace {

constexpr std::uint64_t kWindow = 1U << 20;
constexpr std::string_view kSuffix = ".seg";
constexpr std::string_view kSpareSuffix = ".old";
constexpr std::size_t kDigits = 16;

}  // namespace

std::string segment_path(std::uint64_t number) {
    static constexpr std::string_view hex = "0123456789abcdef";
    std::string path = "log/";
    for (int shift = 60; shift >= 0; shift -= 4) path.push_back(hex[(number >> shift) & 15]);
    return path.append(kSuffix);
}

std::string spare_path(std::uint64_t number) {
    auto path = segment_path(number);
    return path.replace(path.size() - kSuffix.size(), kSuffix.size(), kSpareSuffix);
}

bool is_spare_name(std::string_view name) { return name.ends_with(kSpareSuffix); }

std::optional<std::uint64_t> parse_segment_name(std::string_view name) {
    if (name.size() != kDigits + kSuffix.size() || !name.ends_with(kSuffix)) return std::nullopt;
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + kDigits, number, 16);
    if (error != std::errc{} || end != name.data() + kDigits) return std::nullopt;
    return number;
}

/// Up to `length` octets from `offset`; fewer only at the end.
base::Result<std::string_view> SegmentReader::view(std::uint64_t offset, std::uint64_t length) {
    length = std::min(length, end_ - std::min(offset, end_));
    if (offset < window_begin_ || offset + length > window_begin_ + window_.size()) {
        const auto wanted = std::min(std::max(length, kWindow), end_ - std::min(offset, end_));
        window_.resize(static_cast<std::size_t>(wanted));
        window_begin_ = offset;
        auto count = file_.read(offset, window_);
        if (!count) return base::pass_on(count);
        window_.resize(*count);
    }
    return std::string_view(window_).substr(static_cast<std::size_t>(offset - window_begin_), static_cast<std::size_t>(length));
}

/// What can be had from `offset` on without reading again, but at least a record header unless the end is nearer.
base::Result<std::string_view> SegmentReader::rest_of_window(std::uint64_t offset) {
    const auto window_end = window_begin_ + window_.size();
    const bool inside = offset >= window_begin_ && offset + kRecordHeaderSize <= window_end;
    return view(offset, inside ? window_end - offset : kWindow);
}

/// The header at `offset`, when its checksum holds.
base::Result<std::optional<RecordHeader>> SegmentReader::intact_header(std::uint64_t offset) {
    auto fixed = view(offset, kRecordHeaderSize);
    if (!fixed) return base::pass_on(fixed);
    const auto header = decode_record_header(*fixed, salt_, offset);
    if (!header) return std::nullopt;
    const auto head_size = kRecordHeaderSize + header->meta_length;
    if (offset + record_size(*header) > end_) return std::nullopt;
    auto head = view(offset, head_size);
    if (!head) return base::pass_on(head);
    if (head->size() < head_size || !record_intact(*head, salt_, offset)) return std::nullopt;
    return *header;
}

base::Result<SegmentReader::Found> SegmentReader::next() {
    if (offset_ + kRecordHeaderSize > end_) return Found{};
    auto header = intact_header(offset_);
    if (!header) return base::pass_on(header);
    return *header ? read_record(**header) : step_over_damage();
}

base::Result<SegmentReader::Found> SegmentReader::read_record(const RecordHeader& header) {
    const auto begin = offset_;
    const auto size = record_size(header);
    auto octets = view(begin, size);
    if (!octets) return base::pass_on(octets);
    const auto content = octets->substr(std::min(octets->size(), static_cast<std::size_t>(kRecordHeaderSize + header.meta_length)));
    if (content.size() == header.content_length && (content.empty() || content_checksum(content) == header.content_checksum)) {
        offset_ = good_end_ = begin + size;
        return FoundRecord{
            .offset = begin, .header = header, .meta = octets->substr(kRecordHeaderSize, header.meta_length), .content = content};
    }
    // The header is true, so its length is: the next record is not far to seek, unless this is where a torn write ends.
    auto follows = find_next(begin + size);
    if (!follows) return base::pass_on(follows);
    if (!*follows) {
        auto end = end_of_damage(begin);
        if (!end) return base::pass_on(end);
        offset_ = end_;
        return FoundDamage{.begin = begin, .end = *end, .where = FoundDamage::Where::tail};
    }
    offset_ = **follows;
    return FoundDamage{.begin = begin, .end = offset_};
}

base::Result<SegmentReader::Found> SegmentReader::step_over_damage() {
    const auto begin = offset_;
    auto follows = find_next(begin + 1);
    if (!follows) return base::pass_on(follows);
    if (*follows) {
        offset_ = **follows;
        return FoundDamage{.begin = begin, .end = offset_};
    }
    auto end = end_of_damage(begin);
    if (!end) return base::pass_on(end);
    offset_ = end_;
    if (*end == begin) return Found{};
    return FoundDamage{.begin = begin, .end = *end, .where = FoundDamage::Where::tail};
}

/// The first offset at or behind `from` where an intact record begins.
base::Result<std::optional<std::uint64_t>> SegmentReader::find_next(std::uint64_t from) {
    while (from + kRecordHeaderSize <= end_) {
        auto octets = rest_of_window(from);
        if (!octets) return base::pass_on(octets);
        if (octets->size() < kRecordHeaderSize) break;
        const auto at = find_record(*octets, 0);
        if (at == std::string_view::npos) {
            from += octets->size() - kRecordHeaderSize + 1;
            continue;
        }
        from += at;
        auto header = intact_header(from);
        if (!header) return base::pass_on(header);
        if (*header) return from;
        ++from;
    }
    return std::nullopt;
}

/// Where damage at the tail ends: at the next end mark, or the end of the file.
base::Result<std::uint64_t> SegmentReader::end_of_damage(std::uint64_t from) {
    for (auto at = from; at < end_;) {
        auto octets = view(at, kWindow);
        if (!octets) return base::pass_on(octets);
        const auto mark = octets->find(kEndMark);
        if (mark != std::string_view::npos) return at + mark;
        if (octets->size() <= kEndMark.size()) break;
        at += octets->size() - kEndMark.size() + 1;
    }
    return end_;
}

}  // namespace thurn::spool
