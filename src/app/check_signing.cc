#include "app/check_signing.h"

#include "app/dkim_listing.h"
#include "app/stores.h"
#include "app/system.h"
#include "config/file_access.h"
#include "storage/srs_keys.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

namespace thurn::app {
namespace {

using mailauth::KeyState;
using mailauth::Publication;
using storage::DkimKeyring;
using Weight = Remark::Weight;

constexpr std::size_t kGoodRsaBits = 2048;  // what signers should have (RFC 8301 §3.2)

void check_permissions(const std::filesystem::path& file, std::string_view about, Remarks& remarks) {
    if (auto warning = config::warn_of_readers(file)) remarks.push_back({Weight::warning, std::string(about), *std::move(warning)});
}

/// Of the domain, of one above it, or the fallback's, as Signatory has it.
bool has_key(const std::set<std::string>& signing, const std::string& fallback, std::string_view domain) {
    while (!domain.empty()) {
        if (signing.contains(std::string(domain))) return true;
        const auto dot = domain.find('.');
        domain = dot == std::string_view::npos ? std::string_view() : domain.substr(dot + 1);
    }
    return signing.contains(fallback);
}

void check_domains(const config::Config& config, const DkimKeyring::Contents& contents, Remarks& remarks) {
    std::set<std::string> signing;
    for (const auto& entry : contents.entries)
        if (entry.key) signing.insert(entry.listed.domain);
    for (const auto& domain : our_domains(config))
        if (!has_key(signing, config.signing.fallback_domain, domain))
            remarks.push_back(
                {Weight::warning, "dkim",
                 fmt::format("{0}: its mail is not signed, as there is no key; make one with: thurn dkim generate {0}", domain)});
}

void check_strength(const DkimKeyring::Entry& entry, Remarks& remarks) {
    const auto weakness = entry.key ? weakness_of(*entry.key) : std::string();
    if (!weakness.empty()) remarks.push_back({Weight::warning, "dkim", fmt::format("{}: {}", record_name(entry.listed), weakness)});
}

/// Of domains that [signing] names and that need not be ours.
void check_signers(const config::Config& config, const DkimKeyring::Contents& contents, Remarks& remarks) {
    for (const auto& [key, domain] : {std::pair{"fallback_domain", config.signing.fallback_domain},
                                      std::pair{"third_party_domain", config.signing.third_party_domain}}) {
        const bool signs =
            std::ranges::any_of(contents.entries, [&](const auto& entry) { return entry.key && entry.listed.domain == domain; });
        if (!domain.empty() && !signs)
            remarks.push_back(
                {Weight::warning, "dkim",
                 fmt::format("signing.{} signs nothing, as there is no key; make one with: thurn dkim generate {}", key, domain)});
    }
}

std::string advice(const KeyFinding& finding) {
    return finding.state == KeyState::prepublished ? "publish it before the key begins to sign" : "what is signed with it does not verify";
}

void check_record(const KeyFinding& finding, Remarks& remarks) {
    const auto& listed = finding.entry.listed;
    if (!finding.entry.key || finding.report.what == Publication::unknown || finding.state == KeyState::removable) return;
    if (finding.good()) {
        remarks.push_back({Weight::ok, "dkim", fmt::format("{}: published", record_name(listed))});
        return;
    }
    const auto& detail = finding.report.detail;
    remarks.push_back(
        {Weight::warning, "dkim",
         fmt::format("{}: the record in DNS is {}{}; {}; see: thurn dkim dns {}", record_name(listed), name_of(finding.report.what),
                     detail.empty() ? "" : fmt::format(" ({})", detail), advice(finding), listed.domain)});
}

void check_records(const config::Config& config, const DkimKeyring::Contents& contents, Remarks& remarks) {
    if (contents.entries.empty()) return;
    const auto findings =
        find_published(contents.entries, config.dns_servers.empty() ? std::string() : config.dns_servers.front(), SystemClock().now());
    if (!findings) {
        remarks.push_back({Weight::warning, "dkim", findings.error().detail});
        return;
    }
    for (const auto& finding : *findings) check_record(finding, remarks);
    const auto unknown = std::ranges::count_if(*findings, [](const auto& finding) {
        return finding.entry.key && finding.state != KeyState::removable && finding.report.what == Publication::unknown;
    });
    if (unknown > 0)
        remarks.push_back(
            {Weight::warning, "dkim", fmt::format("whether {} key records are published cannot be told: DNS does not answer", unknown)});
}

void check_keys(const config::Config& config, Remarks& remarks) {
    DkimKeyring keyring(config.data_dir / "keys");
    const auto contents = load_all_keys(config, keyring);
    if (!contents) {
        remarks.push_back({Weight::error, "dkim", contents.error().detail});
        return;
    }
    for (const auto& problem : contents->problems) remarks.push_back({Weight::error, "dkim", problem.detail});
    for (const auto& name : contents->strays)
        remarks.push_back({Weight::warning, "dkim",
                           fmt::format("{}: is not in the list of keys, so nothing is signed with it; thurn dkim import takes it up",
                                       (keyring.folder() / name).string())});
    for (const auto& entry : contents->entries)
        if (!is_configured(entry.listed)) check_permissions(keyring.file_of(entry.listed), "dkim", remarks);
    for (const auto& domain : config.domains)
        for (const auto& configured : domain.dkim) check_permissions(configured.key, "dkim", remarks);
    for (const auto& entry : contents->entries) check_strength(entry, remarks);
    check_domains(config, *contents, remarks);
    check_signers(config, *contents, remarks);
    check_records(config, *contents, remarks);
}

void check_secrets(const config::Config& config, Remarks& remarks) {
    if (!config.srs) return;
    const auto folder = config.data_dir / "keys";
    check_permissions(folder / "srs.keys", "forwarding", remarks);
    const auto secrets = storage::SrsKeys(folder).read();
    if (!secrets)
        remarks.push_back({Weight::error, "forwarding", secrets.error().detail});
    else if (!secrets->empty())  // else one is made at the first start
        remarks.push_back(
            {Weight::ok, "forwarding", fmt::format("senders of forwarded mail are rewritten; {} secrets are in use", secrets->size())});
}

}  // namespace

std::set<std::string> our_domains(const config::Config& config) {
    std::set<std::string> names;
    for (const auto& domain : config.domains) names.insert(domain.name);
    std::error_code ignored;
    if (!std::filesystem::exists(config.directory_path, ignored)) return names;
    const auto directory = open_directory(config);
    const auto domains = directory ? (*directory)->domains() : std::unexpected(directory.error());
    if (domains)
        for (const auto& domain : *domains) names.insert(domain.first);
    return names;
}

std::string weakness_of(const mailauth::PrivateKey& key) {
    if (key.type() != mailauth::KeyType::rsa || key.bits() >= kGoodRsaBits) return {};
    return fmt::format("an RSA key of {} bits, which some receivers do not trust any more; 2048 are right", key.bits());
}

void check_signing(const config::Config& config, Remarks& remarks) {
    check_keys(config, remarks);
    check_secrets(config, remarks);
}

}  // namespace thurn::app
