#include "app/dkim_listing.h"

#include "app/system.h"
#include "app/tool_resolver.h"
#include "mail/date.h"
#include "mailauth/dkim_key.h"
#include "mailauth/dkim_publication.h"

#include <algorithm>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <fmt/format.h>

namespace thurn::app {

namespace json = boost::json;

namespace {

using base::Time;
using mailauth::KeyState;
using mailauth::ListedKey;
using mailauth::Publication;
using storage::DkimKeyring;

json::value moment_or_null(std::optional<Time> time) {
    return time && *time != Time::min() && *time != Time::max() ? json::value(render_moment(*time)) : json::value(nullptr);
}

DkimKeyring::Entry read_configured(const std::string& domain, const config::DkimKeyConfig& configured) {
    DkimKeyring::Entry entry{
        .listed = {.domain = domain, .selector = configured.selector, .made = Time::min()}, .key = nullptr, .problem = {}};
    ToolOptions options;
    options.key_file = configured.key;
    auto key = read_key(options);
    if (key)
        entry.key = std::make_shared<const mailauth::PrivateKey>(*std::move(key));
    else
        entry.problem = key.error().detail;
    return entry;
}

/// Whether all is well with the list and with the keys that were asked for.
int tell_problems(const DkimKeyring::Contents& contents, const std::string& domain) {
    int code = exit_ok;
    for (const auto& problem : contents.problems) {
        const auto of_another = [&](const auto& entry) { return entry.problem == problem.detail && entry.listed.domain != domain; };
        if (!domain.empty() && std::ranges::any_of(contents.entries, of_another)) continue;
        fmt::print(stderr, "thurn: {}\n", problem.detail);
        code = exit_no;
    }
    return code;
}

/// What lies beside the keys and does not sign; somebody may think it does.
void tell_strays(const DkimKeyring& keyring, const DkimKeyring::Contents& contents) {
    for (const auto& name : contents.strays)
        fmt::print(stderr, "thurn: {} is not in the list, so nothing is signed with it; thurn dkim import takes it up\n",
                   (keyring.folder() / name).string());
}

std::vector<DkimKeyring::Entry> entries_of(const DkimKeyring::Contents& contents, const std::string& domain) {
    std::vector<DkimKeyring::Entry> entries;
    std::ranges::copy_if(contents.entries, std::back_inserter(entries),
                         [&](const auto& entry) { return domain.empty() || entry.listed.domain == domain; });
    return entries;
}

int no_keys(const DkimKeyring& keyring, const std::string& domain) {
    return complain({base::ErrorKind::not_found, fmt::format("there is no key for {0} in {1}; make one with: thurn dkim generate {0}",
                                                             domain, keyring.folder().string())});
}

std::string algorithm_of(const DkimKeyring::Entry& entry) { return entry.key ? std::string(name_of(entry.key->type())) : "?"; }

/// What is to be done about a key, or worth knowing.
std::string advice(const DkimKeyring::Entry& entry, KeyState state) {
    if (!entry.key) return "cannot be read";
    if (is_configured(entry.listed)) return "named in the configuration";
    switch (state) {
        case KeyState::prepublished:
        case KeyState::active:
            return entry.listed.published ? "" : fmt::format("not seen in DNS yet: thurn dkim check {}", entry.listed.domain);
        case KeyState::retired:
            return "leave its record in DNS until then";
        case KeyState::removable:
            return fmt::format("take its record out of DNS, then: thurn dkim remove {}", entry.listed.domain);
    }
    return {};
}

json::object describe(const DkimKeyring::Entry& entry, Time now) {
    const auto& listed = entry.listed;
    const auto phase = phase_at(listed, now);
    return {{"domain", listed.domain},
            {"selector", listed.selector},
            {"algorithm", entry.key ? json::value(name_of(entry.key->type())) : json::value(nullptr)},
            {"bits", entry.key ? json::value(entry.key->bits()) : json::value(nullptr)},
            {"configured", is_configured(listed)},
            {"state", mailauth::name_of(phase.state)},
            {"since", moment_or_null(phase.since)},
            {"until", moment_or_null(phase.until)},
            {"made", moment_or_null(listed.made)},
            {"published", moment_or_null(listed.published)},
            {"signs_from", moment_or_null(std::max(listed.made, listed.from))},
            {"signs_until", moment_or_null(listed.until)},
            {"record_until", moment_or_null(listed.record_until)},
            {"record_name", record_name(listed)},
            {"problem", entry.problem.empty() ? json::value(nullptr) : json::value(entry.problem)}};
}

void print_keys(const std::vector<DkimKeyring::Entry>& entries, Time now) {
    std::vector<std::vector<std::string>> rows;
    for (const auto& entry : entries) {
        const auto phase = phase_at(entry.listed, now);
        rows.push_back({entry.listed.domain, entry.listed.selector, algorithm_of(entry),
                        entry.key ? std::to_string(entry.key->bits()) : "?", std::string(name_of(phase.state)), render_moment(phase.since),
                        phase.until ? render_moment(*phase.until) : "-", advice(entry, phase.state)});
    }
    print_table({"DOMAIN", "SELECTOR", "ALGORITHM", "BITS", "STATE", "SINCE", "UNTIL", ""}, rows);
}

json::object describe_record(const DkimKeyring::Entry& entry, Time now) {
    const auto text = mailauth::render_dkim_key_record(*entry.key);
    json::array strings;
    for (const auto part : mailauth::split_record(text)) strings.push_back(json::value(part));
    return {{"name", record_name(entry.listed)},
            {"type", "TXT"},
            {"text", text},
            {"strings", std::move(strings)},
            {"state", mailauth::name_of(phase_at(entry.listed, now).state)}};
}

json::object describe(const KeyFinding& finding) {
    return {{"domain", finding.entry.listed.domain},
            {"selector", finding.entry.listed.selector},
            {"name", record_name(finding.entry.listed)},
            {"state", mailauth::name_of(finding.state)},
            {"result", mailauth::name_of(finding.report.what)},
            {"detail", finding.report.detail},
            {"good", finding.good()}};
}

void print_findings(const std::vector<KeyFinding>& findings) {
    std::vector<std::vector<std::string>> rows;
    for (const auto& finding : findings)
        rows.push_back({record_name(finding.entry.listed), std::string(name_of(finding.state)), finding.mark(),
                        std::string(name_of(finding.report.what)), finding.report.detail});
    print_table({"RECORD", "STATE", "", "IN DNS", ""}, rows);
}

/// Keeps when a record was first seen. It only informs, so trouble with it is told and no more.
void remember(DkimKeyring& keyring, const std::vector<KeyFinding>& findings, Time now) {
    DkimKeyring::Edit edit;
    for (const auto& finding : findings)
        if (finding.report.what == Publication::published && !finding.entry.listed.published && !is_configured(finding.entry.listed)) {
            edit.changed.push_back(finding.entry.listed);
            edit.changed.back().published = now;
        }
    if (edit.changed.empty()) return;
    const auto claim = keyring.claim();
    const auto done = claim ? keyring.apply(edit) : std::unexpected(claim.error());
    if (!done) fmt::print(stderr, "thurn: when the records were seen is not kept: {}\n", done.error().detail);
}

}  // namespace

bool is_configured(const ListedKey& key) { return key.made == Time::min(); }

base::Result<DkimKeyring::Contents> load_all_keys(const config::Config& config, DkimKeyring& keyring) {
    auto contents = keyring.load();
    if (!contents) return contents;
    for (const auto& domain : config.domains)
        for (const auto& configured : domain.dkim) {
            contents->entries.push_back(read_configured(domain.name, configured));
            const auto& problem = contents->entries.back().problem;
            if (!problem.empty()) contents->problems.push_back({base::ErrorKind::corrupt, problem});
            std::erase_if(contents->strays, [&](const std::string& name) { return keyring.folder() / name == configured.key; });
        }
    return contents;
}

base::Result<std::vector<KeyFinding>> find_published(const std::vector<DkimKeyring::Entry>& entries, const std::string& resolver,
                                                     Time now) {
    std::vector<dns::Question> questions;
    for (const auto& entry : entries) questions.push_back({.name = record_name(entry.listed), .type = dns::Type::txt});
    const auto answers = ToolResolver(resolver).ask(questions);
    if (!answers) return std::unexpected(answers.error());
    std::vector<KeyFinding> findings;
    for (std::size_t i = 0; i < entries.size(); ++i) {
        KeyFinding finding{.entry = entries[i], .state = phase_at(entries[i].listed, now).state};
        if (finding.entry.key)
            finding.report = compare_publication(*finding.entry.key, (*answers)[i]);
        else
            finding.report.detail = finding.entry.problem;
        if (finding.state == KeyState::removable)
            finding.report.detail = finding.report.what == Publication::missing ? "may be removed here too" : "may be taken out of DNS";
        findings.push_back(std::move(finding));
    }
    return findings;
}

std::string render_moment(Time time) {
    auto text = mail::render_timestamp(time);
    return text.replace(text.find('.'), std::string::npos, "Z");
}

std::string describe_phase(const ListedKey& key, Time now) {
    const auto phase = phase_at(key, now);
    if (is_configured(key)) return fmt::format("{}, named in the configuration", name_of(phase.state));
    auto text = fmt::format("{} since {}", name_of(phase.state), render_moment(phase.since));
    if (phase.until) text += fmt::format(" until {}", render_moment(*phase.until));
    return text;
}

void print_zone_line(const ListedKey& listed, const mailauth::PrivateKey& key, Time now) {
    const auto line = mailauth::render_dkim_zone_line(record_name(listed), mailauth::render_dkim_key_record(key));
    // A zone made of these lines is without records that may go.
    const bool needed = phase_at(listed, now).state != KeyState::removable;
    print_line(fmt::format("{}{} ; {}", needed ? "" : "; ", line, describe_phase(listed, now)));
}

int list_keys(const CommandContext& context, const config::Config& config, DkimKeyring& keyring, const std::string& domain) {
    const auto contents = load_all_keys(config, keyring);
    if (!contents) return complain(contents.error());
    const auto now = SystemClock().now();
    const auto entries = entries_of(*contents, domain);
    if (!domain.empty() && entries.empty()) return no_keys(keyring, domain);
    if (context.json) {
        json::array array;
        for (const auto& entry : entries) array.push_back(describe(entry, now));
        print_json(array);
    } else {
        print_keys(entries, now);
        tell_strays(keyring, *contents);
    }
    return tell_problems(*contents, domain);
}

int print_records(const CommandContext& context, const config::Config& config, DkimKeyring& keyring, const std::string& domain) {
    const auto contents = load_all_keys(config, keyring);
    if (!contents) return complain(contents.error());
    const auto now = SystemClock().now();
    const auto entries = entries_of(*contents, domain);
    if (!domain.empty() && entries.empty()) return no_keys(keyring, domain);
    json::array array;
    for (const auto& entry : entries) {
        if (!entry.key) continue;
        if (context.json)
            array.push_back(describe_record(entry, now));
        else
            print_zone_line(entry.listed, *entry.key, now);
    }
    if (context.json) print_json(array);
    return tell_problems(*contents, domain);
}

int check_keys(const CommandContext& context, const config::Config& config, DkimKeyring& keyring, const std::string& domain,
               const std::string& resolver) {
    const auto contents = load_all_keys(config, keyring);
    if (!contents) return complain(contents.error());
    const auto now = SystemClock().now();
    const auto entries = entries_of(*contents, domain);
    if (entries.empty()) return no_keys(keyring, domain);
    const auto findings = find_published(entries, resolver, now);
    if (!findings) return complain(findings.error());
    if (context.json) {
        json::array array;
        for (const auto& finding : *findings) array.push_back(describe(finding));
        print_json(array);
    } else {
        print_findings(*findings);
    }
    remember(keyring, *findings, now);
    return std::ranges::all_of(*findings, &KeyFinding::good) ? exit_ok : exit_no;
}

}  // namespace thurn::app
