#include "spool/recovery.h"

#include "spool/segment_draft.h"

#include <algorithm>

namespace thurn::spool {

namespace {

constexpr std::uint64_t kQuarantineChunk = 1U << 20;

}  // namespace

base::Result<Recovery::Outcome> Recovery::run() {
    for (const char* folder : {"log", "big", "quarantine"}) {
        if (auto made = parts_.filesystem.make_folder(folder); !made) return base::pass_on(made);
    }
    if (auto done = survey(); !done) return base::pass_on(done);
    connect();
    if (auto done = set_aside_unreadable(); !done) return base::pass_on(done);
    if (auto done = sync_last(); !done) return base::pass_on(done);
    if (auto done = bring_up_catalogue(); !done) return base::pass_on(done);
    if (auto done = remove_orphans(); !done) return base::pass_on(done);
    if (outcome_.last.number != 0) {
        parts_.catalogue.freeze({outcome_.last.number, outcome_.last.end});
        if (auto done = parts_.catalogue.write_frozen(); !done) return base::pass_on(done);
    }
    // What took a reading of the whole log shall be there after the next crash. If not, it is built once more.
    if (outcome_.recovered.index == Recovered::Index::rebuilt) std::ignore = parts_.index.sync();
    outcome_.recovered.messages = parts_.catalogue.messages();
    outcome_.recovered.segments = found_.size();
    return std::move(outcome_);
}

// Which segments there are, and where each ends

base::Result<void> Recovery::survey() {
    auto names = parts_.filesystem.list("log");
    if (!names) return base::pass_on(names);
    for (const auto& name : *names) {
        const auto number = parse_segment_name(name);
        if (!number && is_spare_name(name)) {
            if (auto done = collect_spare("log/" + name); !done) return done;
        }
        if (!number) continue;
        auto found = look_at(*number);
        if (!found) return base::pass_on(found);
        found_[*number] = *std::move(found);
        outcome_.highest = std::max(outcome_.highest, *number);
    }
    return {};
}

base::Result<void> Recovery::collect_spare(const std::string& path) {
    auto file = parts_.filesystem.open(path, Access::read);
    if (!file) return base::pass_on(file);
    if ((*file)->size() != parts_.segment_size.count) return parts_.filesystem.remove(path);
    parts_.spares.with([&](auto& paths) { paths.push_back(path); });
    return {};
}

base::Result<Recovery::Found> Recovery::look_at(std::uint64_t number) {
    auto file = parts_.filesystem.open(segment_path(number), Access::read);
    if (!file) return base::pass_on(file);
    auto size = (*file)->size();
    if (!size) return base::pass_on(size);
    std::string octets(kSegmentHeaderSize, '\0');
    auto count = (*file)->read(0, octets);
    if (!count) return base::pass_on(count);
    Found found{.header = std::nullopt, .size = *size, .salt = std::nullopt, .end = std::nullopt};
    auto header = decode_segment_header(std::string_view(octets).substr(0, *count));
    if (!header && header.error().kind == base::ErrorKind::invalid) return base::pass_on(header);
    if (header && header->number == number) {
        found.header = *header;
        found.salt = header->salt;
    } else if (header) {
        found.counts = false;  // a spare that was to become a segment: its new header never was synced, so nothing in it was promised
    }
    return found;
}

/// Each header tells of the segment before it: its end, its salt should its own header be damaged, and that all between the two are void.
void Recovery::connect() {
    for (auto at = found_.rbegin(); at != found_.rend(); ++at) {
        auto& [number, found] = *at;
        if (!found.counts || !found.header) continue;
        const auto& header = *found.header;
        for (auto between = found_.upper_bound(header.previous); between->first < number; ++between) between->second.counts = false;
        const auto before = found_.find(header.previous);
        if (before != found_.end()) {
            before->second.end = header.previous_end;
            before->second.salt = header.previous_salt;
        } else if (found_.begin()->first < header.previous) {
            ++outcome_.recovered.missing_segments;
            parts_.events.error("spool.segment_missing", {{"segment", segment_path(header.previous)}});
        }
        if (outcome_.spool == 0) outcome_.spool = header.spool;
        parts_.catalogue.note_newest(header.newest);
    }
    if (outcome_.spool == 0) outcome_.spool = parts_.random.next() | 1;
}

/// Void segments go; one whose salt is lost cannot be read and is kept for people.
base::Result<void> Recovery::set_aside_unreadable() {
    for (auto at = found_.begin(); at != found_.end();) {
        const auto& [number, found] = *at;
        if (found.counts && found.salt) {
            ++at;
            continue;
        }
        const auto path = segment_path(number);
        if (found.counts) {
            ++outcome_.recovered.damaged_records;
            parts_.events.error("spool.segment_unreadable", {{"segment", path}, {"octets", found.size}});
            const auto aside = "quarantine/" + path.substr(path.find('/') + 1);
            if (auto moved = parts_.filesystem.rename(path, aside); !moved) return moved;
        } else if (auto removed = parts_.filesystem.remove(path); !removed) {
            return removed;
        }
        at = found_.erase(at);
    }
    return {};
}

/// After a crash of the process alone, what is read may not be on the disk yet. It must be before anything is built on it.
base::Result<void> Recovery::sync_last() {
    if (found_.empty()) return {};
    auto file = parts_.filesystem.open(segment_path(found_.rbegin()->first), Access::write);
    if (!file) return base::pass_on(file);
    if (auto synced = (*file)->sync(); !synced) return synced;
    return parts_.filesystem.sync_folder("log");
}

// The catalogue

std::optional<IndexState> Recovery::usable_index() {
    auto state = parts_.catalogue.saved_state();
    if (!state || state->spool != outcome_.spool) return std::nullopt;
    const auto segment = found_.find(state->position.segment);
    if (segment == found_.end()) return std::nullopt;
    const auto end = segment->second.end.value_or(segment->second.size);
    if (state->position.offset < kSegmentHeaderSize || state->position.offset > end) return std::nullopt;
    return state;
}

base::Result<void> Recovery::bring_up_catalogue() {
    if (auto state = usable_index()) {
        const auto from = state->position;
        const auto newest = parts_.catalogue.newest();
        parts_.catalogue.restore(*std::move(state));
        parts_.catalogue.note_newest(newest);
        auto done = replay(from);
        if (done || done.error().kind != base::ErrorKind::corrupt) return done;
        parts_.events.error("spool.index_damaged", {{"error", done.error().detail}});
    }
    return rebuild();
}

base::Result<void> Recovery::rebuild() {
    const auto newest = parts_.catalogue.newest();
    if (auto cleared = parts_.index.clear(); !cleared) return cleared;
    parts_.catalogue.start(outcome_.spool);
    parts_.catalogue.note_newest(newest);
    if (found_.empty()) return {};
    parts_.events.warning("spool.index_rebuilding", {{"segments", found_.size()}});
    outcome_.recovered.index = Recovered::Index::rebuilt;
    outcome_.recovered.replayed_records = 0;
    return replay({found_.begin()->first, kSegmentHeaderSize});
}

base::Result<void> Recovery::replay(Position from) {
    for (auto& [number, found] : found_) {
        const auto known_end = found.end.value_or(found.size);
        parts_.segments.with([&](auto& all) { all[number] = {.salt = *found.salt, .end = known_end, .allocated = found.size}; });
        if (number < from.segment) continue;
        const auto begin = number == from.segment ? from.offset : kSegmentHeaderSize;
        if (auto done = replay_segment(number, begin); !done) return done;
    }
    return {};
}

base::Result<void> Recovery::replay_segment(std::uint64_t number, std::uint64_t from) {
    auto& found = found_.at(number);
    auto file = parts_.filesystem.open(segment_path(number), Access::read);
    if (!file) return base::pass_on(file);
    SegmentReader reader(**file, *found.salt, from, found.end.value_or(found.size));
    for (;;) {
        auto next = reader.next();
        if (!next) return base::pass_on(next);
        if (std::holds_alternative<std::monostate>(*next)) break;
        if (const auto* damage = std::get_if<FoundDamage>(&*next)) {
            report_damage(number, **file, *damage);
            continue;
        }
        if (auto done = apply(number, std::get<FoundRecord>(*next)); !done) return done;
        if (parts_.catalogue.weight() < parts_.checkpoint_weight) continue;
        parts_.catalogue.freeze({number, reader.good_end()});
        if (auto done = parts_.catalogue.write_frozen(); !done) return done;
    }
    const auto end = found.end.value_or(reader.good_end());
    parts_.segments.with([&](auto& all) { all[number].end = end; });
    outcome_.last = {.number = number, .salt = *found.salt, .end = end};
    return {};
}

base::Result<void> Recovery::apply(std::uint64_t segment, const FoundRecord& record) {
    ++outcome_.recovered.replayed_records;
    switch (record.header.type) {
        case RecordType::message:
        case RecordType::moved:
            return apply_message(segment, record);
        case RecordType::dropped:
            return parts_.catalogue.drop(record.header.id);
        case RecordType::checkpoint:
            return {};
        case RecordType::updates:
            break;
    }
    auto updates = decode_updates_meta(record.meta);
    if (!updates) {
        parts_.events.error("spool.record_not_understood", {{"segment", segment_path(segment)}, {"offset", record.offset}});
        return {};
    }
    for (const auto& update : *updates) {
        if (auto done = parts_.catalogue.update(update); !done) return done;
    }
    return {};
}

base::Result<void> Recovery::apply_message(std::uint64_t segment, const FoundRecord& record) {
    auto meta = decode_message_meta(record.meta);
    if (!meta) {
        parts_.events.error("spool.record_not_understood", {{"segment", segment_path(segment)}, {"offset", record.offset}});
        return {};
    }
    Stored stored{.where = {segment, record.offset},
                  .record_octets = record_size(record.header),
                  .place = meta->place,
                  .content_size = meta->content_size,
                  .content_checksum = record.header.content_checksum,
                  .envelope = std::move(meta->envelope)};
    if (record.header.type == RecordType::moved) return parts_.catalogue.replace(record.header.id, std::move(stored));
    parts_.catalogue.put(record.header.id, std::move(stored));
    return {};
}

// Damage

void Recovery::report_damage(std::uint64_t segment, const File& file, const FoundDamage& damage) {
    const bool torn = damage.where == FoundDamage::Where::tail && !found_.at(segment).end;
    if (torn) {
        outcome_.recovered.torn_octets += damage.end - damage.begin;
    } else {
        ++outcome_.recovered.damaged_records;
    }
    parts_.events.error(torn ? "spool.torn_tail" : "spool.damaged_record",
                        {{"segment", segment_path(segment)}, {"offset", damage.begin}, {"octets", damage.end - damage.begin}});
    quarantine(parts_.filesystem, parts_.events, segment, file, damage);
}

void quarantine(Filesystem& filesystem, base::Log& events, std::uint64_t segment, const File& file, const FoundDamage& damage) {
    const auto name = segment_path(segment);
    const auto path = "quarantine/" + name.substr(name.find('/') + 1) + "-" + std::to_string(damage.begin);
    auto copy = filesystem.open(path, Access::create);
    if (!copy && copy.error().kind == base::ErrorKind::exists) return;  // found before
    std::string chunk;
    for (auto at = damage.begin; copy && at < damage.end; at += kQuarantineChunk) {
        chunk.resize(static_cast<std::size_t>(std::min(kQuarantineChunk, damage.end - at)));
        auto count = file.read(at, chunk);
        if (!count) return;
        const std::string_view slice = std::string_view(chunk).substr(0, *count);
        if (!(*copy)->write(at - damage.begin, {&slice, 1})) break;
    }
    if (!copy) events.warning("spool.quarantine_failed", {{"file", path}, {"error", copy.error().detail}});
}

base::Result<void> Recovery::remove_orphans() {
    auto names = parts_.filesystem.list("big");
    if (!names) return base::pass_on(names);
    for (const auto& name : *names) {
        if (const auto id = parse_content_name(name)) {
            auto stored = parts_.catalogue.find(*id);
            if (stored && stored->place != Place::log) continue;
            if (!stored && stored.error().kind != base::ErrorKind::not_found) return base::pass_on(stored);
        }
        if (auto removed = parts_.filesystem.remove("big/" + name); !removed) return removed;
        ++outcome_.recovered.orphans_removed;
    }
    std::ignore = parts_.catalogue.take_finished_files();  // they were among the orphans
    return {};
}

}  // namespace thurn::spool
