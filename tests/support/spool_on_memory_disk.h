#pragma once

#include "spool/segment_spool.h"
#include "support/fake_clock.h"
#include "support/fake_random.h"
#include "support/memory_filesystem.h"
#include "support/memory_index.h"
#include "support/memory_log.h"

#include <future>

namespace thurn::support {

/// A SegmentSpool with all its parts in memory, that can be crashed and opened again. Its upkeep is only done when asked for.
class SpoolOnMemoryDisk {
public:
    static spool::SegmentSpool::Options small_options() {
        return {.reserve = base::kibibytes(64),
                .segment_size = base::kibibytes(16),
                .large_content = base::kibibytes(4),
                .unsynced_limit = base::kibibytes(4),
                .checkpoint_weight = 40,
                .spare_files = 2,
                .uncopied_segments = 3,
                .upkeep_interval = std::chrono::milliseconds(0)};
    }
    explicit SpoolOnMemoryDisk(std::uint64_t seed = 1, spool::SegmentSpool::Options options_of_it = small_options())
        : disk(seed), index(seed), random(seed), options(options_of_it) {}

    [[nodiscard]] base::Result<void> open() {
        auto opened =
            spool::SegmentSpool::open({.filesystem = disk, .index = index, .clock = clock, .random = random, .log = log}, options);
        if (!opened) return base::pass_on(opened);
        spool = *std::move(opened);
        return {};
    }
    /// Power failure: what was not synced is partly lost.
    void crash() {
        disk.fail(1, MemoryFilesystem::Failing::from_then_on);  // so that closing writes nothing
        index.fail();
        spool.reset();
        disk.crash();
        index.crash();
    }
    /// As kill -9: what was written stays.
    void kill() {
        disk.fail(1, MemoryFilesystem::Failing::without_effect);
        spool.reset();
        disk.end_process();
    }

    [[nodiscard]] base::Result<spool::StoredMessage> commit(base::MessageId id, std::string_view content, spool::Envelope envelope) {
        return wait_commit(begin_commit(id, content, std::move(envelope)));
    }
    using Promised = std::future<base::Result<spool::StoredMessage>>;
    /// Of every other message the beginning comes last, as it does from the network.
    [[nodiscard]] Promised begin_commit(base::MessageId id, std::string_view content, spool::Envelope envelope) {
        std::promise<base::Result<spool::StoredMessage>> promise;
        auto promised = promise.get_future();
        auto draft = spool->draft(id);
        const std::size_t top = id.value % 2 == 0 ? 0 : content.size() / 3;
        base::Result<void> done;
        for (std::size_t at = top; at < content.size() && done; at += kChunk) done = draft->append(content.substr(at, kChunk));
        if (done && top > 0) done = draft->put_on_top(content.substr(0, top));
        if (!done) {
            promise.set_value(base::pass_on(done));
            return promised;
        }
        spool->commit(std::move(draft), std::move(envelope),
                      [promise = std::move(promise)](auto outcome) mutable { promise.set_value(std::move(outcome)); });
        return promised;
    }
    [[nodiscard]] static base::Result<spool::StoredMessage> wait_commit(Promised promised) { return promised.get(); }
    [[nodiscard]] base::Result<void> update(std::vector<spool::RecipientUpdate> updates, spool::Sync sync = spool::Sync::yes) {
        std::promise<base::Result<void>> promise;
        auto promised = promise.get_future();
        spool->update(std::move(updates), sync, [&](auto outcome) { promise.set_value(std::move(outcome)); });
        return promised.get();
    }

    MemoryFilesystem disk;
    MemoryIndex index;
    FakeClock clock;
    FakeRandom random;
    MemoryLog log;
    spool::SegmentSpool::Options options;
    std::unique_ptr<spool::SegmentSpool> spool;

private:
    static constexpr std::size_t kChunk = 1000;
};

}  // namespace thurn::support
