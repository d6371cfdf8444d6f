// Whom rules ask what to do: policy servers, web hooks and scripts.
#include "base/base64.h"
#include "config/readers.h"

#include <algorithm>
#include <fstream>
#include <iterator>

namespace thurn::config {

namespace {

using inbound::Asked;
using inbound::PolicyServerOptions;
using inbound::ScriptOptions;
using policy::Stage;

void read_name(Section& section, Asked& asked, const Config& config) {
    section.text("name", asked.name);
    if (!is_filter_name(asked.name)) section.complain("name", "it needs a name of letters, digits, - and _, by which rules ask it");
    if (const auto* other = find_asked(config, asked.name))
        section.complain("name", fmt::format("\"{}\" is the name of what stands at {}, too", asked.name, other->origin));
}

void read_stages(Section& section, Asked& asked) {
    std::vector<std::string> names;
    for (const auto stage : asked.stages) names.emplace_back(name_of(stage));
    section.texts("stages", names);
    asked.stages.clear();
    for (const auto& name : names) {
        const auto found = std::ranges::find(policy::kStageNames, name);
        if (found == policy::kStageNames.end())
            section.complain("stages", fmt::format("\"{}\" is none of {}", name, fmt::join(policy::kStageNames, ", ")));
        else
            asked.stages.push_back(static_cast<Stage>(found - policy::kStageNames.begin()));
    }
    if (names.empty()) section.complain("stages", "it would never be asked: leave it out instead");
}

/// As rules of its own would be refused that ask it.
void check_conditions(Section& section, const Asked& asked) {
    for (const auto stage : asked.stages) {
        policy::RuleSet scratch;
        const auto added = scratch.add({.name = asked.name, .stage = stage, .when = asked.when, .ask = asked.name, .tell = asked.tell});
        if (added) continue;
        const auto colon = added.error().detail.find(": ");
        section.complain(added.error().detail.substr(0, colon), added.error().detail.substr(colon + 2));
    }
}

void read_placement(Section& section, Asked& asked) {
    read_stages(section, asked);
    read_roles(section, asked.on);
    section.text("when", asked.when);
    for (const auto* key : {"stages", "on", "when"})
        if (section.has(key)) asked.placed = key;
    asked.origin = section.origin();
}

/// At a socket, or at a url.
void read_place(Section& section, PolicyServerOptions& server) {
    std::string socket;
    std::string url;
    section.text("socket", socket);
    section.text("url", url);
    if (!url.empty() && !socket.empty()) section.complain("url", "it is asked at a socket or at a url, not both");
    if (url.empty()) {
        auto place = inbound::parse_milter_socket(socket);
        if (!place) return section.complain("socket", place.error().detail);
        server.socket = *std::move(place);
    } else {
        auto address = inbound::parse_web_address(url);
        if (!address) return section.complain("url", address.error().detail);
        server.url = *std::move(address);
    }
}

void read_credentials(Section& section, PolicyServerOptions& server) {
    std::string credentials;
    section.text("credentials", credentials);
    if (credentials.empty()) return;
    const auto secret = read_secret(credentials);
    if (!secret)
        section.complain("credentials", secret.error().detail);
    else if (!server.url)
        section.complain("credentials", "goes with url only");
    else
        server.authorization = "Basic " + base::encode_base64(fmt::format("{}:{}", secret->login, secret->password));  // RFC 7617 §2
}

std::shared_ptr<const net::TlsContext> trust(Section& section, std::string_view key, const std::filesystem::path& ca_file) {
    auto context = net::TlsContext::for_client(net::TlsContext::Verify::yes, ca_file);
    if (context) return *std::move(context);
    section.complain(key, context.error().detail);
    return nullptr;
}

void read_trust(Section& section, PolicyServerOptions& server) {
    std::filesystem::path ca_file;
    section.path("ca_file", ca_file);
    if (server.url && server.url->tls)
        server.tls = trust(section, "ca_file", ca_file);
    else if (!ca_file.empty())
        section.complain("ca_file", "goes with a https: url only");
}

/// `client.name` is part of what policy delegation tells.
void read_facts(Section& section, Asked& asked) {
    std::vector<std::string> facts;
    section.texts("facts", facts);
    for (auto& fact : facts)
        if (std::ranges::find(asked.tell, fact) == asked.tell.end()) asked.tell.push_back(std::move(fact));
}

void read_policy_server(Section section, Config& config) {
    PolicyServerOptions server;
    read_name(section, server.asked, config);
    read_place(section, server);
    read_credentials(section, server);
    read_trust(section, server);
    read_placement(section, server.asked);
    read_facts(section, server.asked);
    section.text("context", server.context);
    section.choice("default_action", server.default_action, {"tempfail", "accept"});
    section.time_span("time_limit", server.time_limit);
    check_conditions(section, server.asked);
    for (const auto stage : server.asked.stages)
        if (!inbound::asks_at(server, stage))
            section.complain("stages", fmt::format("policy delegation has no question for {}", name_of(stage)));
    section.finish();
    config.policy_servers.push_back(std::move(server));
}

void read_program(Section& section, ScriptOptions& script) {
    std::filesystem::path file;
    script::Limits limits;
    base::Octets memory{limits.memory};
    section.path("file", file);
    section.size("memory", memory);
    section.count("instructions", limits.instructions, 1000, 1'000'000'000);
    limits.memory = memory.count;
    std::ifstream in(file, std::ios::binary);
    const std::string source{std::istreambuf_iterator<char>(in), {}};
    if (!in) return section.complain("file", fmt::format("\"{}\" cannot be read", file.string()));
    auto program = script::Program::compile(source, file.filename().string(), limits);
    if (!program) return section.complain("file", program.error().detail);
    script.program = *std::move(program);
}

void read_script(Section section, Config& config) {
    ScriptOptions script;
    read_name(section, script.asked, config);
    read_program(section, script);
    read_placement(section, script.asked);
    section.time_span("time_limit", script.time_limit);
    check_conditions(section, script.asked);
    script.tls = config.scripts.empty() ? trust(section, "file", {}) : config.scripts.front().tls;
    section.finish();
    config.scripts.push_back(std::move(script));
}

}  // namespace

const Asked* find_asked(const Config& config, std::string_view name) {
    for (const auto& server : config.policy_servers)
        if (server.asked.name == name) return &server.asked;
    for (const auto& script : config.scripts)
        if (script.asked.name == name) return &script.asked;
    return nullptr;
}

void read_asked(Section& root, Config& config) {
    for (auto& section : root.tables("policy_server")) read_policy_server(std::move(section), config);
    for (auto& section : root.tables("script")) read_script(std::move(section), config);
}

}  // namespace thurn::config
