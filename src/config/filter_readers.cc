// Who looks at a message beside us: content filters.
#include "base/ascii.h"
#include "config/readers.h"

#include <algorithm>
#include <array>

namespace thurn::config {

namespace {

constexpr std::array<std::string_view, 3> kRoles{"mx", "submission", "lmtp"};  // as policy::Role has them

bool is_name(std::string_view text) {
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

void read_milter(Section section, Config& config) {
    inbound::MilterOptions milter;
    section.text("name", milter.name);
    if (!is_name(milter.name)) section.complain("name", "a filter needs a name of letters, digits, - and _");
    if (std::ranges::find(config.milters, milter.name, &inbound::MilterOptions::name) != config.milters.end())
        section.complain("name", fmt::format("there is another filter called \"{}\"", milter.name));
    std::string socket;
    section.text("socket", socket);
    auto place = inbound::parse_milter_socket(socket);
    if (place)
        milter.socket = *std::move(place);
    else
        section.complain("socket", place.error().detail);
    read_roles(section, milter.on);
    section.choice("default_action", milter.default_action, {"tempfail", "accept", "reject", "quarantine"});
    section.time_span("connect_timeout", milter.connect_timeout);
    section.time_span("command_timeout", milter.command_timeout);
    section.time_span("content_timeout", milter.content_timeout);
    section.finish();
    config.milters.push_back(std::move(milter));
}

}  // namespace

void read_filters(Section& root, Config& config) {
    for (auto& section : root.tables("milter")) read_milter(std::move(section), config);
}

}  // namespace thurn::config
