#include "spool/segment_log.h"

#include "spool/segment_reader.h"

#include <algorithm>

// What may be in a segment that was given up
// ------------------------------------------
// After a failed fdatasync the kernel has marked the pages clean: a later sync says success although the octets never reached the disk, and
// reads may show them as long as they are cached. So nothing behind the last good sync is believed. The header of the next segment names
// that place, and is on the disk before anyone is told of the failure; recovery reads no further. A segment whose first sync failed holds
// nothing at all: the next header names the one before it, and what lies between the two does not count.

namespace thurn::spool {

SegmentLog::SegmentLog(Filesystem& filesystem, base::Random& random, Segments& segments, SpareSegments& spares, Options options,
                       Sealed last, std::uint64_t highest)
    : filesystem_(filesystem), random_(random), segments_(segments), spares_(spares), options_(options), last_(last), highest_(highest) {}

bool SegmentLog::fits(std::uint64_t record_octets) const {
    return file_ != nullptr && end_ + added_octets_ + record_octets + kEndMark.size() <= size_;
}

base::Result<void> SegmentLog::roll(std::uint64_t record_octets, base::MessageId newest) {
    if (file_ != nullptr && unsynced() > 0 && !sync()) must_mark_ = true;
    seal();
    auto begun = begin_segment(record_octets, newest);
    if (begun) begun = rewrite_unsynced();
    if (begun && must_mark_) begun = sync();
    if (!begun) {
        seal();
        return begun;
    }
    must_mark_ = false;
    return {};
}

/// Closes the present segment where its last good sync was.
void SegmentLog::seal() {
    if (file_ == nullptr) return;
    if (synced_end_ > 0) {
        last_ = {.number = number_, .salt = salt_, .end = synced_end_};
        segments_.with([&](auto& all) { all[number_].end = synced_end_; });
    } else {
        segments_.with([&](auto& all) { all.erase(number_); });
        std::ignore = filesystem_.remove(segment_path(number_));  // it does not count, there or not
    }
    file_.reset();
    end_ = synced_end_ = size_ = 0;
}

base::Result<void> SegmentLog::begin_segment(std::uint64_t record_octets, base::MessageId newest) {
    std::uint64_t needed = kSegmentHeaderSize + record_octets + kEndMark.size();
    for (const auto& record : unsynced_) needed += record.head.size();
    const auto size = std::max(options_.segment_size, needed);
    const auto number = ++highest_;
    const auto path = segment_path(number);
    auto file = recycled_file(path, size);
    const auto kind = file ? SegmentHeader::File::recycled : SegmentHeader::File::fresh;
    if (!file) {
        auto fresh = fresh_file(path, size);
        if (!fresh) return base::pass_on(fresh);
        file = *std::move(fresh);
    }
    const SegmentHeader header{.spool = options_.spool,
                               .number = number,
                               .salt = random_.next(),
                               .previous = last_.number,
                               .previous_salt = last_.salt,
                               .previous_end = last_.end,
                               .newest = newest,
                               .file = kind};
    const auto octets = encode_segment_header(header);
    const std::string_view slices[] = {octets, kEndMark};
    if (auto written = file->write(0, slices); !written) {
        std::ignore = filesystem_.remove(path);
        return written;
    }
    file_ = std::move(file);
    number_ = number;
    salt_ = header.salt;
    size_ = size;
    end_ = kSegmentHeaderSize;
    synced_end_ = 0;
    folder_synced_ = false;
    segments_.with([&](auto& all) { all[number] = {.salt = salt_, .end = kSegmentHeaderSize, .allocated = size}; });
    return {};
}

/// Null when there is no spare of that size.
std::unique_ptr<File> SegmentLog::recycled_file(const std::string& path, std::uint64_t size) {
    const auto spare = spares_.with([](auto& paths) -> std::optional<std::string> {
        if (paths.empty()) return std::nullopt;
        auto last = std::move(paths.back());
        paths.pop_back();
        return last;
    });
    if (!spare || !filesystem_.rename(*spare, path)) return nullptr;
    auto file = filesystem_.open(path, Access::write);
    if (file && (*file)->size() == size) return *std::move(file);
    std::ignore = filesystem_.remove(path);
    return nullptr;
}

base::Result<std::unique_ptr<File>> SegmentLog::fresh_file(const std::string& path, std::uint64_t size) {
    auto file = filesystem_.open(path, Access::create);
    if (!file) return file;
    if (auto allocated = (*file)->allocate(size); !allocated) {
        std::ignore = filesystem_.remove(path);
        return base::pass_on(allocated);
    }
    return file;
}

base::Result<void> SegmentLog::rewrite_unsynced() {
    for (auto& [header, head] : unsynced_) {
        seal_record(head, header, salt_, end_);
        const std::string_view slices[] = {head, kEndMark};
        if (auto written = file_->write(end_, slices); !written) return written;
        end_ += head.size();
    }
    return {};
}

Position SegmentLog::add(std::string& head, const RecordHeader& header, std::string_view content) {
    const Position where{number_, end_ + added_octets_};
    seal_record(head, header, salt_, where.offset);
    slices_.push_back(head);
    if (content.empty()) added_.push_back({header, head});
    if (!content.empty()) slices_.push_back(content);
    added_octets_ += head.size() + content.size();
    return where;
}

void SegmentLog::forget_added() {
    slices_.clear();
    added_.clear();
    added_octets_ = 0;
}

base::Result<void> SegmentLog::write_added(Durability durability, base::MessageId newest) {
    base::Result<void> outcome;
    if (!slices_.empty()) {
        slices_.push_back(kEndMark);
        outcome = file_->write(end_, slices_);
    }
    const bool wanted = durability == Durability::synced && (added_octets_ > 0 || unsynced() > 0);
    if (outcome) {
        end_ += added_octets_;
        octets_written_ += added_octets_;
        if (wanted) outcome = sync();
    }
    if (!outcome) {
        give_up(newest);
        // Not marked yet, so a crash now could bring a part of it back: `full` would promise that it can not.
        if (must_mark_) outcome.error().kind = base::ErrorKind::disk;
    } else if (!wanted) {
        std::ranges::move(added_, std::back_inserter(unsynced_));
    }
    forget_added();
    return outcome;
}

base::Result<void> SegmentLog::sync() {
    ++syncs_;
    if (auto synced = file_->sync(); !synced) return synced;
    if (!folder_synced_) {
        if (auto synced = filesystem_.sync_folder("log"); !synced) return synced;
        folder_synced_ = true;
    }
    synced_end_ = end_;
    unsynced_.clear();
    return {};
}

void SegmentLog::give_up(base::MessageId newest) {
    // Nothing is added to it any more, and what was written behind the last sync is written again elsewhere.
    end_ = synced_end_;
    must_mark_ = true;
    std::ignore = roll(0, newest);  // when even that fails, the next roll() tries again
}

void SegmentLog::close() {
    if (file_ == nullptr) return;
    if (unsynced() > 0 && !sync()) return;
    std::ignore = file_->truncate(end_);
    seal();
}

}  // namespace thurn::spool
