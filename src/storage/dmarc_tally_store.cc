#include "storage/dmarc_tally_store.h"

#include "storage/report_tables.h"

#include <map>
#include <optional>
#include <set>

namespace thurn::storage {
namespace {

using base::ErrorKind;
using base::pass_on;
using base::Result;
using mailauth::DmarcObservation;
using std::chrono::sys_days;

std::int64_t day_number(sys_days day) { return day.time_since_epoch().count(); }
std::int64_t milliseconds(base::Time time) { return time.time_since_epoch().count(); }

/// What one tally is known by.
struct TallyKey {
    std::int64_t day;
    std::string domain;
    std::string policy;
    auto operator<=>(const TallyKey&) const = default;
};
struct Counted {
    std::string rua;
    std::map<std::string, std::int64_t> rows;
};

std::string joined(const std::vector<std::string>& lines) {
    std::string text;
    for (const auto& line : lines) text += line + "\n";
    return text;
}
std::vector<std::string> split(std::string_view text) {
    std::vector<std::string> lines;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        lines.emplace_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return lines;
}

std::map<TallyKey, Counted> count(const std::vector<DmarcObservation>& observations) {
    std::map<TallyKey, Counted> counted;
    for (const auto& observation : observations) {
        auto policy = describe_policy(observation);
        const auto day = std::chrono::floor<std::chrono::days>(observation.when);
        auto& tally = counted[{day_number(day), policy.domain, render_dmarc_policy(policy)}];
        tally.rua = joined(observation.verdict.record->rua);
        ++tally.rows[render_dmarc_record(describe_message(observation))];
    }
    return counted;
}

/// Writes counts; lives as long as the transaction.
class Writer {
public:
    Writer(Database& database, const DmarcTallyOptions& options) : database_(database), options_(options) {}

    Result<void> prepare() {
        const std::pair<Statement*, const char*> statements[] = {
            {&find_, "SELECT id, rows FROM tally WHERE day = ? AND domain = ? AND policy = ?"},
            {&count_, "SELECT count(*), coalesce(sum(domain = ?), 0) FROM tally WHERE day = ?"},
            {&make_, "INSERT INTO tally(day, domain, policy, rua) VALUES (?, ?, ?, ?)"},
            {&again_, "UPDATE tally_row SET count = count + ? WHERE tally = ? AND record = ?"},
            {&insert_, "INSERT INTO tally_row(tally, record, count) VALUES (?, ?, ?)"},
            {&update_, "UPDATE tally SET rua = ?, rows = ?, dropped = dropped + ? WHERE id = ?"}};
        for (const auto& [statement, sql] : statements) {
            auto prepared = database_.prepare(sql);
            if (!prepared) return pass_on(prepared);
            *statement = *std::move(prepared);
        }
        return {};
    }

    Result<void> write(const TallyKey& key, const Counted& counted) {
        auto tally = find_or_make(key, counted);
        if (!tally) return pass_on(tally);
        if (!*tally) return {};
        std::int64_t dropped = 0;
        for (const auto& [record, messages] : counted.rows) {
            auto added = add_row(**tally, record, messages);
            if (!added) return pass_on(added);
            if (!*added) dropped += messages;
        }
        return update_.start(counted.rua, (*tally)->rows, dropped, (*tally)->id).finish();
    }

private:
    struct Found {
        std::int64_t id;
        std::int64_t rows;
    };
    /// Nothing: it would be one too many.
    Result<std::optional<Found>> find_or_make(const TallyKey& key, const Counted& counted) {
        auto row = find_.start(key.day, key.domain, key.policy).step();
        if (!row) return pass_on(row);
        if (*row) {
            const Found found{find_.number(0), find_.number(1)};
            find_.rewind();
            return found;
        }
        auto allowed = may_make(key);
        if (!allowed) return pass_on(allowed);
        if (!*allowed) return std::nullopt;
        if (auto made = make_.start(key.day, key.domain, key.policy, counted.rua).finish(); !made) return pass_on(made);
        return Found{database_.last_row(), 0};
    }
    Result<bool> may_make(const TallyKey& key) {
        auto row = count_.start(key.domain, key.day).step();
        if (!row) return pass_on(row);
        const bool allowed = static_cast<std::size_t>(count_.number(0)) < options_.reports_a_day &&
                             static_cast<std::size_t>(count_.number(1)) < options_.policies_of_domain;
        count_.rewind();
        return allowed;
    }
    Result<bool> add_row(Found& tally, const std::string& record, std::int64_t messages) {
        if (auto done = again_.start(messages, tally.id, record).finish(); !done) return pass_on(done);
        if (database_.changes() > 0) return true;
        if (static_cast<std::size_t>(tally.rows) >= options_.rows) return false;
        ++tally.rows;
        if (auto done = insert_.start(tally.id, record, messages).finish(); !done) return pass_on(done);
        return true;
    }

    Database& database_;
    const DmarcTallyOptions& options_;
    Statement find_, count_, make_, again_, insert_, update_;
};

Result<void> write_all(Database& database, const DmarcTallyOptions& options, const std::map<TallyKey, Counted>& counted) {
    auto transaction = Transaction::begin(database);
    if (!transaction) return pass_on(transaction);
    Writer writer(database, options);
    if (auto prepared = writer.prepare(); !prepared) return prepared;
    for (const auto& [key, tally] : counted)
        if (auto written = writer.write(key, tally); !written) return written;
    return transaction->commit();
}

/// Runs a statement that gives no rows.
template <class... Values>
Result<void> change(Database& database, const char* sql, const Values&... values) {
    auto statement = database.prepare(sql);
    if (!statement) return pass_on(statement);
    return statement->start(values...).finish();
}

}  // namespace

Result<std::unique_ptr<DmarcTallyStore>> DmarcTallyStore::open(DmarcTallyOptions options) {
    auto database = open_report_tables(options.path);
    if (!database) return pass_on(database);
    return std::unique_ptr<DmarcTallyStore>(new DmarcTallyStore(std::move(options), *std::move(database)));
}

void DmarcTallyStore::add(const DmarcObservation& observation) {
    if (!is_reportable(observation)) return;
    waiting_.with([&](std::vector<DmarcObservation>& waiting) {
        if (waiting.size() < options_.waiting) waiting.push_back(observation);
    });
}

void DmarcTallyStore::put_back(std::vector<DmarcObservation> observations) {
    waiting_.with([&](std::vector<DmarcObservation>& waiting) {
        const auto room = options_.waiting - std::min(options_.waiting, waiting.size());
        const auto count = static_cast<std::ptrdiff_t>(std::min(room, observations.size()));
        std::move(observations.begin(), observations.begin() + count, std::back_inserter(waiting));
    });
}

Result<void> DmarcTallyStore::flush() {
    auto observations = waiting_.with([](std::vector<DmarcObservation>& waiting) { return std::exchange(waiting, {}); });
    if (observations.empty()) return {};
    const auto counted = count(observations);
    auto written = database_.with([&](Database& database) { return write_all(database, options_, counted); });
    if (!written) put_back(std::move(observations));
    return written;
}

Result<std::vector<DmarcTally>> DmarcTallyStore::unfinished(sys_days before) {
    return database_.with([&](Database& database) -> Result<std::vector<DmarcTally>> {
        auto query = database.prepare("SELECT id, day, domain, rua, dropped FROM tally WHERE finished = 0 AND day < ? ORDER BY day, id");
        if (!query) return pass_on(query);
        query->start(day_number(before));
        std::vector<DmarcTally> tallies;
        for (;;) {
            auto row = query->step();
            if (!row) return pass_on(row);
            if (!*row) return tallies;
            tallies.push_back({.id = query->number(0),
                               .day = sys_days(std::chrono::days(query->number(1))),
                               .domain = query->text(2),
                               .rua = split(query->text(3)),
                               .dropped = static_cast<std::uint64_t>(query->number(4))});
        }
    });
}

Result<report::DmarcAggregate> DmarcTallyStore::load(std::int64_t tally) {
    return database_.with([&](Database& database) -> Result<report::DmarcAggregate> {
        auto query = database.prepare(
            "SELECT policy, record, count FROM tally JOIN tally_row ON tally_row.tally = tally.id WHERE tally.id = ? ORDER BY record");
        if (!query) return pass_on(query);
        query->start(tally);
        std::string records;
        std::string policy;
        std::vector<std::uint64_t> counts;
        for (;;) {
            auto row = query->step();
            if (!row) return pass_on(row);
            if (!*row) break;
            policy = query->text(0);
            records += query->text(1);
            counts.push_back(static_cast<std::uint64_t>(query->number(2)));
        }
        if (counts.empty()) return base::fail(ErrorKind::not_found, "there is no such tally, or nothing in it");
        auto report = report::parse_dmarc_aggregate("<feedback>" + policy + records + "</feedback>");
        if (!report || report->records.size() != counts.size())
            return base::fail(ErrorKind::corrupt, "reports database: rows that are none");
        for (std::size_t i = 0; i < counts.size(); ++i) report->records[i].count = counts[i];
        return report;
    });
}

Result<std::vector<std::string>> DmarcTallyStore::destinations_done(std::int64_t tally) {
    return database_.with([&](Database& database) -> Result<std::vector<std::string>> {
        auto query = database.prepare("SELECT destination FROM sent WHERE tally = ?");
        if (!query) return pass_on(query);
        query->start(tally);
        std::vector<std::string> destinations;
        for (;;) {
            auto row = query->step();
            if (!row) return pass_on(row);
            if (!*row) return destinations;
            destinations.push_back(query->text(0));
        }
    });
}

Result<void> DmarcTallyStore::record_sent(const DmarcTally& tally, const std::string& destination, const std::string& message,
                                          base::Time at) {
    return database_.with([&](Database& database) {
        return change(database, "INSERT OR REPLACE INTO sent(at, day, domain, tally, destination, message) VALUES (?, ?, ?, ?, ?, ?)",
                      milliseconds(at), day_number(tally.day), tally.domain, tally.id, destination, message);
    });
}

Result<std::size_t> DmarcTallyStore::count_sent(base::Time since) {
    return database_.with([&](Database& database) -> Result<std::size_t> {
        auto query = database.prepare("SELECT count(*) FROM sent WHERE at >= ? AND message NOT LIKE 'not sent: %'");
        if (!query) return pass_on(query);
        auto row = query->start(milliseconds(since)).step();
        if (!row) return pass_on(row);
        return static_cast<std::size_t>(query->number(0));
    });
}

Result<void> DmarcTallyStore::finish(std::int64_t tally) {
    return database_.with([&](Database& database) -> Result<void> {
        auto transaction = Transaction::begin(database);
        if (!transaction) return pass_on(transaction);
        if (auto done = change(database, "UPDATE tally SET finished = 1 WHERE id = ?", tally); !done) return done;
        if (auto done = change(database, "DELETE FROM tally_row WHERE tally = ?", tally); !done) return done;
        return transaction->commit();
    });
}

Result<void> DmarcTallyStore::forget_old(base::Time now) {
    const auto oldest = day_number(std::chrono::floor<std::chrono::days>(now) - options_.keep);
    return database_.with([&](Database& database) -> Result<void> {
        if (auto done = change(database, "DELETE FROM tally WHERE day < ?", oldest); !done) return done;
        return change(database, "DELETE FROM sent WHERE day < ?", oldest);
    });
}

}  // namespace thurn::storage
