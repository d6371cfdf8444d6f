// Where mail goes: relay, routes, the queue, connections to others.
#include "config/readers.h"
#include "net/dns_servers.h"

#include <algorithm>

namespace thurn::config {

namespace {

/// The name for EHLO: a host name, or an address literal (RFC 5321 §4.1.4).
void read_hello(Section& section, std::string& hello) {
    section.text("hello", hello);
    if (hello.empty()) return;
    if (const auto name = mail::parse_domain(hello); !name)
        section.complain("hello", fmt::format("\"{}\": {}", hello, name.error().detail));
}

std::vector<route::Address> read_sources(Section& section) {
    std::vector<std::string> texts;
    section.text_or_texts("source", texts);
    auto sources = route::parse_sources(texts);
    if (sources) return *std::move(sources);
    section.complain("source", sources.error().detail);
    return {};
}

void read_proxy(Section& section, route::Egress& egress) {
    std::string proxy;
    std::string auth;
    section.text("proxy", proxy);
    section.text("proxy_auth", auth);
    section.choice("send_proxy", egress.header, {"none", "v2"});
    if (!auth.empty() && proxy.empty()) section.complain("proxy_auth", "goes with `proxy` only");
    if (const auto secret = auth.empty() ? Secret{} : read_secret(auth); !secret) section.complain("proxy_auth", secret.error().detail);
    if (proxy.empty()) return;
    auto place = route::parse_proxy(proxy, auth);
    if (place)
        egress.proxy = *std::move(place);
    else
        section.complain("proxy", place.error().detail);
    if (egress.header != route::ProxyHeader::none)
        section.complain("send_proxy", "its addresses would be those of the connection to `proxy`: give one of the two");
}

/// How the route's connections leave; null when it does not say.
std::shared_ptr<const route::Egress> read_egress(Section& section) {
    route::Egress egress;
    egress.sources = read_sources(section);
    read_hello(section, egress.hello);
    read_proxy(section, egress);
    if (route::describe_egress(egress).empty()) return nullptr;
    return std::make_shared<const route::Egress>(std::move(egress));
}

void put_egress(Section& section, route::NextHop& hop, std::shared_ptr<const route::Egress> egress) {
    auto* host = std::get_if<route::ToHost>(&hop);
    auto* mx = std::get_if<route::ByMx>(&hop);
    if (!egress) return;
    if (host && !host->socket.empty() && (!egress->sources.empty() || egress->proxy))
        section.complain("next_hop", "to a socket of this machine leads neither `source` nor `proxy`");
    if (host)
        host->egress = std::move(egress);
    else if (mx)
        mx->egress = std::move(egress);
    else
        section.complain("next_hop", "`source`, `hello`, `proxy` and `send_proxy` go with smtp://, smtps://, lmtp:// and mx: only");
}

void read_route(Section section, Config& config) {
    route::RouteRule rule;
    section.text("sender", rule.sender);
    section.text("sender_domain", rule.sender_domain);
    section.text("recipient", rule.recipient);
    section.text("recipient_domain", rule.recipient_domain);
    std::string next_hop;
    std::string auth;
    auto tls = route::TlsDemand::may;
    section.text("next_hop", next_hop);
    section.choice("tls", tls, kTlsDemands);
    section.text("auth", auth);
    auto egress = read_egress(section);
    auto hop = route::parse_next_hop(next_hop, tls, auth);
    if (hop) {
        rule.hop = *std::move(hop);
        put_egress(section, rule.hop, std::move(egress));
    } else {
        section.complain("next_hop", hop.error().detail);
    }
    if (!auth.empty()) {
        const auto secret = read_secret(auth);
        if (!secret) section.complain("auth", secret.error().detail);
        if (tls == route::TlsDemand::none)
            section.complain("auth", "a password is sent under TLS only: give tls = \"encrypt\" or \"verify\"");
    }
    rule.origin = section.origin();
    section.finish();
    config.routes.push_back(std::move(rule));
}

void read_relay(Section section, Config& config) {
    config.relay_networks = {*policy::parse_network("127.0.0.0/8"), *policy::parse_network("::1/128")};
    section.networks("networks", config.relay_networks);
    section.domains("domains", config.relay_domains);
    section.choice("etrn", config.etrn, {"off", "networks", "everyone"});
    section.flag("verify_recipients", config.verify_recipients);
    if (policy::covers_everyone(config.relay_networks))
        section.complain("networks", "these networks are the whole internet: thurn will not be an open relay; list your own networks only");
    section.finish();
}

void read_dns(Section section, Config& config) {
    section.texts("servers", config.dns_servers);
    for (const auto& text : config.dns_servers)
        if (const auto server = net::parse_dns_server(text); !server) section.complain("servers", server.error().detail);
    section.flag("dnssec", config.dnssec);
    section.finish();
}

void read_retry(Section& section, Config& config) {
    std::vector<std::string> steps;
    for (const auto step : config.retry.steps) steps.push_back(render_duration(step));
    section.texts("retry", steps);
    config.retry.steps.clear();
    for (const auto& text : steps) {
        const auto step = parse_duration(text);
        if (!step)
            section.complain("retry", step.error().detail);
        else if (step->count() == 0)
            section.complain("retry", "a step of 0s would retry without end");
        else
            config.retry.steps.push_back(*step);
    }
    if (steps.empty()) section.complain("retry", "needs at least one step");
    section.time_span("lifetime", config.retry.lifetime);
    section.count("jitter_percent", config.retry.jitter_percent, 0, 50);
}

void read_queue(Section section, Config& config) {
    read_retry(section, config);
    section.duration("delay_notice", config.delay_notice);
    section.count("connections_per_site", config.scheduler.connections_per_site, 1, 10000);
    section.count("first_connections", config.scheduler.first_connections, 1, 10000);
    section.count("local_concurrency", config.scheduler.local_concurrency, 1, 1000);
    section.count("total_connections", config.scheduler.total_connections, 1, 100000);
    auto rest = std::chrono::duration_cast<std::chrono::seconds>(config.scheduler.site_rest);
    section.duration("site_rest", rest);
    config.scheduler.site_rest = rest;
    section.finish();
}

void read_preference(Section& section, Config& config) {
    enum class Family { ipv6, ipv4 } prefer = Family::ipv6;
    section.choice("prefer", prefer, {"ipv6", "ipv4"});
    config.outbound_prefer_ipv4 = prefer == Family::ipv4;
}

/// RFC 5321 §4.5.3.2. A shorter `command_timeout` shortens those that are not given, too.
void read_outbound_timeouts(Section& section, Config& config) {
    auto& common = config.outbound_command_timeout;
    section.time_span("command_timeout", common);
    config.outbound_greeting_timeout = config.outbound_hello_timeout = config.outbound_mail_timeout = config.outbound_rcpt_timeout = common;
    config.outbound_data_timeout = std::min(common, config.outbound_data_timeout);
    section.time_span("greeting_timeout", config.outbound_greeting_timeout);
    section.time_span("hello_timeout", config.outbound_hello_timeout);
    section.time_span("mail_timeout", config.outbound_mail_timeout);
    section.time_span("rcpt_timeout", config.outbound_rcpt_timeout);
    section.time_span("data_timeout", config.outbound_data_timeout);
    section.time_span("content_timeout", config.outbound_content_timeout);
    section.time_span("ending_timeout", config.outbound_ending_timeout);
}

void read_connections(Section section, Config& config) {
    config.outbound_hello = config.hostname;
    read_hello(section, config.outbound_hello);
    config.outbound_sources = read_sources(section);
    section.flag("ipv4", config.outbound_ipv4);
    section.flag("ipv6", config.outbound_ipv6);
    read_preference(section, config);
    section.count("port", config.outbound_port, 1, 65535);
    section.flag("chunking", config.outbound_chunking);
    read_tls_rules(section, "tls_", config.outbound_tls.rules);
    section.path("tls_certificate", config.outbound_tls.own.certificate);
    section.path("tls_private_key", config.outbound_tls.own.private_key);
    if (config.outbound_tls.own.certificate.empty() != config.outbound_tls.own.private_key.empty())
        section.complain("tls_certificate", "tls_certificate and tls_private_key come as a pair");
    section.time_span("connect_timeout", config.outbound_connect_timeout);
    read_outbound_timeouts(section, config);
    if (!config.outbound_ipv4 && !config.outbound_ipv6) section.complain("ipv4", "with both ipv4 and ipv6 off no mail could leave");
    section.finish();
}

}  // namespace

void read_tls_rules(Section& section, std::string_view prefix, net::TlsRules& rules) {
    const auto key = [prefix](std::string_view name) { return std::string(prefix).append(name); };
    section.choice(key("minimum_version"), rules.floor, {"1.2", "1.3"});
    section.text(key("ciphers"), rules.ciphers);
    section.text(key("ciphersuites"), rules.ciphersuites);
    if (const auto known = net::check_rules(rules); !known)
        section.complain(key(rules.ciphers.empty() ? "ciphersuites" : "ciphers"), known.error().detail);
}

void read_outbound(Section& root, Config& config) {
    read_dns(root.table("dns"), config);
    read_relay(root.table("relay"), config);
    for (auto& section : root.tables("route")) read_route(section, config);
    read_queue(root.table("queue"), config);
    read_connections(root.table("outbound"), config);
}

}  // namespace thurn::config
