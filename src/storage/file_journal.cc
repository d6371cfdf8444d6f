#include "storage/file_journal.h"

#include "trace/encoding.h"

#include <array>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

// Many threads append packed events to one string; the writer swaps it for an empty one and writes it whole, so that the lock is held for a
// copy of some hundred octets at most. The writer sleeps while there is nothing; the first event wakes it, and it waits a little for more.

namespace thurn::storage {
namespace {

using base::Result;

constexpr std::chrono::seconds kFlushLimit{10};
constexpr std::chrono::seconds kPauseAfterFailure{1};  // of the disk's clock; a broken disk is not asked with every event
constexpr std::chrono::minutes kRetentionEvery{10};

/// The file at the end of the journal, and which of the old ones go. The writer's thread only.
class JournalTail {
public:
    JournalTail(std::shared_ptr<spool::Filesystem> filesystem, const FileJournalOptions& options, const base::Clock& clock,
                std::uint64_t next)
        : filesystem_(std::move(filesystem)), options_(options), clock_(clock), next_(next) {}

    /// Errors   The octets are lost, or the last of them; the next write begins a new file.
    Result<void> write(std::string_view octets) {
        if (!file_) {
            if (auto begun = begin(); !begun) return begun;
        }
        const std::array slices{octets};
        auto written = file_->write(size_, slices);
        size_ += octets.size();
        if (!written || size_ >= options_.file_size.count) file_.reset();
        return written;
    }

    /// Removes what is too old or too much. Every ten minutes and when a file was begun; cheap otherwise.
    void retire() {
        const base::Time now = clock_.now();
        const bool due = begun_new_ || now < retired_ || now - retired_ >= kRetentionEvery;
        if (!due) return;
        begun_new_ = false;
        retired_ = now;
        const auto files = list_journal(*filesystem_);
        if (!files) return;  // tried again later
        retire_of(*files, now);
    }

private:
    Result<void> begin() {
        const JournalFile next{.number = next_++, .begun = clock_.now()};
        auto file = filesystem_->open(journal_path(next), spool::Access::create);
        if (!file) return base::pass_on(file);
        const std::string head = journal_file_head();
        const std::array<std::string_view, 1> slices{head};
        if (auto written = (*file)->write(0, slices); !written) return written;
        file_ = *std::move(file);
        size_ = head.size();
        begun_new_ = true;
        return {};
    }

    void retire_of(const std::vector<JournalFile>& files, base::Time now) {
        std::uint64_t total = 0;
        // From the newest, which always stays, to the oldest.
        for (std::size_t i = files.size(); i-- > 0;) {
            const std::string path = journal_path(files[i]);
            total += size_of(path);
            const bool newest = i + 1 == files.size();
            const bool too_old = !newest && files[i + 1].begun >= files[i].begun && files[i + 1].begun + options_.keep < now;
            if (!newest && (too_old || total > options_.total_size.count)) static_cast<void>(filesystem_->remove(path));  // else next time
        }
    }

    [[nodiscard]] std::uint64_t size_of(const std::string& path) const {
        const auto file = filesystem_->open(path, spool::Access::read);
        if (!file) return 0;
        return (*file)->size().value_or(0);
    }

    std::shared_ptr<spool::Filesystem> filesystem_;
    const FileJournalOptions& options_;
    const base::Clock& clock_;
    std::unique_ptr<spool::File> file_;
    std::uint64_t size_ = 0;
    std::uint64_t next_;
    base::Time retired_{};
    bool begun_new_ = true;
};

}  // namespace

struct FileJournal::State {
    State(std::shared_ptr<spool::Filesystem> given, FileJournalOptions chosen, const base::Clock& clock, base::Log& where,
          std::uint64_t next)
        : options(chosen), log(where), reader(given, where), tail(std::move(given), options, clock, next) {}

    const FileJournalOptions options;
    base::Log& log;
    JournalReader reader;
    JournalTail tail;
    std::thread writer;

    std::mutex mutex;
    std::condition_variable wanted;   // the writer waits
    std::condition_variable settled;  // flush() waits
    // Under the mutex:
    std::string waiting;
    std::uint64_t waiting_events = 0;
    std::uint64_t appended = 0;  // events taken into `waiting` so far
    std::uint64_t done = 0;      // events written or lost by the writer so far
    std::uint64_t dropped = 0;
    bool full = false;     // since the last time the buffer was emptied, events were dropped
    bool hurried = false;  // somebody waits in flush()
    bool stopping = false;

    void run();
    [[nodiscard]] bool await_work(std::unique_lock<std::mutex>& lock);
    void write_out(const std::string& octets, std::uint64_t events);
    void report(const Result<void>& outcome, std::uint64_t events);
    void report_end_of_dropping(std::uint64_t dropped_before);

    // The writer's own:
    std::uint64_t failed_events = 0;
    std::chrono::steady_clock::time_point not_before{};
};

void FileJournal::State::run() {
    std::string batch;
    std::unique_lock lock(mutex);
    while (await_work(lock)) {
        batch.clear();
        std::swap(batch, waiting);
        const std::uint64_t events = std::exchange(waiting_events, 0);
        const std::uint64_t dropped_before = dropped;
        hurried = false;
        lock.unlock();
        write_out(batch, events);
        if (batch.capacity() > 4 * options.write_at.count) batch = {};  // a burst's memory is given back
        report_end_of_dropping(dropped_before);
        lock.lock();
        done += events;
        settled.notify_all();
    }
}

/// It is over when the disk took a whole batch while nothing was dropped.
void FileJournal::State::report_end_of_dropping(std::uint64_t dropped_before) {
    std::unique_lock lock(mutex);
    if (!full || dropped != dropped_before) return;
    full = false;
    lock.unlock();
    log.info("trace.keeping_up_again", {{"dropped_since_start", dropped_before}});
}

/// False when nothing is left to do for ever.
bool FileJournal::State::await_work(std::unique_lock<std::mutex>& lock) {
    wanted.wait(lock, [this] { return !waiting.empty() || stopping; });
    wanted.wait_for(lock, options.write_after, [this] { return waiting.size() >= options.write_at.count || hurried || stopping; });
    return !waiting.empty();
}

void FileJournal::State::write_out(const std::string& octets, std::uint64_t events) {
    const auto now = std::chrono::steady_clock::now();
    if (now < not_before) {
        failed_events += events;
        const std::lock_guard lock(mutex);
        dropped += events;
        return;
    }
    report(tail.write(octets), events);
    tail.retire();
}

/// Tells the log when failing begins and when it ends, not for every event.
void FileJournal::State::report(const Result<void>& outcome, std::uint64_t events) {
    if (outcome) {
        if (failed_events > 0) log.info("trace.written_again", {{"lost", failed_events}});
        failed_events = 0;
        return;
    }
    if (failed_events == 0) log.error("trace.write_failed", {{"reason", outcome.error().detail}});
    failed_events += events;
    not_before = std::chrono::steady_clock::now() + kPauseAfterFailure;
    const std::lock_guard lock(mutex);
    dropped += events;
}

Result<std::unique_ptr<FileJournal>> FileJournal::open(std::shared_ptr<spool::Filesystem> filesystem, FileJournalOptions options,
                                                       const base::Clock& clock, base::Log& log) {
    if (auto made = filesystem->make_folder(std::string(kJournalFolder)); !made) return base::pass_on(made);
    const auto files = list_journal(*filesystem);
    if (!files) return std::unexpected(files.error());
    const std::uint64_t next = files->empty() ? 1 : files->back().number + 1;
    return std::unique_ptr<FileJournal>(new FileJournal(std::make_unique<State>(std::move(filesystem), options, clock, log, next)));
}

FileJournal::FileJournal(std::unique_ptr<State> state) : state_(std::move(state)) {
    state_->writer = std::thread([inner = state_.get()] { inner->run(); });
}

FileJournal::~FileJournal() {
    {
        const std::lock_guard lock(state_->mutex);
        state_->stopping = true;
    }
    state_->wanted.notify_one();
    state_->writer.join();
}

void FileJournal::append(trace::Event event) {
    std::string record;
    record.reserve(512);
    append_journal_record(record, event);
    bool wake = false;
    bool newly_full = false;
    {
        const std::lock_guard lock(state_->mutex);
        if (state_->waiting.size() + record.size() > state_->options.buffer.count) {
            ++state_->dropped;
            newly_full = !std::exchange(state_->full, true);
        } else {
            const std::size_t before = state_->waiting.size();
            state_->waiting += record;
            ++state_->waiting_events;
            ++state_->appended;
            const std::size_t mark = state_->options.write_at.count;
            wake = before == 0 || (before < mark && before + record.size() >= mark);
        }
    }
    if (wake) state_->wanted.notify_one();
    if (newly_full) state_->log.warning("trace.dropping", {{"reason", "the disk does not keep up"}});
}

Result<std::vector<trace::Event>> FileJournal::find(base::MessageId id) {
    flush();
    return state_->reader.find(id);
}

Result<std::vector<base::MessageId>> FileJournal::search(const trace::Query& query) {
    flush();
    return state_->reader.search(query);
}

void FileJournal::flush() {
    std::unique_lock lock(state_->mutex);
    const std::uint64_t ticket = state_->appended;
    if (state_->done >= ticket) return;
    state_->hurried = true;
    state_->wanted.notify_one();
    state_->settled.wait_for(lock, kFlushLimit, [&] { return state_->done >= ticket; });
}

std::uint64_t FileJournal::dropped() const {
    const std::lock_guard lock(state_->mutex);
    return state_->dropped;
}

}  // namespace thurn::storage
