#include "app/command.h"
#include "app/report_import.h"
#include "app/report_json.h"
#include "app/stores.h"
#include "app/system.h"
#include "app/tool_message.h"
#include "mail/date.h"
#include "trace/clean_text.h"

#include <charconv>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>

#include <boost/json.hpp>
#include <fmt/format.h>

namespace thurn::app {

namespace json = boost::json;

namespace {

using storage::ReceivedReport;
using storage::ReceivedReports;
using storage::ReceivedRow;
using storage::SourceSummary;

constexpr std::size_t kLargestFile = 100U << 20;

std::string date_of(base::Time time) { return mail::render_timestamp(time).substr(0, 10); }
/// Strangers' words on a terminal.
std::string shown(const std::string& text) { return text.empty() ? "-" : trace::clean_text(text); }

json::object describe(const ReceivedReport& report) {
    return {{"id", report.id},
            {"kind", report.kind},
            {"domain", json_text(report.domain)},
            {"submitter", json_text(report.submitter)},
            {"organization", json_text(report.organization)},
            {"contact", json_text(report.contact)},
            {"report_id", json_text(report.report_id)},
            {"begin", mail::render_timestamp(report.begins)},
            {"end", mail::render_timestamp(report.ends)},
            {"stored", mail::render_timestamp(report.stored)},
            {"rows", report.rows},
            {report.kind == "tls" ? "sessions" : "messages", report.messages},
            {"failures", report.failures}};
}

json::object describe_tls(const ReceivedRow& row) {
    return {{"domain", json_text(row.header_from)}, {"result", json_text(row.disposition)}, {"sessions", row.count},
            {"source", json_text(row.source)},      {"host", json_text(row.host)},          {"detail", json_text(row.reasons)}};
}

json::object describe_dmarc(const ReceivedRow& row) {
    return {{"source", json_text(row.source)},
            {"header_from", json_text(row.header_from)},
            {"messages", row.count},
            {"disposition", json_text(row.disposition)},
            {"dkim", json_text(row.dkim)},
            {"spf", json_text(row.spf)},
            {"dkim_results", json_text(row.dkim_results)},
            {"spf_results", json_text(row.spf_results)},
            {"reasons", json_text(row.reasons)}};
}

json::object describe(const SourceSummary& summary) {
    return {{"domain", json_text(summary.domain)},
            {"source", json_text(summary.source)},
            {"messages", summary.messages},
            {"passed", summary.passed},
            {"dkim", summary.dkim},
            {"spf", summary.spf},
            {"refused", summary.refused},
            {"reporters", summary.reporters}};
}

template <class Items>
int print_array(const Items& items) {
    json::array array;
    for (const auto& item : items) array.emplace_back(describe(item));
    print_json(array);
    return exit_ok;
}

int list(const CommandContext& context, ReceivedReports& reports, const storage::ReceivedFilter& filter) {
    const auto found = reports.list(filter);
    if (!found) return complain(found.error());
    if (context.json) return print_array(*found);
    std::vector<std::vector<std::string>> rows;
    for (const auto& report : *found)
        rows.push_back({std::to_string(report.id), report.kind, shown(report.domain), shown(report.submitter), date_of(report.begins),
                        date_of(report.ends), std::to_string(report.messages), std::to_string(report.failures)});
    if (rows.empty()) print_line("no reports");
    if (!rows.empty()) print_table({"ID", "KIND", "DOMAIN", "FROM", "BEGIN", "END", "SEEN", "FAILED"}, rows);
    return exit_ok;
}

void print_rows(const ReceivedReport& report, const std::vector<ReceivedRow>& found) {
    std::vector<std::vector<std::string>> rows;
    const bool tls = report.kind == "tls";
    for (const auto& row : found)
        rows.push_back(tls ? std::vector{std::to_string(row.count), shown(row.disposition), shown(row.header_from), shown(row.host),
                                         shown(row.source), shown(row.reasons)}
                           : std::vector{std::to_string(row.count), shown(row.source), shown(row.header_from), shown(row.disposition),
                                         shown(row.dkim), shown(row.spf), shown(row.dkim_results), shown(row.spf_results),
                                         shown(row.reasons)});
    if (tls)
        print_table({"SESSIONS", "RESULT", "DOMAIN", "HOST", "FROM", "DETAIL"}, rows);
    else
        print_table({"MESSAGES", "SOURCE", "AUTHOR DOMAIN", "DONE", "DKIM", "SPF", "DKIM RESULTS", "SPF RESULTS", "REASONS"}, rows);
}

int show(const CommandContext& context, ReceivedReports& reports, const std::string& text) {
    std::int64_t id = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
    if (error != std::errc() || end != text.data() + text.size())
        return complain({base::ErrorKind::syntax, fmt::format("\"{}\" is no number of a report; `thurn reports list` has them", text)});
    const auto report = reports.find(id);
    if (!report) return complain(report.error());
    const auto rows = reports.rows(*report);
    if (!rows) return complain(rows.error());
    if (context.json) {
        auto object = describe(*report);
        json::array& array = object["records"].emplace_array();
        for (const auto& row : *rows) array.emplace_back(report->kind == "tls" ? describe_tls(row) : describe_dmarc(row));
        print_json(object);
        return exit_ok;
    }
    print_line(fmt::format("{} report about {}, from {} <{}>, id {}", report->kind, shown(report->domain), shown(report->organization),
                           shown(report->contact), shown(report->report_id)));
    print_line(fmt::format("{} to {}", mail::render_timestamp(report->begins), mail::render_timestamp(report->ends)));
    print_rows(*report, *rows);
    return exit_ok;
}

int summarize(const CommandContext& context, ReceivedReports& reports, const storage::ReceivedFilter& filter) {
    const auto found = reports.summarize(filter);
    if (!found) return complain(found.error());
    if (context.json) return print_array(*found);
    std::vector<std::vector<std::string>> rows;
    for (const auto& each : *found)
        rows.push_back({shown(each.domain), shown(each.source), std::to_string(each.messages), std::to_string(each.passed),
                        std::to_string(each.dkim), std::to_string(each.spf), std::to_string(each.refused), std::to_string(each.reporters)});
    if (rows.empty()) print_line("no reports");
    if (!rows.empty()) print_table({"AUTHOR DOMAIN", "SOURCE", "MESSAGES", "PASSED", "DKIM", "SPF", "REFUSED", "REPORTERS"}, rows);
    return exit_ok;
}

base::Result<std::string> read_file(const std::string& name) {
    std::ifstream file;
    if (name != "-") file.open(name, std::ios::binary);
    if (name != "-" && !file) return base::fail(base::ErrorKind::not_found, "cannot be read");
    std::istream& from = name == "-" ? std::cin : file;
    std::string octets;
    for (std::array<char, 1 << 16> step; from.read(step.data(), step.size()) || from.gcount() > 0;) {
        octets.append(step.data(), static_cast<std::size_t>(from.gcount()));
        if (octets.size() > kLargestFile) return base::fail(base::ErrorKind::too_long, "over 100 MiB");
    }
    return octets;
}

base::Result<ReceivedReports::Stored> import_file(ReceivedReports& reports, const std::string& name) {
    auto octets = read_file(name);
    if (!octets) return base::pass_on(octets);
    const auto report = is_report_file(*octets) ? *std::move(octets) : as_tool_message(*std::move(octets)).octets;
    return import_report(reports, report, SystemClock().now());
}

int import_files(const CommandContext& context, ReceivedReports& reports, const std::vector<std::string>& names) {
    int code = exit_ok;
    for (const auto& name : names) {
        const auto stored = import_file(reports, name);
        if (!stored) code = exit_no;
        const auto word = !stored ? stored.error().detail : *stored == ReceivedReports::Stored::added ? "added" : "known already";
        if (context.json)
            print_json(json::object{{"file", json_text(name)}, {"stored", stored.has_value()}, {"result", json_text(word)}});
        else
            fmt::print(stored ? stdout : stderr, "{}: {}\n", name, trace::clean_text(word));
    }
    return code;
}

}  // namespace

int reports_command(const CommandContext& context, const ReportsCommand& command) {
    const auto loaded = load_configuration(context);
    if (!loaded) return complain(loaded.error());
    storage::ReceivedFilter filter{.domain = command.domain, .limit = command.limit};
    if (!command.since.empty()) {
        const auto since = read_moment(command.since);
        if (!since) return complain(since.error());
        filter.since = *since;
    }
    if (auto acting = act_as_owner(loaded->config); !acting) return complain(acting.error());
    const auto reports = ReceivedReports::open({.path = loaded->config.data_dir / "reports.db"});
    if (!reports) return complain(reports.error());
    if (command.verb == "list") return list(context, **reports, filter);
    if (command.verb == "show") return show(context, **reports, command.names.at(0));
    if (command.verb == "summary") return summarize(context, **reports, filter);
    return import_files(context, **reports, command.names);
}

}  // namespace thurn::app
