// Whose mail it is: our domains, their people and mailboxes, and how mail proves where it is from.
#include "config/readers.h"

namespace thurn::config {

namespace {

/// Paths are relative to data_dir.
void read_dkim_keys(Section& section, const Config& config, DomainConfig& domain) {
    for (auto& entry : section.tables("dkim")) {
        DkimKeyConfig key;
        entry.text("selector", key.selector);
        entry.path("key", key.key);
        if (const auto selector = mail::parse_domain(key.selector); !selector)
            entry.complain("selector", fmt::format("\"{}\": {}", key.selector, selector.error().detail));
        else
            key.selector = selector->text();
        if (key.key.empty()) entry.complain("key", "must name the file of a private key");
        key.key = config.data_dir / key.key;
        entry.finish();
        domain.dkim.push_back(std::move(key));
    }
}

void read_domain(Section section, Config& config) {
    DomainConfig domain;
    section.text("name", domain.name);
    section.text("catch_all", domain.catch_all);
    read_dkim_keys(section, config, domain);
    auto parsed = mail::parse_domain(domain.name, mail::Charset::utf8);
    if (parsed)
        domain.name = parsed->text();
    else
        section.complain("name", fmt::format("\"{}\": {}", domain.name, parsed.error().detail));
    if (!domain.catch_all.empty()) {
        const auto address = mail::parse_mailbox(domain.catch_all, mail::Charset::utf8);
        if (!address) section.complain("catch_all", fmt::format("\"{}\": {}", domain.catch_all, address.error().detail));
    }
    section.finish();
    config.domains.push_back(std::move(domain));
}

void read_authentication(Section section, Config& config) {
    auto& authentication = config.authentication;
    auto& rules = authentication.rules;
    section.flag("check", authentication.check);
    authentication.authserv_id = config.hostname;
    section.domain("authserv_id", authentication.authserv_id);
    section.choice("spf_fail", rules.spf_fail, {"mark", "reject"});
    section.choice("dmarc", rules.dmarc, {"mark", "apply"});
    section.choice("quarantine", rules.quarantine, {"mark", "junk", "hold", "reject"});
    section.choice("no_author", rules.no_author, {"mark", "reject"});
    section.choice("temperror", rules.temperror, {"mark", "defer"});
    section.domains("trusted_sealers", rules.trusted_sealers);
    section.count("min_rsa_bits", authentication.min_rsa_bits, 1024, 8192);
    section.text("public_suffix_list", authentication.public_suffix_list);
    section.time_span("time_limit", authentication.time_limit);
    section.finish();
}

void read_signing(Section section, SigningConfig& signing) {
    section.domain("fallback_domain", signing.fallback_domain);
    section.domain("third_party_domain", signing.third_party_domain);
    section.duration("lifetime", signing.lifetime);
    section.flag("seal", signing.seal);
    section.finish();
}

void read_forwarding(Section section, Config& config) {
    section.flag("srs", config.srs);
    std::chrono::seconds lifetime = config.srs_lifetime;
    section.duration("srs_lifetime", lifetime);
    config.srs_lifetime = std::chrono::duration_cast<std::chrono::days>(lifetime);
    if (config.srs_lifetime.count() < 1 || config.srs_lifetime.count() > 500)
        section.complain("srs_lifetime", "must be within 1d and 500d");
    section.finish();
}

void read_reports(Section section, Config& config) {
    auto& reports = config.reports;
    reports.from = config.postmaster;
    reports.organization = config.hostname;
    section.flag("send", reports.send);
    section.text("from", reports.from);
    const auto from = mail::parse_mailbox(reports.from);
    if (!from || from->domain.is_literal()) section.complain("from", "must be an address in US-ASCII, such as dmarc@example.com");
    section.text("organization", reports.organization);
    section.count("per_hour", reports.per_hour, 1, 100'000);
    section.flag("failure", reports.failure);
    section.count("failure_per_hour", reports.failure_per_hour, 1, 1000);
    section.text("mailbox", reports.mailbox);
    if (!reports.mailbox.empty() && !mail::parse_mailbox(reports.mailbox, mail::Charset::utf8))
        section.complain("mailbox", "must be an address of ours, such as dmarc-reports@example.com");
    section.finish();
}

void read_directory(Section section, Config& config) {
    std::string backend = "sqlite";
    section.text("backend", backend);
    if (backend != "sqlite") section.complain("backend", fmt::format("\"{}\" is not there; thurn has \"sqlite\"", backend));
    config.directory_path = config.data_dir / "directory.db";
    section.path("path", config.directory_path);
    section.text("tag_separator", config.tag_separator);
    constexpr std::string_view kSeparators = "!#$%&'*+-/=?^_`{|}~";  // atext that is neither letter nor digit, RFC 5322 §3.2.3
    if (config.tag_separator.size() > 1 || kSeparators.find(config.tag_separator) == std::string_view::npos)
        section.complain("tag_separator", fmt::format("must be one of {} or empty", kSeparators));
    section.finish();
}

void read_maildir(Section& local, Config& config) {
    config.maildir_path = "{data_dir}/mail/{domain}/{local}";
    local.text("path", config.maildir_path);
    if (const auto at = config.maildir_path.find("{data_dir}"); at != std::string::npos)
        config.maildir_path.replace(at, 10, config.data_dir.string());
    if (config.maildir_path.find("{address}") == std::string::npos &&
        (config.maildir_path.find("{local}") == std::string::npos || config.maildir_path.find("{domain}") == std::string::npos))
        local.complain("path", "needs {domain} and {local}, or {address}: otherwise different people would share a mailbox");
}

/// The server that keeps our mailboxes.
void read_mailbox_server(Section& local, Config& config, bool wanted) {
    std::string next_hop;
    auto tls = route::TlsDemand::may;
    local.text("next_hop", next_hop);
    local.choice("tls", tls, kTlsDemands);
    if (!wanted) {
        if (!next_hop.empty()) local.complain("next_hop", "goes with type = \"lmtp\" only");
        return;
    }
    auto hop = route::parse_next_hop(next_hop, tls, "");
    const auto* host = hop ? std::get_if<route::ToHost>(&*hop) : nullptr;
    if (!hop)
        local.complain("next_hop", hop.error().detail);
    else if (!host || host->protocol != smtp::Protocol::lmtp)
        local.complain("next_hop", "type = \"lmtp\" needs lmtp://HOST:PORT or lmtp+unix:/PATH");
    else
        config.mailboxes = *host;
}

void read_delivery(Section section, Config& config) {
    auto local = section.table("local");
    std::string type = "maildir";
    local.text("type", type);
    if (type != "maildir" && type != "lmtp")
        local.complain("type", fmt::format("\"{}\" is not there; thurn has \"maildir\" and \"lmtp\"", type));
    read_maildir(local, config);
    read_mailbox_server(local, config, type == "lmtp");
    local.finish();
    section.finish();
}

}  // namespace

void read_domains(Section& root, Config& config) {
    for (auto& section : root.tables("domain")) read_domain(section, config);
    read_directory(root.table("directory"), config);
    read_delivery(root.table("delivery"), config);
    read_authentication(root.table("authentication"), config);
    read_signing(root.table("signing"), config.signing);
    read_forwarding(root.table("forwarding"), config);
    read_reports(root.table("reports"), config);
}

}  // namespace thurn::config
