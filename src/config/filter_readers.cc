// Who looks at a message beside us: content filters and scanners.
#include "base/ascii.h"
#include "config/readers.h"

#include <algorithm>
#include <array>

namespace thurn::config {

namespace {

constexpr std::array<std::string_view, 3> kRoles{"mx", "submission", "lmtp"};  // as policy::Role has them

}  // namespace

bool is_filter_name(std::string_view text) {
    return !text.empty() && text.size() <= 64 &&
           std::ranges::all_of(text, [](char c) { return base::is_letter(c) || base::is_digit(c) || c == '-' || c == '_'; });
}

void read_roles(Section& section, std::vector<policy::Role>& roles) {
    std::vector<std::string> names;
    for (const auto role : roles) names.emplace_back(kRoles[static_cast<std::size_t>(role)]);
    section.texts("on", names);
    roles.clear();
    for (const auto& name : names) {
        const auto found = std::ranges::find(kRoles, name);
        if (found == kRoles.end())
            section.complain("on", fmt::format("\"{}\" is none of {}", name, fmt::join(kRoles, ", ")));
        else
            roles.push_back(static_cast<policy::Role>(found - kRoles.begin()));
    }
    if (names.empty()) section.complain("on", "a filter that sees no mail: leave it out instead");
}

namespace {

void read_socket(Section& section, inbound::MilterSocket& target) {
    std::string socket;
    section.text("socket", socket);
    auto place = inbound::parse_milter_socket(socket);
    if (place)
        target = *std::move(place);
    else
        section.complain("socket", place.error().detail);
}

void read_milter(Section section, Config& config) {
    inbound::MilterOptions milter;
    section.text("name", milter.name);
    if (!is_filter_name(milter.name)) section.complain("name", "a filter needs a name of letters, digits, - and _");
    if (std::ranges::find(config.milters, milter.name, &inbound::MilterOptions::name) != config.milters.end())
        section.complain("name", fmt::format("there is another filter called \"{}\"", milter.name));
    read_socket(section, milter.socket);
    read_roles(section, milter.on);
    section.choice("default_action", milter.default_action, {"tempfail", "accept", "reject", "quarantine"});
    section.time_span("connect_timeout", milter.connect_timeout);
    section.time_span("command_timeout", milter.command_timeout);
    section.time_span("content_timeout", milter.content_timeout);
    section.time_span("total_timeout", milter.total_timeout);
    section.finish();
    config.milters.push_back(std::move(milter));
}

const std::vector<std::string> kScannerActions{"none", "reject", "junk", "hold", "discard"};

policy::Action scanner_action(std::string_view name) {
    const auto found = std::ranges::find(policy::kActionNames, name);
    return static_cast<policy::Action>(found - policy::kActionNames.begin());
}

/// Viruses are turned away, spam is put aside. Spam comes in small messages, and a spam scanner takes its time over large ones.
inbound::ScannerOptions scanner_defaults(inbound::ScannerOptions::Kind kind) {
    if (kind == inbound::ScannerOptions::Kind::clamd) return {.kind = kind};
    return {.kind = kind, .action = policy::Action::junk, .max_size = base::kibibytes(512)};
}

void check_alone(Section& section, const inbound::ScannerOptions& scanner, const Config& config) {
    for (const auto& other : config.scanners) {
        if (other.name == scanner.name) section.complain("name", fmt::format("there is another scanner called \"{}\"", scanner.name));
        const bool together =
            std::ranges::any_of(scanner.on, [&](auto role) { return std::ranges::find(other.on, role) != other.on.end(); });
        if (other.kind == scanner.kind && together)
            section.complain("on", fmt::format("the scanner \"{}\" of the same kind sees this mail already", other.name));
    }
}

void read_scanner(Section section, Config& config) {
    auto kind = inbound::ScannerOptions::Kind::clamd;
    section.choice("kind", kind, {"clamd", "spamd"});
    if (!section.has("kind")) section.complain("kind", "must be one of clamd, spamd");
    auto scanner = scanner_defaults(kind);
    section.text("name", scanner.name);
    if (!is_filter_name(scanner.name)) section.complain("name", "a scanner needs a name of letters, digits, - and _");
    read_socket(section, scanner.socket);
    read_roles(section, scanner.on);
    section.parsed(
        "action", scanner.action,
        [](std::string_view text) -> base::Result<policy::Action> {
            if (std::ranges::find(kScannerActions, text) == kScannerActions.end())
                return base::fail(base::ErrorKind::invalid, fmt::format("\"{}\" is none of {}", text, fmt::join(kScannerActions, ", ")));
            return scanner_action(text);
        },
        [](policy::Action action) { return quote(policy::name_of(action)); });
    section.choice("default_action", scanner.default_action, {"tempfail", "accept", "quarantine"});
    section.time_span("time_limit", scanner.time_limit);
    section.size("max_size", scanner.max_size);
    scanner.origin = section.origin();
    check_alone(section, scanner, config);
    section.finish();
    config.scanners.push_back(std::move(scanner));
}

}  // namespace

void read_filters(Section& root, Config& config) {
    for (auto& section : root.tables("milter")) read_milter(std::move(section), config);
    for (auto& section : root.tables("scanner")) read_scanner(std::move(section), config);
}

}  // namespace thurn::config
