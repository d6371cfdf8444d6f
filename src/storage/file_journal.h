#pragma once

#include "base/clock.h"
#include "base/log.h"
#include "base/octets.h"
#include "spool/filesystem.h"
#include "storage/journal_reader.h"
#include "trace/journal.h"

#include <chrono>
#include <memory>

namespace thurn::storage {

struct FileJournalOptions {
    base::Octets file_size = base::mebibytes(64);             // then the next file is begun
    base::Octets total_size = base::mebibytes(4096);          // the oldest files go when there is more,
    std::chrono::seconds keep = std::chrono::hours(24 * 30);  // or when all their events are older
    base::Octets buffer = base::mebibytes(16);                // of events that wait for the disk; more are dropped and counted
    base::Octets write_at = base::kibibytes(256);             // written as soon as so much has come together,
    std::chrono::milliseconds write_after{50};                // or so long after the first event
};

/// The journal in files below data_dir/trace, written by a thread of its own.
///
/// Cost     append() packs the event and copies it under a short lock; it never waits for the disk.
/// Disk     A disk that stalls or fails costs events, never mail: they are dropped, counted, and the log is told once when it begins and
///          once when it is over. Nothing is synced. Every start and every failure begins a new file, so a torn end stays where it is.
/// Reading  find() and search() write out first what is in memory. For another process: JournalReader.
/// Threads  Any.
class FileJournal final : public trace::Journal {
public:
    /// `filesystem`: of the data folder. Precondition: `clock` and `log` outlive the journal.
    /// Errors   `disk`, `refused`: the folder can neither be made nor read.
    [[nodiscard]] static base::Result<std::unique_ptr<FileJournal>> open(std::shared_ptr<spool::Filesystem> filesystem,
                                                                         FileJournalOptions options, const base::Clock& clock,
                                                                         base::Log& log);
    /// Writes out what is in memory.
    ~FileJournal() override;

    void append(trace::Event event) override;
    base::Result<std::vector<trace::Event>> find(base::MessageId id) override;
    base::Result<std::vector<base::MessageId>> search(const trace::Query& query) override;

    /// Waits until everything appended so far can be read from the files, or was lost; ten seconds at most.
    void flush();
    /// Events lost since the start.
    [[nodiscard]] std::uint64_t dropped() const;

private:
    struct State;
    explicit FileJournal(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace thurn::storage
