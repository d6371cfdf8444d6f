#include "app/stores.h"

#include "app/assembly.h"
#include "spool/segment_spool.h"
#include "storage/country_file.h"
#include "storage/oauth_tokens.h"

#include <fmt/format.h>

namespace thurn::app {

base::Result<std::unique_ptr<spool::FilesystemLock>> claim_spool(const config::Config& config) {
    auto filesystem = storage::PosixFilesystem::open((config.data_dir / "spool").string());
    if (!filesystem) return base::pass_on(filesystem);
    auto lock = (*filesystem)->lock("owner");
    if (!lock)
        return base::fail(lock.error().kind,
                          fmt::format("{}: another thurn works on it ({})", (config.data_dir / "spool").string(), lock.error().detail));
    return lock;
}

base::Result<OpenSpool> open_spool(const config::Config& config, const base::Clock& clock, base::Random& random, base::Log& log) {
    const auto folder = config.data_dir / "spool";
    auto filesystem = storage::PosixFilesystem::open(folder.string());
    if (!filesystem) return base::pass_on(filesystem);
    auto index = storage::RocksIndex::open((folder / "index").string(), {}, log);
    if (!index) return base::pass_on(index);
    spool::SegmentSpool::Options options;
    options.reserve = config.limits.disk_reserve;
    auto segments =
        spool::SegmentSpool::open({.filesystem = **filesystem, .index = **index, .clock = clock, .random = random, .log = log}, options);
    if (!segments) return base::pass_on(segments);
    OpenSpool opened;
    opened.filesystem = *std::move(filesystem);
    opened.index = *std::move(index);
    opened.spool = *std::move(segments);
    return opened;
}

base::Result<std::unique_ptr<storage::SqliteDirectory>> open_directory(const config::Config& config) {
    using Options = storage::SqliteDirectoryOptions;
    return storage::SqliteDirectory::open({.path = config.directory_path,
                                           .resolve = resolve_options(config),
                                           .cram_md5 = config.cram_md5 ? Options::CramMd5::stored : Options::CramMd5::none});
}

base::Result<std::unique_ptr<storage::FileJournal>> open_journal(const config::Config& config, const base::Clock& clock, base::Log& log) {
    auto filesystem = storage::PosixFilesystem::open(config.data_dir.string());
    if (!filesystem) return base::pass_on(filesystem);
    storage::FileJournalOptions options;
    options.keep = config.trace_keep;
    options.total_size = config.trace_size;
    return storage::FileJournal::open(*std::move(filesystem), options, clock, log);
}

base::Result<std::unique_ptr<storage::JournalReader>> read_journal(const config::Config& config, base::Log& log) {
    auto filesystem = storage::PosixFilesystem::open(config.data_dir.string());
    if (!filesystem) return base::pass_on(filesystem);
    return std::make_unique<storage::JournalReader>(*std::move(filesystem), log);
}

base::Result<std::unique_ptr<directory::TokenChecker>> make_token_checker(const config::OauthConfig& oauth, const base::Clock& clock) {
    std::unique_ptr<directory::TokenChecker> checker;
    if (!oauth.keys.empty()) {
        checker = std::make_unique<storage::SignedTokens>(
            storage::SignedTokens::Options{
                .keys = oauth.keys,
                .ca_file = oauth.ca_file,
                .expected = {.issuer = oauth.issuer, .audience = oauth.audience, .login_claim = oauth.login_claim}},
            clock);
    } else if (!oauth.introspection.empty()) {
        config::Secret secret;
        if (!oauth.credentials.empty()) {
            auto read = config::read_secret(oauth.credentials);
            if (!read) return base::pass_on(read);
            secret = *std::move(read);
        }
        checker = std::make_unique<storage::IntrospectedTokens>(storage::IntrospectedTokens::Options{.endpoint = oauth.introspection,
                                                                                                     .user = std::move(secret.login),
                                                                                                     .password = std::move(secret.password),
                                                                                                     .ca_file = oauth.ca_file,
                                                                                                     .login_claim = oauth.login_claim});
    }
    return checker;
}

base::Result<std::shared_ptr<const policy::Countries>> open_countries(const config::Config& config) {
    if (config.country_file.empty()) return nullptr;
    auto countries = storage::open_country_file(config.country_file);
    if (!countries) return base::fail(base::ErrorKind::invalid, "geoip.file: " + countries.error().detail);
    return *std::move(countries);
}

}  // namespace thurn::app
