#pragma once

#include "base/clock.h"
#include "base/guarded.h"
#include "base/result.h"
#include "mailauth/dmarc_tally.h"
#include "report/dmarc_aggregate.h"
#include "storage/sqlite.h"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace thurn::storage {

struct DmarcTallyOptions {
    std::filesystem::path path;
    std::size_t waiting = 10'000;        // observations in memory, until flush()
    std::size_t rows = 10'000;           // of one report
    std::size_t policies_of_domain = 5;  // that a domain may have in one day: each makes a report
    std::size_t reports_a_day = 50'000;  // in all
    std::chrono::days keep{10};          // after their day
};

/// What one domain is to be told of one day under one policy.
struct DmarcTally {
    std::int64_t id = 0;
    std::chrono::sys_days day{};
    std::string domain{};
    std::vector<std::string> rua{};
    std::uint64_t dropped = 0;  // messages that were too many to be in it
};

/// Counts what is observed, in memory and then in reports.db, by domain and UTC day, and keeps what was sent of it.
///
/// Limits   See the options. What is over one is counted as dropped, and what nobody could count is lost.
/// Threads  Any. add() does not touch the disk; all else blocks.
class DmarcTallyStore : public mailauth::DmarcTallies {
public:
    /// Errors   As open_report_tables().
    [[nodiscard]] static base::Result<std::unique_ptr<DmarcTallyStore>> open(DmarcTallyOptions options);

    void add(const mailauth::DmarcObservation& observation) override;
    /// Writes what waits in memory, in one transaction; on an error it waits on.
    [[nodiscard]] base::Result<void> flush();

    /// Tallies that are not finished, of days before `before`.
    [[nodiscard]] base::Result<std::vector<DmarcTally>> unfinished(std::chrono::sys_days before);
    /// Policy and records of a report about it.
    /// Errors   `not_found`.
    [[nodiscard]] base::Result<report::DmarcAggregate> load(std::int64_t tally);

    /// Where it was sent already, or does not have to be sent.
    [[nodiscard]] base::Result<std::vector<std::string>> destinations_done(std::int64_t tally);
    /// `message`: its id in the spool, or `not sent: ` and why.
    [[nodiscard]] base::Result<void> record_sent(const DmarcTally& tally, const std::string& destination, const std::string& message,
                                                 base::Time at);
    /// How many were sent since then.
    [[nodiscard]] base::Result<std::size_t> count_sent(base::Time since);
    /// Nothing more is to be sent of it; its rows are forgotten.
    [[nodiscard]] base::Result<void> finish(std::int64_t tally);
    /// Forgets what is older than it is kept, finished or not.
    [[nodiscard]] base::Result<void> forget_old(base::Time now);

private:
    DmarcTallyStore(DmarcTallyOptions options, Database database) : options_(std::move(options)), database_(std::move(database)) {}
    void put_back(std::vector<mailauth::DmarcObservation> observations);

    const DmarcTallyOptions options_;
    base::Guarded<std::vector<mailauth::DmarcObservation>> waiting_;
    base::Guarded<Database> database_;
};

}  // namespace thurn::storage
