#include "storage/received_reports.h"

#include "base/ascii.h"
#include "base/octets.h"
#include "storage/report_tables.h"

#include <algorithm>

namespace thurn::storage {
namespace {

using base::ErrorKind;
using base::pass_on;
using base::Result;
using Stored = ReceivedReports::Stored;

constexpr std::int64_t kMost = 1'000'000'000;  // of one count: nobody saw more messages, and sums of all there can be are numbers still

std::int64_t milliseconds(base::Time time) { return time.time_since_epoch().count(); }
base::Time time_at(std::int64_t number) { return base::Time(base::Duration(number)); }
/// Times of strangers: within the years that a clock shows.
base::Time time_of_seconds(std::int64_t seconds) {
    return base::Time(std::chrono::seconds(std::clamp<std::int64_t>(seconds, 0, 253'402'300'799)));
}
std::int64_t stored_count(std::uint64_t count) { return static_cast<std::int64_t>(std::min<std::uint64_t>(count, kMost)); }

std::string lower(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(), base::to_lower);
    return result;
}

/// The part of an address behind its `@`; what somebody calls himself if he gives none.
std::string submitter_of(std::string_view contact, std::string_view organization) {
    const auto at = contact.rfind('@');
    return lower(at == std::string_view::npos || at + 1 == contact.size() ? organization : contact.substr(at + 1));
}

/// `pass example.com s1, fail example.net`
template <class Results, class Detail>
std::string joined(const Results& results, Detail&& detail) {
    std::string text;
    for (const auto& result : results) {
        if (!text.empty()) text += ", ";
        text += result.result + " " + result.domain + detail(result);
    }
    return text;
}

std::string joined(const std::vector<report::DmarcOverrideReason>& reasons) {
    std::string text;
    for (const auto& reason : reasons)
        text += (text.empty() ? "" : ", ") + reason.type + (reason.comment.empty() ? "" : " (" + reason.comment + ")");
    return text;
}

bool passes(const report::DmarcReportRecord& record) { return record.dkim == "pass" || record.spf == "pass"; }

ReceivedReport describe(const report::DmarcAggregate& report, base::Time now) {
    ReceivedReport received{.kind = "dmarc",
                            .submitter = submitter_of(report.metadata.email, report.metadata.org_name),
                            .report_id = report.metadata.report_id,
                            .domain = lower(report.policy.domain),
                            .organization = report.metadata.org_name,
                            .contact = report.metadata.email,
                            .begins = time_of_seconds(report.metadata.date_range.begin),
                            .ends = time_of_seconds(report.metadata.date_range.end),
                            .stored = now,
                            .rows = report.records.size()};
    for (const auto& record : report.records) {
        const auto count = static_cast<std::uint64_t>(stored_count(record.count));
        received.messages += count;
        if (!passes(record)) received.failures += count;
    }
    return received;
}

ReceivedReport describe(const report::TlsReport& report, base::Time now) {
    ReceivedReport received{.kind = "tls",
                            .submitter = submitter_of(report.contact_info, report.organization_name),
                            .report_id = report.report_id,
                            .domain = report.policies.empty() ? "" : lower(report.policies.front().policy_domain),
                            .organization = report.organization_name,
                            .contact = report.contact_info,
                            .begins = report.begin,
                            .ends = report.end,
                            .stored = now};
    for (const auto& policy : report.policies) {
        const auto failed = static_cast<std::uint64_t>(stored_count(policy.failed_sessions));
        received.messages += static_cast<std::uint64_t>(stored_count(policy.successful_sessions)) + failed;
        received.failures += failed;
        received.rows += policy.failures.size() + 1;
    }
    return received;
}

Result<void> check_room(Database& database, const ReceivedReport& received, std::uint64_t most) {
    auto query = database.prepare("SELECT coalesce(sum(rows), 0) FROM received WHERE stored >= ?");
    if (!query) return pass_on(query);
    auto row = query->start(milliseconds(received.stored - std::chrono::days(1))).step();
    if (!row) return pass_on(row);
    if (static_cast<std::uint64_t>(query->number(0)) + received.rows <= most) return {};
    return base::fail(ErrorKind::full, "more rows of reports than are taken in a day");
}

/// Its new id; nothing if it is there already.
Result<std::optional<std::int64_t>> insert(Database& database, const ReceivedReport& received) {
    auto insert = database.prepare(
        "INSERT OR IGNORE INTO received(kind, submitter, report_id, domain, organization, contact, begins, ends, stored, rows, messages,"
        " failures) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    if (!insert) return pass_on(insert);
    const auto number = [](std::uint64_t value) { return static_cast<std::int64_t>(value); };
    auto done = insert
                    ->start(received.kind, received.submitter, received.report_id, received.domain, received.organization, received.contact,
                            milliseconds(received.begins), milliseconds(received.ends), milliseconds(received.stored),
                            number(received.rows), number(received.messages), number(received.failures))
                    .finish();
    if (!done) return pass_on(done);
    if (database.changes() == 0) return std::nullopt;
    return database.last_row();
}

Result<void> insert_rows(Database& database, std::int64_t id, const report::DmarcAggregate& report) {
    auto insert = database.prepare("INSERT INTO received_dmarc VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    if (!insert) return pass_on(insert);
    for (const auto& record : report.records) {
        const auto dkim =
            joined(record.dkim_results, [](const auto& result) { return result.selector.empty() ? "" : " " + result.selector; });
        const auto spf = joined(record.spf_results, [](const auto& result) { return result.scope.empty() ? "" : " " + result.scope; });
        const auto reasons = joined(record.reasons);
        const auto header_from = lower(record.header_from);
        auto done = insert
                        ->start(id, record.source_ip, header_from, stored_count(record.count), record.disposition, record.dkim, record.spf,
                                dkim, spf, reasons)
                        .finish();
        if (!done) return done;
    }
    return {};
}

Result<void> insert_rows(Database& database, std::int64_t id, const report::TlsReport& report) {
    auto insert = database.prepare("INSERT INTO received_tls VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
    if (!insert) return pass_on(insert);
    for (const auto& policy : report.policies) {
        const auto domain = lower(policy.policy_domain);
        auto done = insert->start(id, domain, policy.policy_type, "success", "", "", stored_count(policy.successful_sessions), "").finish();
        if (!done) return done;
        for (const auto& failure : policy.failures) {
            const auto detail =
                failure.failure_reason_code + (failure.failure_reason_code.empty() ? "" : " ") + failure.additional_information;
            done = insert
                       ->start(id, domain, policy.policy_type, failure.result_type, failure.receiving_mx_hostname, failure.sending_mta_ip,
                               stored_count(failure.failed_session_count), detail)
                       .finish();
            if (!done) return done;
        }
    }
    return {};
}

template <class Report>
Result<Stored> add_report(Database& database, const Report& report, const ReceivedReport& received, std::uint64_t most) {
    auto transaction = Transaction::begin(database);
    if (!transaction) return pass_on(transaction);
    if (auto room = check_room(database, received, most); !room) return pass_on(room);
    const auto id = insert(database, received);
    if (!id) return std::unexpected(id.error());
    if (!*id) return Stored::known;
    if (auto done = insert_rows(database, **id, report); !done) return pass_on(done);
    if (auto done = transaction->commit(); !done) return pass_on(done);
    return Stored::added;
}

constexpr const char* kReceivedColumns =
    "SELECT id, kind, submitter, report_id, domain, organization, contact, begins, ends, stored, rows, messages, failures FROM received ";

ReceivedReport read_received(const Statement& row) {
    const auto count = [&](int column) { return static_cast<std::uint64_t>(row.number(column)); };
    return {.id = row.number(0),
            .kind = row.text(1),
            .submitter = row.text(2),
            .report_id = row.text(3),
            .domain = row.text(4),
            .organization = row.text(5),
            .contact = row.text(6),
            .begins = time_at(row.number(7)),
            .ends = time_at(row.number(8)),
            .stored = time_at(row.number(9)),
            .rows = count(10),
            .messages = count(11),
            .failures = count(12)};
}

ReceivedRow read_dmarc_row(const Statement& row) {
    return {.source = row.text(0),
            .header_from = row.text(1),
            .count = static_cast<std::uint64_t>(row.number(2)),
            .disposition = row.text(3),
            .dkim = row.text(4),
            .spf = row.text(5),
            .dkim_results = row.text(6),
            .spf_results = row.text(7),
            .reasons = row.text(8)};
}

ReceivedRow read_tls_row(const Statement& row) {
    return {.source = row.text(0),
            .header_from = row.text(1),
            .count = static_cast<std::uint64_t>(row.number(2)),
            .disposition = row.text(3),
            .reasons = row.text(5),
            .host = row.text(4)};
}

SourceSummary read_summary(const Statement& row) {
    const auto count = [&](int column) { return static_cast<std::uint64_t>(row.number(column)); };
    return {.domain = row.text(0),
            .source = row.text(1),
            .messages = count(2),
            .passed = count(3),
            .dkim = count(4),
            .spf = count(5),
            .refused = count(6),
            .reporters = count(7)};
}

/// All rows of a query, each read by `read`.
template <class Read, class... Values>
auto collect(Database& database, const std::string& sql, Read&& read, const Values&... values)
    -> Result<std::vector<decltype(read(std::declval<const Statement&>()))>> {
    auto query = database.prepare(sql);
    if (!query) return pass_on(query);
    query->start(values...);
    std::vector<decltype(read(*query))> all;
    for (;;) {
        auto row = query->step();
        if (!row) return pass_on(row);
        if (!*row) return all;
        all.push_back(read(*query));
    }
}

std::int64_t since_of(const ReceivedFilter& filter) { return filter.since ? milliseconds(*filter.since) : 0; }
std::int64_t limit_of(const ReceivedFilter& filter) { return static_cast<std::int64_t>(filter.limit); }

}  // namespace

Result<std::unique_ptr<ReceivedReports>> ReceivedReports::open(ReceivedReportOptions options) {
    auto database = open_report_tables(options.path);
    if (!database) return pass_on(database);
    return std::unique_ptr<ReceivedReports>(new ReceivedReports(std::move(options), *std::move(database)));
}

Result<Stored> ReceivedReports::add(const report::DmarcAggregate& report, base::Time now) {
    return database_.with([&](Database& database) { return add_report(database, report, describe(report, now), options_.rows_a_day); });
}
Result<Stored> ReceivedReports::add(const report::TlsReport& report, base::Time now) {
    return database_.with([&](Database& database) { return add_report(database, report, describe(report, now), options_.rows_a_day); });
}

Result<std::vector<ReceivedReport>> ReceivedReports::list(const ReceivedFilter& filter) {
    const std::string sql =
        std::string(kReceivedColumns) + "WHERE (? = '' OR domain = ?) AND ends >= ? ORDER BY ends DESC, id DESC LIMIT ?";
    const auto domain = lower(filter.domain);
    return database_.with(
        [&](Database& database) { return collect(database, sql, read_received, domain, domain, since_of(filter), limit_of(filter)); });
}

Result<ReceivedReport> ReceivedReports::find(std::int64_t id) {
    auto found = database_.with(
        [&](Database& database) { return collect(database, std::string(kReceivedColumns) + "WHERE id = ?", read_received, id); });
    if (!found) return pass_on(found);
    if (found->empty()) return base::fail(ErrorKind::not_found, "there is no report " + std::to_string(id));
    return std::move(found->front());
}

Result<std::vector<ReceivedRow>> ReceivedReports::rows(const ReceivedReport& report) {
    return database_.with([&](Database& database) {
        if (report.kind == "tls")
            return collect(database, "SELECT source, domain, count, result, host, detail FROM received_tls WHERE report = ? ORDER BY rowid",
                           read_tls_row, report.id);
        return collect(database,
                       "SELECT source, header_from, count, disposition, dkim, spf, dkim_results, spf_results, reasons FROM received_dmarc"
                       " WHERE report = ? ORDER BY count DESC, rowid",
                       read_dmarc_row, report.id);
    });
}

Result<std::vector<SourceSummary>> ReceivedReports::summarize(const ReceivedFilter& filter) {
    constexpr const char* kSql =
        "SELECT header_from, source, sum(count), sum(count * (dkim = 'pass' OR spf = 'pass')), sum(count * (dkim = 'pass')),"
        " sum(count * (spf = 'pass')), sum(count * (disposition IN ('quarantine', 'reject'))), count(DISTINCT submitter)"
        " FROM received JOIN received_dmarc ON report = received.id"
        " WHERE (? = '' OR domain = ? OR header_from = ?) AND ends >= ?"
        " GROUP BY header_from, source ORDER BY 3 DESC, 1, 2 LIMIT ?";
    const auto domain = lower(filter.domain);
    return database_.with([&](Database& database) {
        return collect(database, kSql, read_summary, domain, domain, domain, since_of(filter), limit_of(filter));
    });
}

Result<void> ReceivedReports::forget_old(base::Time now) {
    return database_.with([&](Database& database) -> Result<void> {
        auto statement = database.prepare("DELETE FROM received WHERE stored < ?");
        if (!statement) return pass_on(statement);
        return statement->start(milliseconds(now - options_.keep)).finish();
    });
}

}  // namespace thurn::storage
