#include "storage/report_tables.h"

namespace thurn::storage {
namespace {

using base::ErrorKind;
using base::pass_on;
using base::Result;

constexpr std::int64_t kSchemaVersion = 1;

// A tally is what one domain is to be told of one UTC day, under one policy: if it changes its record during the day there are two. Their
// ids are never used again, as `sent` outlives them. Policy
// and rows are kept as the XML they will be sent as. A received report is known by who sent it and the id he gave it.
constexpr const char* kSchema = R"sql(
CREATE TABLE tally(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    day INTEGER NOT NULL,
    domain TEXT NOT NULL,
    policy TEXT NOT NULL,
    rua TEXT NOT NULL,
    rows INTEGER NOT NULL DEFAULT 0,
    dropped INTEGER NOT NULL DEFAULT 0,
    finished INTEGER NOT NULL DEFAULT 0 CHECK (finished IN (0, 1)),
    UNIQUE (day, domain, policy)
) STRICT;
CREATE TABLE tally_row(
    tally INTEGER NOT NULL REFERENCES tally(id) ON DELETE CASCADE,
    record TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (tally, record)
) STRICT, WITHOUT ROWID;
CREATE TABLE sent(
    at INTEGER NOT NULL,
    day INTEGER NOT NULL,
    domain TEXT NOT NULL,
    tally INTEGER NOT NULL,
    destination TEXT NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY (tally, destination)
) STRICT, WITHOUT ROWID;
CREATE INDEX sent_at ON sent(at);
CREATE TABLE received(
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('dmarc', 'tls')),
    submitter TEXT NOT NULL,
    report_id TEXT NOT NULL,
    domain TEXT NOT NULL,
    organization TEXT NOT NULL,
    contact TEXT NOT NULL,
    begins INTEGER NOT NULL,
    ends INTEGER NOT NULL,
    stored INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    messages INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    UNIQUE (kind, submitter, report_id, domain)
) STRICT;
CREATE INDEX received_stored ON received(stored);
CREATE INDEX received_domain ON received(domain, ends);
CREATE TABLE received_dmarc(
    report INTEGER NOT NULL REFERENCES received(id) ON DELETE CASCADE,
    source TEXT NOT NULL,
    header_from TEXT NOT NULL,
    count INTEGER NOT NULL,
    disposition TEXT NOT NULL,
    dkim TEXT NOT NULL,
    spf TEXT NOT NULL,
    dkim_results TEXT NOT NULL,
    spf_results TEXT NOT NULL,
    reasons TEXT NOT NULL
) STRICT;
CREATE INDEX received_dmarc_report ON received_dmarc(report);
CREATE TABLE received_tls(
    report INTEGER NOT NULL REFERENCES received(id) ON DELETE CASCADE,
    domain TEXT NOT NULL,
    policy TEXT NOT NULL,
    result TEXT NOT NULL,
    host TEXT NOT NULL,
    source TEXT NOT NULL,
    count INTEGER NOT NULL,
    detail TEXT NOT NULL
) STRICT;
CREATE INDEX received_tls_report ON received_tls(report);
PRAGMA user_version = 1;
)sql";

Result<std::int64_t> schema_version(Database& database) {
    auto query = database.prepare("PRAGMA user_version");
    if (!query) return pass_on(query);
    auto row = query->start().step();
    if (!row) return pass_on(row);
    return query->number(0);
}

}  // namespace

Result<Database> open_report_tables(const std::filesystem::path& path) {
    auto database = Database::open({.path = path});
    if (!database) return database;
    auto transaction = Transaction::begin(*database);  // another process may open the new file at the same moment
    if (!transaction) return pass_on(transaction);
    const auto version = schema_version(*database);
    if (!version) return std::unexpected(version.error());
    if (*version > kSchemaVersion) return base::fail(ErrorKind::invalid, "reports database: made by a newer version of thurn");
    if (*version == 0)
        if (auto made = database->run(kSchema); !made) return pass_on(made);
    if (auto committed = transaction->commit(); !committed) return pass_on(committed);
    return database;
}

}  // namespace thurn::storage
