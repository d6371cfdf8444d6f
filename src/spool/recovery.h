#pragma once

#include "base/log.h"
#include "spool/catalogue.h"
#include "spool/segment_log.h"
#include "spool/segment_reader.h"

namespace thurn::spool {

/// What was found when a spool was opened.
struct Recovered {
    std::uint64_t messages = 0;
    std::uint64_t segments = 0;
    std::uint64_t replayed_records = 0;
    std::uint64_t damaged_records = 0;   // stretches of damage, each copied to quarantine/
    std::uint64_t torn_octets = 0;       // cut off behind the last whole record
    std::uint64_t missing_segments = 0;  // in the middle of the log
    std::uint64_t orphans_removed = 0;   // content files that belong to no message
    enum class Index { used, rebuilt } index = Index::used;
    base::Duration took{};
};

/// Finds out what the log holds and brings the catalogue to it.
///
/// Errors   `disk`; `invalid`: written by a later version of this program; `corrupt`: the index fails even after it was cleared.
/// Threads  One; nobody else may use the parts meanwhile.
class Recovery {
public:
    struct Parts {
        Filesystem& filesystem;
        Index& index;
        base::Random& random;
        base::Log& events;
        Catalogue& catalogue;
        Segments& segments;
        SpareSegments& spares;
        base::Octets segment_size;      // of a file that may be a spare
        std::size_t checkpoint_weight;  // recipients held in memory before they go to the index
    };
    explicit Recovery(Parts parts) : parts_(parts) {}

    struct Outcome {
        Recovered recovered;
        std::uint64_t spool = 0;    // identity
        SegmentLog::Sealed last;    // where to go on
        std::uint64_t highest = 0;  // number of any segment file
    };
    [[nodiscard]] base::Result<Outcome> run();

private:
    struct Found {
        std::optional<SegmentHeader> header;
        std::uint64_t size = 0;
        std::optional<std::uint64_t> salt;
        std::optional<std::uint64_t> end;  // known when a later segment tells it
        bool counts = true;                // false: a later segment says that it was given up before it held anything
    };
    [[nodiscard]] base::Result<void> survey();
    [[nodiscard]] base::Result<Found> look_at(std::uint64_t number);
    [[nodiscard]] base::Result<void> collect_spare(const std::string& path);
    void connect();
    [[nodiscard]] base::Result<void> set_aside_unreadable();
    [[nodiscard]] base::Result<void> sync_last();
    [[nodiscard]] std::optional<IndexState> usable_index();
    [[nodiscard]] base::Result<void> bring_up_catalogue();
    [[nodiscard]] base::Result<void> rebuild();
    [[nodiscard]] base::Result<void> replay(Position from);
    [[nodiscard]] base::Result<void> replay_segment(std::uint64_t number, std::uint64_t from);
    [[nodiscard]] base::Result<void> apply(std::uint64_t segment, const FoundRecord& record);
    [[nodiscard]] base::Result<void> apply_message(std::uint64_t segment, const FoundRecord& record);
    void report_damage(std::uint64_t segment, const File& file, const FoundDamage& damage);
    [[nodiscard]] base::Result<void> remove_orphans();

    Parts parts_;
    Outcome outcome_;
    std::map<std::uint64_t, Found> found_;
};

/// Copies octets of a segment to quarantine/, for people to look at. Failing at it is only logged.
void quarantine(Filesystem& filesystem, base::Log& events, std::uint64_t segment, const File& file, const FoundDamage& damage);

}  // namespace thurn::spool
