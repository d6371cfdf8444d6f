#include "app/authentication.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include <fmt/format.h>

namespace thurn::app {
namespace {

base::Result<std::string> read_file(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    std::string text{std::istreambuf_iterator<char>(in), {}};
    if (!in.is_open() || in.bad()) return base::fail(base::ErrorKind::invalid, fmt::format("{}: {}", file.string(), std::strerror(errno)));
    return text;
}

base::Result<mailauth::SigningKey> read_key(const std::string& domain, const config::DkimKeyConfig& configured) {
    auto text = read_file(configured.key);
    if (!text)
        return base::fail(base::ErrorKind::invalid,
                          fmt::format("{}; it is the DKIM key {} of {}: let the server's user read it, or take it out of domain.dkim",
                                      text.error().detail, configured.selector, domain));
    auto key = mailauth::PrivateKey::read(*text);
    if (!key)
        return base::fail(base::ErrorKind::invalid,
                          fmt::format("{}: {}; it is the DKIM key {} of {}: mend it, or take it out of domain.dkim",
                                      configured.key.string(), key.error().detail, configured.selector, domain));
    return mailauth::SigningKey{
        .domain = domain, .selector = configured.selector, .key = std::make_shared<const mailauth::PrivateKey>(*std::move(key))};
}

base::Result<std::shared_ptr<const mailauth::PublicSuffixList>> read_suffixes(const std::string& named) {
    if (named.empty()) return nullptr;
    if (named == "built-in") return std::make_shared<const mailauth::PublicSuffixList>(mailauth::PublicSuffixList::built_in());
    auto text = read_file(named);
    if (!text) return base::pass_on(text);
    auto list = mailauth::PublicSuffixList::parse(*text);
    if (!list)
        return base::fail(base::ErrorKind::invalid, fmt::format("authentication.public_suffix_list: {}: {}", named, list.error().detail));
    return std::make_shared<const mailauth::PublicSuffixList>(*std::move(list));
}

}  // namespace

base::Result<std::shared_ptr<const mailauth::Signatory>> load_signatory(const config::Config& config, storage::DkimKeyring& keyring,
                                                                        base::Log& log) {
    mailauth::Signatory::Options options{
        .keys = {}, .fallback_domain = config.signing.fallback_domain, .third_party_domain = config.signing.third_party_domain};
    if (config.signing.lifetime.count() > 0) options.lifetime = config.signing.lifetime;
    for (const auto& domain : config.domains)
        for (const auto& configured : domain.dkim) {
            auto key = read_key(domain.name, configured);
            if (!key) return base::pass_on(key);
            options.keys.push_back(*std::move(key));
        }
    auto ring = keyring.load();
    if (!ring)
        return base::fail(ring.error().kind, ring.error().detail +
                                                 "; it is the list of DKIM keys: let the server's user read it and its "
                                                 "folder, or move it away and take the keys up by thurn dkim import");
    for (const auto& problem : ring->problems) log.error("dkim_key_unusable", {{"reason", problem.detail}});
    for (auto& key : ring->signing_keys()) options.keys.push_back(std::move(key));
    if (options.keys.empty()) return nullptr;  // then no message need be looked at
    return std::make_shared<const mailauth::Signatory>(std::move(options));
}

base::Result<std::shared_ptr<const mailauth::SenderRewriting>> load_rewriting(const config::Config& config, storage::SrsKeys& keys,
                                                                              base::Random& random, base::Time now) {
    if (!config.srs) return nullptr;
    auto secrets = keys.load_or_make(random, now, config.srs_lifetime);
    if (!secrets)
        return base::fail(secrets.error().kind,
                          secrets.error().detail +
                              "; senders of forwarded mail are rewritten with what is in it: mend it, or move it away (a "
                              "new one is made, and bounces to older mail are lost), or set forwarding.srs = false");
    return std::make_shared<const mailauth::SenderRewriting>(*std::move(secrets), config.srs_lifetime);
}

base::Result<std::shared_ptr<const inbound::AuthenticationOptions>> authentication_options(
    const config::Config& config, std::shared_ptr<const mailauth::Signatory> signatory) {
    auto suffixes = read_suffixes(config.authentication.public_suffix_list);
    if (!suffixes) return base::pass_on(suffixes);
    return std::make_shared<const inbound::AuthenticationOptions>(
        inbound::AuthenticationOptions{.check = config.authentication.check,
                                       .authserv_id = config.authentication.authserv_id,
                                       .rules = config.authentication.rules,
                                       .signatures = {.min_rsa_bits = config.authentication.min_rsa_bits},
                                       .suffixes = *std::move(suffixes),
                                       .time_limit = config.authentication.time_limit,
                                       .signatory = std::move(signatory),
                                       .seal = config.signing.seal});
}

}  // namespace thurn::app
