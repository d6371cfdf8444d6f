#include "spool/segment_spool.h"

#include "spool/content.h"
#include "spool/encoding.h"
#include "spool/segment_reader.h"

#include <algorithm>
#include <future>

namespace thurn::spool {

namespace {

Stored stored_from(const Pending::Record& record, Position where, Place place, std::uint64_t content_size, Envelope envelope) {
    return {.where = where,
            .record_octets = record.head.size() + record.content.size(),
            .place = place,
            .content_size = content_size,
            .content_checksum = record.header.content_checksum,
            .envelope = std::move(envelope)};
}

/// How many octets of the end of a turned file stand first.
base::Result<std::uint32_t> read_top(const File& file, std::uint64_t content_size) {
    std::string mark(kTurnedFileMark, '\0');
    auto count = file.read(content_size, mark);
    if (!count) return base::pass_on(count);
    const auto top = Reader(mark).u32();
    if (*count != mark.size() || top > content_size)
        return base::fail(base::ErrorKind::corrupt, "a content file does not say what stands first");
    return top;
}

}  // namespace

// What goes into the log

/// A new message.
class SegmentSpool::CommitPending final : public Pending {
public:
    CommitPending(SegmentSpool& spool, StoredMessage&& message, Place place, std::uint64_t checksum, Committed done)
        : spool_(spool), message_(std::move(message)), place_(place), done_(std::move(done)) {
        room = Room::needed;
        record.content = message_.content->in_memory().value_or(std::string_view());
        record.head = begin_record();
        append_message_meta(record.head, place_, message_.content->size().count, message_.envelope);
        record.header = {.type = RecordType::message,
                         .content_length = static_cast<std::uint32_t>(record.content.size()),
                         .id = message_.id,
                         .content_checksum = checksum};
    }
    base::Result<void> applied(Position where) override {
        spool_.catalogue_.put(message_.id, stored_from(record, where, place_, message_.content->size().count, message_.envelope));
        ++spool_.commits_;
        spool_.note_change(where);
        return {};
    }
    void settled(base::Result<void> outcome) override {
        if (outcome) {
            done_(std::move(message_));
        } else {
            done_(std::unexpected(std::move(outcome).error()));
        }
    }

private:
    SegmentSpool& spool_;
    StoredMessage message_;
    Place place_;
    Committed done_;
};

class SegmentSpool::UpdatePending final : public Pending {
public:
    UpdatePending(SegmentSpool& spool, std::vector<RecipientUpdate> updates, Sync wanted, Updated done)
        : spool_(spool), updates_(std::move(updates)), done_(std::move(done)) {
        sync = wanted;
        record.head = begin_record();
        append_updates_meta(record.head, updates_);
        record.header.type = RecordType::updates;
    }
    base::Result<void> applied(Position where) override {
        spool_.note_change(where);
        base::Result<void> outcome;
        for (const auto& update : updates_) {
            if (auto done = spool_.catalogue_.update(update); !done) outcome = done;
        }
        return outcome;
    }
    void settled(base::Result<void> outcome) override {
        if (done_) done_(std::move(outcome));
    }

private:
    SegmentSpool& spool_;
    std::vector<RecipientUpdate> updates_;
    Updated done_;
};

/// A living message is written again at the head of the log, as it stands then.
class SegmentSpool::MovePending final : public Pending {
public:
    /// `failure` keeps the first error, and must outlive this.
    MovePending(SegmentSpool& spool, base::MessageId id, Position from, std::string content, base::Result<void>& failure)
        : spool_(spool), id_(id), from_(from), content_(std::move(content)), failure_(failure) {
        order = Order::behind_all;
    }
    void prepare() override {
        record = {};
        auto stored = spool_.catalogue_.find(id_);
        if (!stored && stored.error().kind != base::ErrorKind::not_found) failure_ = base::pass_on(stored);
        if (!stored || stored->where != from_) return;  // it has finished meanwhile
        record.head = begin_record();
        append_message_meta(record.head, stored->place, stored->content_size, stored->envelope);
        record.content = content_;
        record.header = {.type = RecordType::moved,
                         .content_length = static_cast<std::uint32_t>(content_.size()),
                         .id = id_,
                         .content_checksum = stored->content_checksum};
    }
    base::Result<void> applied(Position where) override {
        if (record.head.empty()) return {};
        spool_.note_change(where);
        return spool_.catalogue_.relocate(id_, where, record.head.size() + record.content.size());
    }
    void settled(base::Result<void> outcome) override {
        if (!outcome) failure_ = std::move(outcome);
    }

private:
    SegmentSpool& spool_;
    base::MessageId id_;
    Position from_;
    std::string content_;
    base::Result<void>& failure_;  // written on the committer's thread, read after a barrier
};

class SegmentSpool::DropPending final : public Pending {
public:
    DropPending(SegmentSpool& spool, base::MessageId id) : spool_(spool), id_(id) {
        record.head = begin_record();
        record.header.type = RecordType::dropped;
        record.header.id = id;
    }
    base::Result<void> applied(Position where) override {
        spool_.note_change(where);
        return spool_.catalogue_.drop(id_);
    }
    void settled(base::Result<void>) override {}

private:
    SegmentSpool& spool_;
    base::MessageId id_;
};

/// Everything before it is on stable storage and applied; `at` is called then, before anything behind it is.
class SegmentSpool::BarrierPending final : public Pending {
public:
    explicit BarrierPending(std::function<void(Position)> at) : at_(std::move(at)) {}
    base::Result<void> applied(Position where) override {
        at_(where);
        return {};
    }
    void settled(base::Result<void> outcome) override { told.set_value(std::move(outcome)); }

    std::promise<base::Result<void>> told;

private:
    std::function<void(Position)> at_;
};

/// Tells people who read the log that the index has come so far.
class SegmentSpool::MarkPending final : public Pending {
public:
    explicit MarkPending(Position position) {
        sync = Sync::no;
        record.head = begin_record();
        append_checkpoint_meta(record.head, position);
        record.header.type = RecordType::checkpoint;
    }
    base::Result<void> applied(Position) override { return {}; }
    void settled(base::Result<void>) override {}
};

// Beginning and end

base::Result<std::unique_ptr<SegmentSpool>> SegmentSpool::open(Parts parts, Options options) {
    auto lock = parts.filesystem.lock("lock");
    if (!lock) return base::pass_on(lock);
    std::unique_ptr<SegmentSpool> spool(new SegmentSpool(parts, options, *std::move(lock)));
    if (auto started = spool->start(); !started) return base::pass_on(started);
    return spool;
}

SegmentSpool::SegmentSpool(Parts parts, Options options, std::unique_ptr<FilesystemLock> lock)
    : parts_(parts), options_(options), lock_(std::move(lock)), segments_(), spares_(), catalogue_(parts.index) {
    options_.large_content.count = std::min(options_.large_content.count, kMaxContent);
}

base::Result<void> SegmentSpool::start() {
    const auto begun = parts_.clock.now();
    auto found = Recovery({.filesystem = parts_.filesystem,
                           .index = parts_.index,
                           .random = parts_.random,
                           .events = parts_.log,
                           .catalogue = catalogue_,
                           .segments = segments_,
                           .spares = spares_,
                           .segment_size = options_.segment_size,
                           .checkpoint_weight = options_.checkpoint_weight})
                     .run();
    if (!found) return base::pass_on(found);
    log_ = std::make_unique<SegmentLog>(parts_.filesystem, parts_.random, segments_, spares_,
                                        SegmentLog::Options{.segment_size = options_.segment_size.count, .spool = found->spool},
                                        found->last, found->highest);
    // What recovery cut off counts no more once the next header says so. On a full disk that may have to wait: delivery can begin
    // nevertheless.
    if (auto rolled = log_->roll(0, catalogue_.newest()); !rolled) {
        parts_.log.error("spool.no_segment", {{"error", rolled.error().detail}});
    } else if (found->last.number != 0) {
        auto file = parts_.filesystem.open(segment_path(found->last.number), Access::write);
        if (file && (*file)->truncate(found->last.end)) {
            segments_.with([&](auto& all) { all[found->last.number].allocated = found->last.end; });
        }
    }
    recovered_ = found->recovered;
    recovered_.took = parts_.clock.now() - begun;
    parts_.log.info("spool.opened", {{"messages", recovered_.messages},
                                     {"segments", recovered_.segments},
                                     {"replayed", recovered_.replayed_records},
                                     {"damaged", recovered_.damaged_records},
                                     {"torn_octets", recovered_.torn_octets},
                                     {"orphans", recovered_.orphans_removed},
                                     {"index", recovered_.index == Recovered::Index::used ? "used" : "rebuilt"},
                                     {"milliseconds", recovered_.took.count()}});
    committer_ = std::make_unique<Committer>(*log_, catalogue_, parts_.filesystem, parts_.log,
                                             Committer::Options{.reserve = options_.reserve, .unsynced_limit = options_.unsynced_limit});
    large_ = std::make_unique<Worker>();
    if (options_.upkeep_interval.count() > 0) keeper_ = std::thread([this] { keep(); });
    return {};
}

SegmentSpool::~SegmentSpool() {
    if (keeper_.joinable()) {
        {
            const std::lock_guard lock(keeper_mutex_);
            keeper_stopping_ = true;
        }
        keeper_wake_.notify_one();
        keeper_.join();
    }
    large_.reset();
    if (!committer_) return;
    std::ignore = checkpoint();  // a quick start next time; recovery does without it
    committer_->stop();
    log_->close();
}

// In

std::unique_ptr<Draft> SegmentSpool::draft(base::MessageId id) {
    return std::make_unique<SegmentDraft>(
        id, parts_.filesystem, *large_, [this] { return has_room(); },
        SegmentDraft::Limits{.in_memory = static_cast<std::size_t>(options_.large_content.count)});
}

void SegmentSpool::commit(std::unique_ptr<Draft> draft, Envelope envelope, Committed done) {
    std::unique_ptr<SegmentDraft> own(static_cast<SegmentDraft*>(draft.release()));
    if (own->is_large()) return commit_large(std::move(own), std::move(envelope), std::move(done));
    auto content = std::make_shared<const MemoryContent>(own->take_octets());
    const auto checksum = content_checksum(*content->in_memory());
    StoredMessage message{.id = own->id(), .envelope = std::move(envelope), .content = std::move(content)};
    committer_->submit(std::make_unique<CommitPending>(*this, std::move(message), Place::log, checksum, std::move(done)));
}

void SegmentSpool::commit_large(std::unique_ptr<SegmentDraft> draft, Envelope envelope, Committed done) {
    large_->post([this, draft = std::move(draft), envelope = std::move(envelope), done = std::move(done)]() mutable {
        auto finished = draft->finish_file();
        if (!finished) {
            parts_.log.error("spool.large_file_failed", {{"id", draft->id().text()}, {"error", finished.error().detail}});
            return done(base::pass_on(finished));
        }
        auto content = std::make_shared<const FileContent>(std::move(finished->file), draft->size(), finished->top);
        StoredMessage message{.id = draft->id(), .envelope = std::move(envelope), .content = std::move(content)};
        committer_->submit(
            std::make_unique<CommitPending>(*this, std::move(message), finished->place, finished->checksum, std::move(done)));
    });
}

void SegmentSpool::update(std::vector<RecipientUpdate> updates, Sync sync, Updated done) {
    committer_->submit(std::make_unique<UpdatePending>(*this, std::move(updates), sync, std::move(done)));
}

// Out

base::Result<StoredMessage> SegmentSpool::load(base::MessageId id) {
    constexpr int kTries = 3;  // a message that lies elsewhere by the time we read is looked up again
    for (int tries = 1;; ++tries) {
        auto stored = catalogue_.find(id);
        if (!stored) return base::pass_on(stored);
        auto content = load_content(id, *stored);
        if (content) return StoredMessage{.id = id, .envelope = std::move(stored->envelope), .content = *std::move(content)};
        const auto again = catalogue_.find(id);
        if (!again) return std::unexpected(again.error());
        if (again->where != stored->where && tries < kTries) continue;
        parts_.log.error("spool.load_failed", {{"id", id.text()}, {"error", content.error().detail}});
        // It lives, so its content must be somewhere: `not_found` would say that it has finished.
        if (content.error().kind == base::ErrorKind::not_found) return base::fail(base::ErrorKind::corrupt, content.error().detail);
        return base::pass_on(content);
    }
}

base::Result<std::shared_ptr<const Content>> SegmentSpool::load_content(base::MessageId id, const Stored& stored) {
    return stored.place == Place::log ? load_from_log(stored) : load_from_file(id, stored);
}

base::Result<std::shared_ptr<const Content>> SegmentSpool::load_from_log(const Stored& stored) {
    auto file = parts_.filesystem.open(segment_path(stored.where.segment), Access::read);
    if (!file) return base::pass_on(file);
    std::string octets(static_cast<std::size_t>(stored.content_size), '\0');
    auto count = (*file)->read(stored.where.offset + stored.record_octets - stored.content_size, octets);
    if (!count) return base::pass_on(count);
    if (*count != octets.size() || content_checksum(octets) != stored.content_checksum) {
        return base::fail(base::ErrorKind::corrupt, "damaged content in " + segment_path(stored.where.segment));
    }
    return std::make_shared<const MemoryContent>(std::move(octets));
}

base::Result<std::shared_ptr<const Content>> SegmentSpool::load_from_file(base::MessageId id, const Stored& stored) {
    auto file = parts_.filesystem.open(content_path(id), Access::read);
    if (!file) return base::pass_on(file);
    RunningChecksum checksum;
    std::string chunk(1U << 18, '\0');
    std::uint64_t size = 0;
    for (;;) {
        auto count = (*file)->read(size, chunk);
        if (!count) return base::pass_on(count);
        if (*count == 0) break;
        checksum.add(std::string_view(chunk).substr(0, *count));
        size += *count;
    }
    const auto expected = stored.content_size + (stored.place == Place::turned_file ? kTurnedFileMark : 0);
    if (size != expected || checksum.value() != stored.content_checksum) {
        return base::fail(base::ErrorKind::corrupt, "damaged content in " + content_path(id));
    }
    auto top = stored.place == Place::turned_file ? read_top(**file, stored.content_size) : base::Result<std::uint32_t>(0);
    if (!top) return base::pass_on(top);
    return std::make_shared<const FileContent>(*std::move(file), base::Octets{stored.content_size}, *top);
}

base::Result<std::vector<DueRecipient>> SegmentSpool::due(base::Time until, const DueRecipient* after, std::size_t limit) {
    return catalogue_.due(until, after, limit);
}

base::Result<std::vector<Listed>> SegmentSpool::list(base::MessageId after, std::size_t limit) { return catalogue_.list(after, limit); }

SpoolStats SegmentSpool::stats() {
    SpoolStats stats{.messages = catalogue_.messages(), .syncs = log_->syncs(), .commits = commits_};
    segments_.with([&](const auto& all) {
        stats.segments = all.size();
        for (const auto& [number, segment] : all) stats.disk_octets += segment.allocated;
    });
    stats.disk_octets += spares_.with([](const auto& paths) { return paths.size(); }) * options_.segment_size.count;
    stats.disk_octets += catalogue_.file_octets();
    if (const auto free = parts_.filesystem.free_space()) stats.free_octets = free->count;
    return stats;
}

base::MessageId SegmentSpool::newest() { return catalogue_.newest(); }

bool SegmentSpool::has_room() const { return committer_->has_room(); }

// Upkeep

void SegmentSpool::keep() {
    std::unique_lock lock(keeper_mutex_);
    while (!keeper_stopping_) {
        keeper_wake_.wait_for(lock, options_.upkeep_interval, [this] { return keeper_stopping_ || keeper_nudged_; });
        if (keeper_stopping_) return;
        keeper_nudged_ = false;
        lock.unlock();
        if (auto done = upkeep(); !done) parts_.log.error("spool.upkeep_failed", {{"error", done.error().detail}});
        lock.lock();
    }
}

void SegmentSpool::note_change(Position where) {
    constexpr std::uint64_t kLookEvery = 1024;
    const bool heavy = ++changes_ % kLookEvery == 0 && catalogue_.weight() >= options_.checkpoint_weight;
    const bool another_segment = std::exchange(newest_segment_, where.segment) != where.segment;
    if (heavy || another_segment) nudge_keeper();
}

void SegmentSpool::nudge_keeper() {
    const std::lock_guard lock(keeper_mutex_);
    if (std::exchange(keeper_nudged_, true)) return;
    keeper_wake_.notify_one();
}

base::Result<void> SegmentSpool::upkeep() {
    const std::lock_guard lock(upkeep_mutex_);
    committer_->refresh_room();
    if (!has_room()) drop_spares();
    if (auto done = checkpoint(); !done) return done;
    return reclaim();
}

base::Result<void> SegmentSpool::submit_and_wait(std::vector<std::unique_ptr<Pending>> pending) {
    auto barrier = std::make_unique<BarrierPending>([](Position) {});
    auto told = barrier->told.get_future();
    pending.push_back(std::move(barrier));
    committer_->submit_all(std::move(pending));
    return told.get();
}

base::Result<void> SegmentSpool::checkpoint() {
    const auto changes = changes_.load();
    if (changes == checkpointed_changes_) return {};
    if (auto done = catalogue_.write_frozen(); !done) return done;  // left over from one that failed
    std::ranges::copy(catalogue_.take_finished_files(), std::back_inserter(finished_files_));
    Position position;
    auto barrier = std::make_unique<BarrierPending>([&](Position where) {
        catalogue_.freeze(where);
        position = where;
    });
    auto told = barrier->told.get_future();
    committer_->submit(std::move(barrier));
    if (auto done = told.get(); !done) return done;
    if (auto done = catalogue_.write_frozen(); !done) return done;
    // Their last records are synced now, so no crash can want them back.
    for (const auto id : std::exchange(finished_files_, {})) std::ignore = parts_.filesystem.remove(content_path(id));
    checkpointed_changes_ = changes;
    committer_->submit(std::make_unique<MarkPending>(position));
    return {};
}

bool SegmentSpool::worth_copying(std::uint64_t live, std::uint64_t total, std::size_t segments) const {
    if (segments < options_.uncopied_segments) return false;
    return has_room() ? live * 3 < total : live * 10 < total * 9;  // without room, any tenth that comes free is welcome
}

base::Result<void> SegmentSpool::reclaim() {
    const auto sealed = segments_.with([](const auto& all) {
        std::vector<std::pair<std::uint64_t, std::uint64_t>> list;
        for (const auto& [number, segment] : all) list.emplace_back(number, segment.end - kSegmentHeaderSize);
        if (!list.empty()) list.pop_back();  // the head
        return list;
    });
    std::vector<std::uint64_t> empty;
    std::uint64_t live = 0;
    std::uint64_t total = 0;
    for (const auto& [number, use] : catalogue_.use()) live += use.octets;
    for (const auto& [number, octets] : sealed) total += octets;
    auto left = sealed.size();
    for (const auto& [number, octets] : sealed) {
        const auto use = catalogue_.use();
        if (use.contains(number)) {
            if (!worth_copying(live, total, left)) break;
            if (auto done = evacuate(number); !done) return done;
        }
        empty.push_back(number);
        total -= std::min(total, octets);
        --left;
    }
    return empty.empty() ? base::Result<void>{} : remove_segments(empty);
}

/// Appends everything that lives in a segment again.
base::Result<void> SegmentSpool::evacuate(std::uint64_t number) {
    constexpr std::uint64_t kAtOnce = 4U << 20;
    const auto segment = segments_.with([&](const auto& all) { return all.at(number); });
    auto file = parts_.filesystem.open(segment_path(number), Access::read);
    if (!file) return base::pass_on(file);
    SegmentReader reader(**file, segment.salt, kSegmentHeaderSize, segment.end);
    base::Result<void> failure;
    std::vector<std::unique_ptr<Pending>> moves;
    std::uint64_t octets = 0;
    std::uint64_t damage = 0;
    for (bool end = false; !end;) {
        auto next = reader.next();
        if (!next) return base::pass_on(next);
        end = std::holds_alternative<std::monostate>(*next);
        if (const auto* found = std::get_if<FoundDamage>(&*next)) {
            ++damage;
            quarantine(parts_.filesystem, parts_.log, number, **file, *found);
        }
        const auto* record = std::get_if<FoundRecord>(&*next);
        if (record != nullptr && (record->header.type == RecordType::message || record->header.type == RecordType::moved)) {
            const Position where{number, record->offset};
            moves.push_back(std::make_unique<MovePending>(*this, record->header.id, where, std::string(record->content), failure));
            octets += record_size(record->header);
        }
        if (!end && octets < kAtOnce) continue;
        if (auto done = submit_and_wait(std::exchange(moves, {})); !done) return done;
        if (!failure) return failure;
        octets = 0;
    }
    if (!catalogue_.use().contains(number)) return {};
    if (damage == 0) return base::fail(base::ErrorKind::corrupt, "index and log disagree about " + segment_path(number));
    return drop_unreadable(number);
}

/// What still lives in a segment that was evacuated could not be read: it is lost, and its octets are in quarantine/.
base::Result<void> SegmentSpool::drop_unreadable(std::uint64_t number) {
    auto lost = catalogue_.living_in(number);
    if (!lost) return base::pass_on(lost);
    std::vector<std::unique_ptr<Pending>> drops;
    for (const auto id : *lost) {
        parts_.log.error("spool.message_lost", {{"id", id.text()}, {"segment", segment_path(number)}});
        drops.push_back(std::make_unique<DropPending>(*this, id));
    }
    return submit_and_wait(std::move(drops));
}

base::Result<void> SegmentSpool::remove_segments(const std::vector<std::uint64_t>& numbers) {
    // The index on the disk must not need them: it must know what was moved, and that the rest is finished.
    if (auto done = checkpoint(); !done) return done;
    if (auto done = parts_.index.sync(); !done) return done;
    for (const auto number : numbers) {
        // One by one, so that after a crash no gap is left behind which something finished could come back.
        if (auto done = remove_or_keep_file(number); !done) return done;
        segments_.with([&](auto& all) { all.erase(number); });
    }
    return {};
}

base::Result<void> SegmentSpool::remove_or_keep_file(std::uint64_t number) {
    const auto allocated = segments_.with([&](const auto& all) { return all.at(number).allocated; });
    const auto spares = spares_.with([](const auto& paths) { return paths.size(); });
    const bool keep = allocated == options_.segment_size.count && spares < options_.spare_files && has_room();
    if (!keep) {
        if (auto done = parts_.filesystem.remove(segment_path(number)); !done) return done;
        return parts_.filesystem.sync_folder("log");
    }
    if (auto done = parts_.filesystem.rename(segment_path(number), spare_path(number)); !done) return done;
    if (auto done = parts_.filesystem.sync_folder("log"); !done) return done;
    spares_.with([&](auto& paths) { paths.push_back(spare_path(number)); });
    return {};
}

/// Without room on the disk, theirs is needed.
void SegmentSpool::drop_spares() {
    for (const auto& path : spares_.with([](auto& paths) { return std::exchange(paths, {}); }))
        std::ignore = parts_.filesystem.remove(path);
}

}  // namespace thurn::spool
