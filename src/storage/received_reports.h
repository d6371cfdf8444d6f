#pragma once

#include "base/clock.h"
#include "base/guarded.h"
#include "base/result.h"
#include "report/dmarc_aggregate.h"
#include "report/tls_report.h"
#include "storage/sqlite.h"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace thurn::storage {

struct ReceivedReportOptions {
    std::filesystem::path path;
    std::uint64_t rows_a_day = 1'000'000;  // of all reports: anybody can send some
    std::chrono::days keep{400};
};

/// One report somebody sent us.
/// Shape    `messages` were seen (sessions of a TLS report), of which `failures` failed. `kind` is `dmarc` or `tls`.
struct ReceivedReport {
    std::int64_t id = 0;
    std::string kind{};
    std::string submitter{};  // the domain he writes from, lower case, or what he calls himself
    std::string report_id{};
    std::string domain{};  // whose mail it is about
    std::string organization{};
    std::string contact{};
    base::Time begins{};
    base::Time ends{};
    base::Time stored{};
    std::uint64_t rows = 0;
    std::uint64_t messages = 0;
    std::uint64_t failures = 0;
};

/// One row of a report: of a DMARC report who sent, of a TLS report what failed where.
struct ReceivedRow {
    std::string source{};       // address that sent
    std::string header_from{};  // dmarc; of tls: the policy's domain
    std::uint64_t count = 0;
    std::string disposition{};  // dmarc; of tls: the result type, `success` for those without
    std::string dkim{};         // aligned: pass, fail
    std::string spf{};
    std::string dkim_results{};  // `pass example.com s1, …`
    std::string spf_results{};
    std::string reasons{};
    std::string host{};  // tls: the receiving host
};

/// Who sent as a domain of ours, over all DMARC reports.
struct SourceSummary {
    std::string domain{};
    std::string source{};
    std::uint64_t messages = 0;
    std::uint64_t passed = 0;   // DMARC
    std::uint64_t dkim = 0;     // aligned
    std::uint64_t spf = 0;      // aligned
    std::uint64_t refused = 0;  // quarantined or rejected
    std::uint64_t reporters = 0;
};

struct ReceivedFilter {
    std::string domain{};               // empty: all
    std::optional<base::Time> since{};  // reports that end at or after it
    std::size_t limit = 1000;
};

/// Reports of others, as they came; each is kept once, whoever brings it again.
///
/// Limits   See the options.
/// Threads  Any; all blocks.
class ReceivedReports {
public:
    /// Errors   As open_report_tables().
    [[nodiscard]] static base::Result<std::unique_ptr<ReceivedReports>> open(ReceivedReportOptions options);

    enum class Stored { added, known };
    /// Errors   `full`: more rows than are taken in a day.
    [[nodiscard]] base::Result<Stored> add(const report::DmarcAggregate& report, base::Time now);
    [[nodiscard]] base::Result<Stored> add(const report::TlsReport& report, base::Time now);

    /// The newest first.
    [[nodiscard]] base::Result<std::vector<ReceivedReport>> list(const ReceivedFilter& filter);
    /// Errors   `not_found`.
    [[nodiscard]] base::Result<ReceivedReport> find(std::int64_t id);
    [[nodiscard]] base::Result<std::vector<ReceivedRow>> rows(const ReceivedReport& report);
    /// The busiest first.
    [[nodiscard]] base::Result<std::vector<SourceSummary>> summarize(const ReceivedFilter& filter);
    [[nodiscard]] base::Result<void> forget_old(base::Time now);

private:
    ReceivedReports(ReceivedReportOptions options, Database database) : options_(std::move(options)), database_(std::move(database)) {}
    const ReceivedReportOptions options_;
    base::Guarded<Database> database_;
};

}  // namespace thurn::storage
