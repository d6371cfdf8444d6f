// What clients meet: listeners, TLS, limits, commands, logins.
#include "config/readers.h"
#include "net/endpoint.h"
#include "net/local_listener.h"
#include "storage/web_request.h"

#include <charconv>

namespace thurn::config {

namespace {

/// Whom a listener believes about somebody else's address; that cannot be everybody.
void read_believed(Section& section, std::string_view key, std::vector<policy::Network>& networks) {
    section.networks(key, networks);
    if (policy::covers_everyone(networks))
        section.complain(key,
                         "these networks are the whole internet: everybody could claim any address and login; list your own proxies only");
}

/// LMTP has no rule but that the address is ours: who may speak it is said by where it listens, or by the networks.
void check_lmtp(Section& section, const ListenerConfig& listener) {
    if (listener.role != policy::Role::lmtp || !listener.networks.empty()) return;
    for (const auto& text : listener.bind)
        if (const auto endpoint = net::parse_endpoint(text, 25); endpoint && !endpoint->address().is_loopback())
            section.complain("bind",
                             fmt::format("{}: LMTP listens on loopback, or for the hosts in the listener's networks: give those", text));
}

/// A socket of this machine has no port that others could reach, and no address to judge by: it is for LMTP, where neither matters.
void check_local_socket(Section& section, const ListenerConfig& listener, std::string_view text) {
    const auto path = text.substr(kLocalSocket.size());
    if (!path.starts_with('/') || path.size() > net::kMostSocketPath)
        section.complain("bind", fmt::format("{}: needs an absolute path of at most {} octets", text, net::kMostSocketPath));
    if (listener.role != policy::Role::lmtp) section.complain("bind", fmt::format("{}: a local socket is for role = \"lmtp\"", text));
}

void check_addresses(Section& section, const ListenerConfig& listener) {
    if (listener.bind.empty()) section.complain("bind", "a listener needs at least one address, such as \"0.0.0.0:25\"");
    for (const auto& text : listener.bind) {
        if (text.starts_with(kLocalSocket))
            check_local_socket(section, listener, text);
        else if (const auto endpoint = net::parse_endpoint(text, 25); !endpoint)
            section.complain("bind", endpoint.error().detail);
    }
}

void read_socket_mode(Section& section, unsigned& mode) {
    std::string text = fmt::format("{:04o}", mode);
    section.text("socket_mode", text);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), mode, 8);
    if (error != std::errc() || end != text.data() + text.size() || mode > 0777)
        section.complain("socket_mode", fmt::format("\"{}\" is no mode such as \"0660\"", text));
}

void read_listener(Section section, Config& config) {
    ListenerConfig listener;
    section.texts("bind", listener.bind);
    section.choice("role", listener.role, {"mx", "submission", "lmtp"});
    section.choice("tls", listener.tls, {"off", "starttls", "implicit"});
    section.networks("networks", listener.networks);
    read_believed(section, "proxy_protocol_from", listener.proxy_protocol_from);
    read_believed(section, "xclient_from", listener.xclient_from);
    read_believed(section, "xforward_from", listener.xforward_from);
    section.flag("relay", listener.relay);
    read_socket_mode(section, listener.socket_mode);
    check_addresses(section, listener);
    check_lmtp(section, listener);
    section.finish();
    config.listeners.push_back(std::move(listener));
}

void read_listeners(Section& root, Config& config) {
    for (auto& section : root.tables("listener")) read_listener(section, config);
    if (!config.listeners.empty() || root.has("listener")) return;
    config.listeners = {{{"0.0.0.0:25", "[::]:25"}, policy::Role::mx, ListenerTls::starttls},
                        {{"0.0.0.0:587", "[::]:587"}, policy::Role::submission, ListenerTls::starttls},
                        {{"0.0.0.0:465", "[::]:465"}, policy::Role::submission, ListenerTls::implicit}};
}

net::CertificateFiles read_certificate(Section& section) {
    net::CertificateFiles pair;
    section.path("certificate", pair.certificate);
    section.path("private_key", pair.private_key);
    section.path("ocsp_response", pair.ocsp_response);
    if (pair.certificate.empty() != pair.private_key.empty())
        section.complain(pair.certificate.empty() ? "certificate" : "private_key", "certificate and private_key come as a pair");
    return pair;
}

void read_tls(Section section, Config& config) {
    const auto main = read_certificate(section);
    if (!main.certificate.empty()) config.certificates.push_back(main);
    for (auto& more : section.tables("additional")) {
        if (main.certificate.empty()) section.complain("additional", "the main pair is missing: set tls.certificate and tls.private_key");
        config.certificates.push_back(read_certificate(more));
        if (config.certificates.back().certificate.empty()) more.complain("certificate", "certificate and private_key come as a pair");
        more.finish();
    }
    read_tls_rules(section, "", config.tls.rules);
    section.path("client_ca", config.tls.client_ca);
    section.finish();
}

void read_limits(Section section, LimitsConfig& limits) {
    constexpr std::int64_t kMany = 1'000'000'000;
    section.size("message_size", limits.message_size);
    section.count("recipients", limits.recipients, 100, kMany);  // RFC 5321 §4.5.3.1.8: at least 100
    section.count("line_length", limits.line_length, 512, 65536);
    section.count("commands", limits.commands, 10, kMany);
    section.count("errors", limits.errors, 1, kMany);
    section.count("connections", limits.connections, 1, kMany);
    section.count("connections_per_ip", limits.connections_per_ip, 1, kMany);
    section.count("received_fields", limits.received_fields, 1, 1000);
    section.size("header_size", limits.header_size);
    if (limits.header_size.count < 4096 || limits.header_size > base::mebibytes(16))
        section.complain("header_size", "must be within 4KiB and 16MiB");
    section.duration("greeting_delay", limits.greeting_delay);
    for (const auto& [old, now] : {std::pair{"auth_failures", "failures"}, {"auth_window", "window"}, {"auth_delay", "delay"}})
        section.moved(old, fmt::format("login_protection.{}", now));
    section.time_span("command_timeout", limits.command_timeout);
    section.time_span("content_timeout", limits.content_timeout);
    section.size("disk_reserve", limits.disk_reserve);
    section.finish();
}

void read_smtp(Section section, Config& config) {
    const std::vector<std::string> whom{"off", "authenticated", "on"};
    section.choice("addresses", config.addresses, {"strict", "lenient"});
    section.choice("vrfy", config.vrfy, whom);
    section.choice("expn", config.expn, whom);
    section.finish();
}

void read_oauth(Section section, OauthConfig& oauth) {
    section.text("introspection", oauth.introspection);
    section.text("credentials", oauth.credentials);
    section.text("keys", oauth.keys);
    section.text("issuer", oauth.issuer);
    section.text("audience", oauth.audience);
    section.text("login_claim", oauth.login_claim);
    section.path("ca_file", oauth.ca_file);
    if (!oauth.introspection.empty() && !oauth.keys.empty())
        section.complain("keys", "tokens are checked by introspection or by keys, not both");
    if (!oauth.introspection.empty() && !storage::is_confidential(oauth.introspection))
        section.complain("introspection", "tokens are told under https: only, or over http: to this machine");
    if (!oauth.keys.empty() && !oauth.keys.starts_with('/') && !storage::is_confidential(oauth.keys))
        section.complain("keys", "a https: URL, or the path of a file");
    if (!oauth.keys.empty() && (oauth.issuer.empty() || oauth.audience.empty()))
        section.complain(oauth.issuer.empty() ? "issuer" : "audience",
                         "with keys, issuer and audience are needed: others' tokens are signed by them too");
    if (!oauth.credentials.empty()) {
        if (const auto secret = read_secret(oauth.credentials); !secret) section.complain("credentials", secret.error().detail);
    }
    section.finish();
}

void read_submission(Section section, Config& config) {
    section.choice("senders", config.senders, {"own", "domain", "any"});
    section.flag("check_author", config.check_author);
    section.duration("future_release", config.future_release);
    section.flag("cram_md5", config.cram_md5);
    section.finish();
}

}  // namespace

void read_inbound(Section& root, Config& config) {
    read_listeners(root, config);
    read_tls(root.table("tls"), config);
    read_limits(root.table("limits"), config.limits);
    read_smtp(root.table("smtp"), config);
    read_submission(root.table("submission"), config);
    read_oauth(root.table("oauth"), config.oauth);
}

}  // namespace thurn::config
