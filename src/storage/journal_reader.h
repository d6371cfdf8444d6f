#pragma once

#include "base/log.h"
#include "spool/filesystem.h"
#include "trace/journal.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace thurn::storage {

/// One file of the journal: `trace/20261122-013722-7.trc`, from when it was begun (UTC) and the how-manieth it is.
///
/// Shape    8 octets `thurntrc`, 4 of version, 4 of zeros; then records: 4 octets of length, 4 of checksum (the lower half of XXH3-64 of
///          what follows), and as many octets as trace::append_event() made. Numbers are little-endian. A record that is cut short, or
///          whose length cannot be, ends the file; one with a wrong checksum is passed over.
struct JournalFile {
    std::uint64_t number = 0;
    base::Time begun{};
    friend bool operator==(const JournalFile&, const JournalFile&) = default;
};
inline constexpr std::string_view kJournalFolder = "trace";
inline constexpr std::size_t kJournalRecordHead = 8;

[[nodiscard]] std::string journal_path(const JournalFile& file);
/// Nothing when the name is not one of ours.
[[nodiscard]] std::optional<JournalFile> parse_journal_name(std::string_view name);
/// In the order they were written; none when the folder is missing.
/// Errors   Those of the filesystem.
[[nodiscard]] base::Result<std::vector<JournalFile>> list_journal(spool::Filesystem& filesystem);
[[nodiscard]] std::string journal_file_head();
/// Head and payload of a record for this event.
void append_journal_record(std::string& out, const trace::Event& event);

/// Reads the journal's files, also while another process writes them.
///
/// Cost     Linear in the size of the files that may hold the answer. Records of other messages are stepped over unread.
/// Errors   Those of listing the folder. Files that cannot be read are skipped with a warning.
/// Threads  Any; reads the disk.
class JournalReader final : public trace::Journal {
public:
    /// `filesystem`: of the data folder. Precondition: `log` outlives the reader.
    JournalReader(std::shared_ptr<spool::Filesystem> filesystem, base::Log& log);
    /// Does nothing: only a running server writes.
    void append(trace::Event event) override;
    base::Result<std::vector<trace::Event>> find(base::MessageId id) override;
    base::Result<std::vector<base::MessageId>> search(const trace::Query& query) override;
    /// All events since then, as they were written: those of one message stand together but for what others wrote meanwhile.
    [[nodiscard]] base::Result<void> read(base::Time since, const std::function<void(trace::Event)>& visit);

private:
    using Visitor = std::function<void(std::string_view payload, std::uint32_t checksum)>;
    void read_files(const std::vector<JournalFile>& files, const Visitor& visit);

    std::shared_ptr<spool::Filesystem> filesystem_;  // shared with the journal that writes
    base::Log& log_;
};

}  // namespace thurn::storage
