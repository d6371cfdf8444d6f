// The one place that knows TOML. Each key is named once, in one of the read_ functions below: there it gets its default, its check and its
// line in `thurn config show`; whatever the file holds beyond the keys so named is an error.
#include "config/config.h"

#include "config/duration.h"
#include "config/nearest.h"
#include "net/dns_servers.h"
#include "net/endpoint.h"
#include "net/local_listener.h"
#include "storage/web_request.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <set>

#include <fmt/format.h>
#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

namespace thurn::config {

namespace {

/// Collects what is wrong and what is in force while the sections are read.
struct Findings {
    std::string source;
    std::vector<std::string> errors;
    std::vector<Setting> settings;

    void complain(const toml::source_region& where, const std::string& what) {
        errors.push_back(fmt::format("{}:{}:{}: {}", source, where.begin.line, where.begin.column, what));
    }
    void note(std::string key, std::string value, const toml::node* node) {
        settings.push_back({std::move(key), std::move(value), node ? origin(*node) : "default"});
    }
    [[nodiscard]] std::string origin(const toml::node& node) const { return fmt::format("{}:{}", source, node.source().begin.line); }
};

/// A TOML basic string.
std::string quote(std::string_view text) {
    std::string quoted = "\"";
    for (const char c : text) {
        const auto octet = static_cast<unsigned char>(c);
        if (octet < 0x20 || octet == 0x7f) {
            quoted += fmt::format("\\u{:04x}", octet);
            continue;
        }
        if (c == '"' || c == '\\') quoted += '\\';
        quoted += c;
    }
    return quoted + '"';
}

std::string quote_list(const std::vector<std::string>& texts) {
    std::string list = "[";
    for (const auto& text : texts) list += (list.size() > 1 ? ", " : "") + quote(text);
    return list + "]";
}

/// One table of the file: hands out its keys and remembers which it was asked for.
class Section {
public:
    Section(const toml::table* table, std::string prefix, Findings& findings)
        : table_(table), prefix_(std::move(prefix)), findings_(findings) {}

    void text(std::string_view key, std::string& target) {
        const auto* node = find(key);
        if (node && take<std::string>(*node, key, "a text in quotes")) target = *node->value<std::string>();
        note(key, quote(target), node);
    }
    /// A text that `parse` turns into the target's value; `render` shows it.
    template <class Value, class Parse, class Render>
    void parsed(std::string_view key, Value& target, Parse parse, Render render) {
        const auto* node = find(key);
        if (node && take<std::string>(*node, key, "a text in quotes")) {
            auto value = parse(*node->value<std::string>());
            if (value)
                target = *std::move(value);
            else
                complain(*node, key, value.error().detail);
        }
        note(key, render(target), node);
    }
    void duration(std::string_view key, std::chrono::seconds& target) {
        parsed(key, target, parse_duration, [](auto value) { return quote(render_duration(value)); });
    }
    /// One that would be of no use as 0s.
    void time_span(std::string_view key, std::chrono::seconds& target) {
        duration(key, target);
        if (target.count() == 0) complain(key, "must be at least 1s");
    }
    void size(std::string_view key, base::Octets& target) {
        parsed(key, target, base::parse_octets, [](auto value) { return quote(base::render_octets(value)); });
    }
    void path(std::string_view key, std::filesystem::path& target) {
        std::string value = target.string();
        text(key, value);
        target = value;
    }
    void flag(std::string_view key, bool& target) {
        const auto* node = find(key);
        if (node && take<bool>(*node, key, "true or false")) target = *node->value<bool>();
        note(key, target ? "true" : "false", node);
    }
    template <class Number>
    void count(std::string_view key, Number& target, std::int64_t least, std::int64_t most) {
        const auto* node = find(key);
        if (node && take<std::int64_t>(*node, key, "a whole number")) {
            const auto value = *node->value<std::int64_t>();
            if (value < least || value > most)
                complain(*node, key, fmt::format("{} is not within {} and {}", value, least, most));
            else
                target = static_cast<Number>(value);
        }
        note(key, fmt::format("{}", target), node);
    }
    void texts(std::string_view key, std::vector<std::string>& target) {
        const auto* node = find(key);
        if (node) target = take_texts(*node, key);
        note(key, quote_list(target), node);
    }
    /// A list, or its only text alone.
    void text_or_texts(std::string_view key, std::vector<std::string>& target) {
        const auto* node = find(key);
        if (node && node->is_string())
            target = {*node->value<std::string>()};
        else if (node)
            target = take_texts(*node, key);
        note(key, quote_list(target), node);
    }
    /// A text out of a few; `names` in the order of the enumerators.
    template <class Enum>
    void choice(std::string_view key, Enum& target, const std::vector<std::string>& names) {
        const auto* node = find(key);
        if (node && take<std::string>(*node, key, "a text in quotes")) {
            const auto value = *node->value<std::string>();
            const auto found = std::find(names.begin(), names.end(), value);
            if (found == names.end())
                complain(*node, key, fmt::format("\"{}\" is none of {}", value, fmt::join(names, ", ")));
            else
                target = static_cast<Enum>(found - names.begin());
        }
        note(key, quote(names[static_cast<std::size_t>(target)]), node);
    }
    void networks(std::string_view key, std::vector<policy::Network>& target) {
        std::vector<std::string> values;
        texts(key, values);
        for (const auto& value : values) {
            auto network = policy::parse_network(value);
            if (network)
                target.push_back(*std::move(network));
            else
                complain(key, network.error().detail);
        }
    }
    Section table(std::string_view key) {
        const auto* node = find(key);
        if (node && !node->is_table()) complain(*node, key, fmt::format("must be a table: [{}{}]", prefix_, key));
        return {node ? node->as_table() : nullptr, fmt::format("{}{}.", prefix_, key), findings_};
    }
    std::vector<Section> tables(std::string_view key) {
        std::vector<Section> sections;
        const auto* node = find(key);
        if (!node) return sections;
        const auto* array = node->as_array();
        if (!array || !array->is_homogeneous<toml::table>()) {
            complain(*node, key, fmt::format("must be tables: [[{}{}]]", prefix_, key));
            return sections;
        }
        for (const auto& element : *array)
            sections.emplace_back(element.as_table(), fmt::format("{}{}[{}].", prefix_, key, sections.size() + 1), findings_);
        return sections;
    }
    /// Every key must have been asked for by now.
    void finish() {
        if (!table_) return;
        for (const auto& [key, node] : *table_) {
            if (known_.contains(std::string(key.str()))) continue;
            const auto near = nearest_word(key.str(), {known_.begin(), known_.end()});
            findings_.complain(key.source(), fmt::format("unknown key \"{}{}\"{}", prefix_, key.str(),
                                                         near.empty() ? "" : fmt::format("; did you mean \"{}\"?", near)));
        }
    }
    void complain(std::string_view key, const std::string& what) {
        const auto* node = table_ ? table_->get(key) : nullptr;
        if (node)
            complain(*node, key, what);
        else if (table_)
            findings_.complain(table_->source(), fmt::format("{}{}: {}", prefix_, key, what));
        else
            findings_.errors.push_back(fmt::format("{}: {}{}: {}", findings_.source, prefix_, key, what));
    }
    [[nodiscard]] std::string origin() const { return table_ ? findings_.origin(*table_) : "default"; }
    [[nodiscard]] bool has(std::string_view key) const { return table_ && table_->contains(key); }

private:
    const toml::node* find(std::string_view key) {
        known_.emplace(key);
        return table_ ? table_->get(key) : nullptr;
    }
    template <class Value>
    bool take(const toml::node& node, std::string_view key, const char* expected) {
        if (node.is<Value>()) return true;
        complain(node, key, fmt::format("must be {}", expected));
        return false;
    }
    std::vector<std::string> take_texts(const toml::node& node, std::string_view key) {
        std::vector<std::string> values;
        const auto* array = node.as_array();
        if (!array) {
            complain(node, key, "must be a list of texts: [\"…\", \"…\"]");
            return values;
        }
        for (const auto& element : *array)
            if (take<std::string>(element, key, "a list of texts")) values.push_back(*element.value<std::string>());
        return values;
    }
    void complain(const toml::node& node, std::string_view key, const std::string& what) {
        findings_.complain(node.source(), fmt::format("{}{}: {}", prefix_, key, what));
    }
    void note(std::string_view key, std::string value, const toml::node* node) {
        findings_.note(prefix_ + std::string(key), std::move(value), node);
    }

    const toml::table* table_;
    std::string prefix_;
    Findings& findings_;
    std::set<std::string> known_;
};

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

/// Keys with a `prefix`, since [outbound] has others beside them.
void read_tls_rules(Section& section, std::string_view prefix, net::TlsRules& rules) {
    const auto key = [prefix](std::string_view name) { return std::string(prefix).append(name); };
    section.choice(key("minimum_version"), rules.floor, {"1.2", "1.3"});
    section.text(key("ciphers"), rules.ciphers);
    section.text(key("ciphersuites"), rules.ciphersuites);
    if (const auto known = net::check_rules(rules); !known)
        section.complain(key(rules.ciphers.empty() ? "ciphersuites" : "ciphers"), known.error().detail);
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
    section.count("auth_failures", limits.auth_failures, 1, kMany);
    section.time_span("auth_window", limits.auth_window);
    section.duration("auth_delay", limits.auth_delay);
    section.time_span("command_timeout", limits.command_timeout);
    section.time_span("content_timeout", limits.content_timeout);
    section.size("disk_reserve", limits.disk_reserve);
    section.finish();
}

void read_dns(Section section, Config& config) {
    section.texts("servers", config.dns_servers);
    for (const auto& text : config.dns_servers)
        if (const auto server = net::parse_dns_server(text); !server) section.complain("servers", server.error().detail);
    section.flag("dnssec", config.dnssec);
    section.finish();
}

void read_relay(Section section, Config& config) {
    std::vector<std::string> networks{"127.0.0.0/8", "::1/128"};
    section.texts("networks", networks);
    section.texts("domains", config.relay_domains);
    section.choice("etrn", config.etrn, {"off", "networks", "everyone"});
    for (const auto& text : networks) {
        auto network = policy::parse_network(text);
        if (network)
            config.relay_networks.push_back(*std::move(network));
        else
            section.complain("networks", network.error().detail);
    }
    if (policy::covers_everyone(config.relay_networks))
        section.complain("networks", "these networks are the whole internet: thurn will not be an open relay; list your own networks only");
    for (auto& domain : config.relay_domains) {
        auto parsed = mail::parse_domain(domain, mail::Charset::utf8);
        if (parsed)
            domain = parsed->text();
        else
            section.complain("domains", fmt::format("\"{}\": {}", domain, parsed.error().detail));
    }
    section.finish();
}

void read_smtp(Section section, Config& config) {
    const std::vector<std::string> whom{"off", "authenticated", "on"};
    section.choice("addresses", config.addresses, {"strict", "lenient"});
    section.choice("vrfy", config.vrfy, whom);
    section.choice("expn", config.expn, whom);
    section.finish();
}

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

/// A domain's name, as it is compared.
void read_domain_name(Section& section, std::string_view key, std::string& name) {
    section.text(key, name);
    if (name.empty()) return;
    const auto parsed = mail::parse_domain(name, mail::Charset::utf8);
    if (parsed)
        name = parsed->text();
    else
        section.complain(key, fmt::format("\"{}\": {}", name, parsed.error().detail));
}

void read_authentication(Section section, Config& config) {
    auto& authentication = config.authentication;
    auto& rules = authentication.rules;
    section.flag("check", authentication.check);
    authentication.authserv_id = config.hostname;
    read_domain_name(section, "authserv_id", authentication.authserv_id);
    section.choice("spf_fail", rules.spf_fail, {"mark", "reject"});
    section.choice("dmarc", rules.dmarc, {"mark", "apply"});
    section.choice("quarantine", rules.quarantine, {"mark", "junk", "hold", "reject"});
    section.choice("no_author", rules.no_author, {"mark", "reject"});
    section.choice("temperror", rules.temperror, {"mark", "defer"});
    section.texts("trusted_sealers", rules.trusted_sealers);
    for (auto& domain : rules.trusted_sealers) {
        const auto parsed = mail::parse_domain(domain, mail::Charset::utf8);
        if (parsed)
            domain = parsed->text();
        else
            section.complain("trusted_sealers", fmt::format("\"{}\": {}", domain, parsed.error().detail));
    }
    section.count("min_rsa_bits", authentication.min_rsa_bits, 1024, 8192);
    section.text("public_suffix_list", authentication.public_suffix_list);
    section.time_span("time_limit", authentication.time_limit);
    section.finish();
}

void read_signing(Section section, SigningConfig& signing) {
    read_domain_name(section, "fallback_domain", signing.fallback_domain);
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

const std::vector<std::string> kTlsDemands{"none", "may", "encrypt", "verify"};  // as route::TlsDemand has them

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

void read_submission(Section section, Config& config) {
    section.flag("any_sender", config.any_sender);
    section.duration("future_release", config.future_release);
    section.flag("cram_md5", config.cram_md5);
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

void read_outbound(Section section, Config& config) {
    config.outbound_hello = config.hostname;
    read_hello(section, config.outbound_hello);
    config.outbound_sources = read_sources(section);
    section.flag("ipv4", config.outbound_ipv4);
    section.flag("ipv6", config.outbound_ipv6);
    read_preference(section, config);
    section.count("port", config.outbound_port, 1, 65535);
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

void read_log(Section section, Config& config) {
    section.text("format", config.log_format);
    if (config.log_format != "logfmt" && config.log_format != "json") section.complain("format", "must be \"logfmt\" or \"json\"");
    section.text("level", config.log_level);
    if (config.log_level != "debug" && config.log_level != "info" && config.log_level != "warning" && config.log_level != "error")
        section.complain("level", "must be \"debug\", \"info\", \"warning\" or \"error\"");
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
    section.text("mailbox", reports.mailbox);
    if (!reports.mailbox.empty() && !mail::parse_mailbox(reports.mailbox, mail::Charset::utf8))
        section.complain("mailbox", "must be an address of ours, such as dmarc-reports@example.com");
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

void read_all(Section& root, Config& config, const Surroundings& surroundings) {
    read_identity(root, config, surroundings);
    read_listeners(root, config);
    read_tls(root.table("tls"), config);
    read_limits(root.table("limits"), config.limits);
    read_dns(root.table("dns"), config);
    read_relay(root.table("relay"), config);
    read_smtp(root.table("smtp"), config);
    for (auto& section : root.tables("domain")) read_domain(section, config);
    read_authentication(root.table("authentication"), config);
    read_signing(root.table("signing"), config.signing);
    read_forwarding(root.table("forwarding"), config);
    for (auto& section : root.tables("route")) read_route(section, config);
    read_directory(root.table("directory"), config);
    read_delivery(root.table("delivery"), config);
    read_submission(root.table("submission"), config);
    read_queue(root.table("queue"), config);
    read_oauth(root.table("oauth"), config.oauth);
    read_outbound(root.table("outbound"), config);
    read_log(root.table("log"), config);
    read_reports(root.table("reports"), config);
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
    if (listener.role == policy::Role::mx && std::ranges::any_of(listener.proxy_protocol_from, may_relay))
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

base::Result<Loaded> parse_config(std::string_view text, const std::string& source, const Surroundings& surroundings) {
    const auto parsed = toml::parse(text, source);
    if (!parsed) {
        const auto& error = parsed.error();
        return base::fail(base::ErrorKind::syntax,
                          fmt::format("{}:{}:{}: {}", source, error.source().begin.line, error.source().begin.column, error.description()));
    }
    Findings findings{.source = source, .errors = {}, .settings = {}};
    Loaded loaded;
    Section root(&parsed.table(), "", findings);
    read_all(root, loaded.config, surroundings);
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
    return parse_config(text, file.string(), surroundings);
}

base::Result<Secret> read_secret(std::string_view reference) {
    std::string text;
    if (reference.starts_with("file:")) {
        std::ifstream in(std::string(reference.substr(5)), std::ios::binary);
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
