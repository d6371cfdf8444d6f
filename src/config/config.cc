#include "config/config.h"

#include "config/file_access.h"
#include "config/readers.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>

namespace thurn::config {

namespace {

constexpr std::string_view kSecretFile = "file:";  // what a reference to a secret in a file begins with

void read_log(Section section, Config& config) {
    section.text("format", config.log_format);
    if (config.log_format != "logfmt" && config.log_format != "json") section.complain("format", "must be \"logfmt\" or \"json\"");
    section.text("level", config.log_level);
    if (config.log_level != "debug" && config.log_level != "info" && config.log_level != "warning" && config.log_level != "error")
        section.complain("level", "must be \"debug\", \"info\", \"warning\" or \"error\"");
    section.finish();
}

void read_trace(Section section, Config& config) {
    section.duration("keep", config.trace_keep);
    section.size("size", config.trace_size);
    section.finish();
}

void read_identity(Section& root, Config& config, const Surroundings& surroundings) {
    config.hostname = surroundings.system_hostname;
    root.text("hostname", config.hostname);
    auto host = mail::parse_domain(config.hostname);
    if (!host || host->is_literal())
        root.complain("hostname", fmt::format("\"{}\" is no host name", config.hostname));
    else
        config.hostname = host->text();
    config.data_dir = surroundings.default_data_dir;
    root.path("data_dir", config.data_dir);
    if (!config.data_dir.is_absolute()) config.data_dir = std::filesystem::absolute(config.data_dir);
    config.postmaster = "postmaster@" + config.hostname;
    root.text("postmaster", config.postmaster);
    const auto address = mail::parse_mailbox(config.postmaster, mail::Charset::utf8);
    if (!address) root.complain("postmaster", fmt::format("\"{}\": {}", config.postmaster, address.error().detail));
    root.text("user", config.user);
    root.flag("allow_root", config.allow_root);
    root.count("threads", config.threads, 0, 1024);
}

void read_all(Section root, Config& config, const Surroundings& surroundings) {
    read_identity(root, config, surroundings);
    read_inbound(root, config);
    read_filters(root, config);
    read_attachments(root, config);
    read_asked(root, config);
    read_protection(root, config);
    read_watch(root, config);
    read_domains(root, config);
    read_outbound(root, config);
    read_policy(root, config);
    read_log(root.table("log"), config);
    read_trace(root.table("trace"), config);
    root.finish();
}

void warn_of_listener(const ListenerConfig& listener, const Config& config, std::vector<std::string>& warnings) {
    const auto where = fmt::format("listener {}", fmt::join(listener.bind, ", "));
    if (listener.role == policy::Role::lmtp && policy::covers_everyone(listener.networks))
        warnings.push_back(fmt::format("{} speaks LMTP to the whole internet: no rule but that of the address holds there", where));
    const auto may_relay = [&](const policy::Network& proxy) {
        const auto first = proxy.text().substr(0, proxy.text().find('/'));
        return std::ranges::any_of(config.relay_networks, [&](const auto& network) { return network.contains(first); });
    };
    if (listener.role == policy::Role::mx && listener.relay && std::ranges::any_of(listener.proxy_protocol_from, may_relay))
        warnings.push_back(
            fmt::format("{}: a load balancer of proxy_protocol_from is in relay.networks too: connections for which it names "
                        "no client may send to everyone",
                        where));
}

std::vector<std::string> find_warnings(const Config& config) {
    std::vector<std::string> warnings;
    if (config.hostname.find('.') == std::string::npos)
        warnings.push_back(
            fmt::format("hostname \"{}\" has no dot: many servers refuse mail from such a name; set hostname to the machine's full name",
                        config.hostname));
    for (const auto& listener : config.listeners)
        if (listener.tls == ListenerTls::off && listener.role == policy::Role::submission)
            warnings.push_back(fmt::format("listener {} has tls = \"off\": nobody can log in there, since AUTH needs TLS",
                                           fmt::join(listener.bind, ", ")));
    for (const auto& listener : config.listeners) warn_of_listener(listener, config, warnings);
    if (config.expn == inbound::Disclosure::on) warnings.push_back("smtp.expn = \"on\" tells everyone who is behind each alias");
    return warnings;
}

}  // namespace

std::string ListenerConfig::name() const {
    if (role == policy::Role::mx) return "mx";
    if (role == policy::Role::lmtp) return "lmtp";
    return tls == ListenerTls::implicit ? "submissions" : "submission";
}

namespace {

/// Who changes what root reads, is root; who reads a secret, has it.
void warn_of_access(const std::filesystem::path& file, Loaded& loaded) {
    const auto warn = [&loaded](std::optional<std::string> warning) {
        if (warning) loaded.warnings.push_back(*std::move(warning));
    };
    warn(warn_of_writers(file));
    for (const auto& setting : loaded.settings) {
        if (!setting.value.starts_with('"')) continue;
        const auto text = setting.value.substr(1, setting.value.size() - 2);
        if (setting.key.starts_with("script[") && setting.key.ends_with("].file")) warn(warn_of_writers(text));
        if (text.starts_with(kSecretFile)) warn(warn_of_readers(text.substr(kSecretFile.size())));
    }
}

}  // namespace

base::Result<Loaded> parse_config(std::string_view text, const std::string& source, const Surroundings& surroundings) {
    const auto document = Document::parse(text, source);
    if (!document) return std::unexpected(document.error());
    Findings findings{.source = source, .errors = {}, .settings = {}};
    Loaded loaded;
    read_all(document->root(findings), loaded.config, surroundings);
    if (!findings.errors.empty()) return base::fail(base::ErrorKind::invalid, fmt::format("{}", fmt::join(findings.errors, "\n")));
    loaded.settings = std::move(findings.settings);
    loaded.warnings = find_warnings(loaded.config);
    return loaded;
}

base::Result<Loaded> load_config(const std::filesystem::path& file, const Surroundings& surroundings) {
    std::ifstream in(file, std::ios::binary);
    if (!in) return base::fail(base::ErrorKind::not_found, fmt::format("{}: {}", file.string(), std::strerror(errno)));
    std::string text;
    char block[4096];
    while (in.read(block, sizeof block), in.gcount() > 0) text.append(block, static_cast<std::size_t>(in.gcount()));
    if (in.bad()) return base::fail(base::ErrorKind::disk, fmt::format("{}: {}", file.string(), std::strerror(errno)));  // such as a folder
    auto loaded = parse_config(text, file.string(), surroundings);
    if (loaded) warn_of_access(file, *loaded);
    return loaded;
}

base::Result<Secret> read_secret(std::string_view reference) {
    std::string text;
    if (reference.starts_with(kSecretFile)) {
        std::ifstream in(std::string(reference.substr(kSecretFile.size())), std::ios::binary);
        if (!in || !std::getline(in, text)) return base::fail(base::ErrorKind::not_found, fmt::format("{}: cannot be read", reference));
    } else if (reference.starts_with("env:")) {
        const char* value = std::getenv(std::string(reference.substr(4)).c_str());
        if (!value) return base::fail(base::ErrorKind::not_found, fmt::format("{}: the variable is not set", reference));
        text = value;
    } else {
        return base::fail(base::ErrorKind::invalid, "a secret is given as \"file:PATH\" or \"env:NAME\"");
    }
    while (!text.empty() && (text.back() == '\r' || text.back() == '\n')) text.pop_back();
    const auto colon = text.find(':');
    if (colon == std::string::npos || colon == 0)
        return base::fail(base::ErrorKind::invalid, fmt::format("{}: must hold login:password on its first line", reference));
    return Secret{text.substr(0, colon), text.substr(colon + 1)};
}

}  // namespace thurn::config
