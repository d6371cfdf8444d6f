#include "app/assembly.h"

#include "app/own_addresses.h"

#include <algorithm>

namespace thurn::app {

std::shared_ptr<const inbound::Options> inbound_options(const config::Config& config,
                                                        std::shared_ptr<const inbound::AuthenticationOptions> authentication,
                                                        std::shared_ptr<const mailauth::SenderRewriting> rewriting,
                                                        std::shared_ptr<const policy::Countries> countries) {
    inbound::Options options;
    options.authentication = std::move(authentication);
    options.rewriting = std::move(rewriting);
    options.countries = std::move(countries);
    options.header_size = config.limits.header_size.count;
    options.session.hostname = config.hostname;
    options.session.message_size = config.limits.message_size;
    options.session.recipients = config.limits.recipients;
    options.session.command_line = config.limits.line_length;
    options.session.commands = config.limits.commands;
    options.session.errors = config.limits.errors;
    options.session.command_timeout = config.limits.command_timeout;
    options.session.content_timeout = config.limits.content_timeout;
    options.session.extensions = {.chunking = true,
                                  .binary_mime = true,
                                  .smtputf8 = true,
                                  .limits = true,
                                  .dsn = true,
                                  .require_tls = true,
                                  .deliver_by = std::chrono::minutes(1),
                                  .mt_priority = "MIXER"};
    options.rulebook = config.rulebook;
    options.relay_networks = config.relay_networks;
    options.relay_domains = config.relay_domains;
    options.senders = config.senders;
    options.check_author = config.check_author;
    options.future_release = config.future_release;
    options.cram_md5 = config.cram_md5;
    options.greeting_delay = config.limits.greeting_delay;
    options.received_fields = config.limits.received_fields;
    options.session.addresses = config.addresses;
    options.vrfy = config.vrfy;
    options.expn = config.expn;
    options.etrn = config.etrn;
    options.milters = config.milters;
    options.scanners = config.scanners;
    options.attachments = config.attachments;
    options.policy_servers = config.policy_servers;
    options.scripts = config.scripts;
    options.logins = config.logins;
    options.accounts = config.accounts;
    return std::make_shared<const inbound::Options>(std::move(options));
}

inbound::ListenerProfile listener_profile(const config::ListenerConfig& listener) {
    const auto tls = listener.tls == config::ListenerTls::off        ? smtp::TlsState::unavailable
                     : listener.tls == config::ListenerTls::starttls ? smtp::TlsState::offered
                                                                     : smtp::TlsState::active;
    return {.name = listener.name(),
            .role = listener.role,
            .tls = tls,
            .networks = listener.networks,
            .proxy_protocol_from = listener.proxy_protocol_from,
            .xclient_from = listener.xclient_from,
            .xforward_from = listener.xforward_from,
            .relays = listener.relay};
}

std::shared_ptr<const delivery::DispatcherOptions> dispatcher_options(const config::Config& config,
                                                                      std::shared_ptr<const mailauth::Signatory> signatory,
                                                                      std::shared_ptr<const mailauth::SenderRewriting> rewriting) {
    delivery::DispatcherOptions options;
    options.signatory = std::move(signatory);
    options.rewriting = std::move(rewriting);
    options.hostname = config.hostname;
    options.postmaster = config.postmaster;
    options.retry = config.retry;
    options.delay_notice = config.delay_notice;
    return std::make_shared<const delivery::DispatcherOptions>(std::move(options));
}

delivery::SiteFinder::Options site_options(const config::Config& config) {
    return {.ourselves = {.hostname = config.hostname, .addresses = own_addresses(config.listeners)},
            .hosts = {.ipv6 = config.outbound_ipv6, .ipv4 = config.outbound_ipv4, .prefer_ipv4 = config.outbound_prefer_ipv4},
            .port = config.outbound_port};
}

directory::ResolveOptions resolve_options(const config::Config& config) {
    directory::ResolveOptions options;
    // The configuration was checked when it was read: these parse.
    options.hostname = *mail::parse_domain(config.hostname);
    options.postmaster = *mail::parse_mailbox(config.postmaster, mail::Charset::utf8);
    options.tag_separator = config.tag_separator.empty() ? '\0' : config.tag_separator.front();
    for (const auto& address : own_addresses(config.listeners)) {
        const auto text = route::render_address(address);
        const auto literal = mail::parse_domain(std::holds_alternative<dns::Ipv4>(address) ? "[" + text + "]" : "[IPv6:" + text + "]");
        if (literal) options.literals.push_back(*literal);
    }
    for (const auto& domain : config.domains) {
        std::optional<mail::Mailbox> catch_all;
        if (!domain.catch_all.empty()) catch_all = *mail::parse_mailbox(domain.catch_all, mail::Charset::utf8);
        options.domains.emplace(*mail::parse_domain(domain.name), std::move(catch_all));
    }
    return options;
}

std::vector<net::CertificateFiles> certificate_files(const config::Config& config) {
    if (!self_signed_wanted(config)) return config.certificates;
    return {{config.data_dir / "tls" / "self-signed.pem", config.data_dir / "tls" / "self-signed.key"}};
}

bool self_signed_wanted(const config::Config& config) { return config.certificates.empty(); }

bool any_tls(const config::Config& config) {
    return std::ranges::any_of(config.listeners, [](const auto& listener) { return listener.tls != config::ListenerTls::off; });
}

}  // namespace thurn::app
