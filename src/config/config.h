#pragma once

#include "base/octets.h"
#include "base/result.h"
#include "inbound/attachment_options.h"
#include "inbound/milter_options.h"
#include "inbound/permissions.h"
#include "inbound/policy_server.h"
#include "inbound/scanner_options.h"
#include "inbound/script_options.h"
#include "mail/mailbox.h"
#include "net/tls.h"
#include "policy/account_baseline.h"
#include "policy/alarm.h"
#include "policy/authentication_rule.h"
#include "policy/login_guard.h"
#include "policy/recipient_rule.h"
#include "policy/rulebook.h"
#include "policy/sender_rule.h"
#include "queue/retry.h"
#include "queue/scheduler.h"
#include "route/router.h"
#include "smtp/parameters.h"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace thurn::config {

enum class ListenerTls { off, starttls, implicit };

inline constexpr std::string_view kLocalSocket = "unix:";  // what an address of a listener begins with that is a path

struct ListenerConfig {
    std::vector<std::string> bind;  // `0.0.0.0:25`, `[::]:25`; for LMTP `unix:/PATH`, too
    policy::Role role = policy::Role::mx;
    ListenerTls tls = ListenerTls::starttls;
    std::vector<policy::Network> networks{};  // who may connect; none: everyone
    std::vector<policy::Network> proxy_protocol_from{};
    std::vector<policy::Network> xclient_from{};
    std::vector<policy::Network> xforward_from{};
    bool relay = true;            // for relay_networks
    unsigned socket_mode = 0660;  // of a local socket
    /// `mx`, `submission`, `submissions` or `lmtp`: for log and trace.
    [[nodiscard]] std::string name() const;
};

struct LimitsConfig {
    base::Octets message_size = base::mebibytes(50);
    std::size_t recipients = 1000;
    std::size_t line_length = 2048;
    std::size_t commands = 10000;
    std::size_t errors = 20;
    std::size_t connections = 20000;
    std::size_t connections_per_ip = 50;
    std::size_t received_fields = 50;
    base::Octets header_size = base::kibibytes(256);
    std::chrono::seconds greeting_delay{0};
    std::chrono::seconds command_timeout{300};
    std::chrono::seconds content_timeout{180};
    base::Octets disk_reserve = base::mebibytes(256);
};

/// Who says whom a token speaks for: an introspection endpoint, or signatures. Neither: tokens are not offered.
struct OauthConfig {
    std::string introspection;  // URL
    std::string credentials;    // for the endpoint: `file:…` or `env:…`
    std::string keys;           // URL or path of a JSON Web Key Set
    std::string issuer;
    std::string audience;
    std::string login_claim = "email";
    std::filesystem::path ca_file;  // empty: the system's roots
    [[nodiscard]] bool any() const { return !introspection.empty() || !keys.empty(); }
};

/// A key of a domain that lies somewhere else than `thurn dkim` puts them.
struct DkimKeyConfig {
    std::string selector;
    std::filesystem::path key;  // PEM
};

/// What we report to others, and what others report to us.
struct ReportsConfig {
    bool send = false;         // DMARC aggregate reports, to domains that ask for them
    std::string from;          // their author; the postmaster when not given
    std::string organization;  // the hostname when not given
    std::size_t per_hour = 100;
    bool failure = false;               // DMARC failure reports, likewise
    std::size_t failure_per_hour = 10;  // to one domain
    std::string mailbox;                // an address of ours: reports that come to it are kept, too; empty: none
};

/// Who is told of alarms, besides `thurn alarms` and the log.
struct AlarmsConfig {
    std::vector<std::string> mail;  // the postmaster when not given
    std::vector<policy::AlarmKind> mail_kinds{policy::AlarmKind::account, policy::AlarmKind::country, policy::AlarmKind::rate,
                                              policy::AlarmKind::rule};
    unsigned mail_per_hour = 10;
    std::string webhook;  // URL; empty: none
};

struct DomainConfig {
    std::string name;
    std::string catch_all;
    std::vector<DkimKeyConfig> dkim{};
};

/// What mail from outside is checked for.
struct AuthenticationConfig {
    bool check = true;
    std::string authserv_id;  // the hostname when not given
    policy::AuthenticationRules rules;
    std::size_t min_rsa_bits = 1024;
    std::string public_suffix_list;  // `built-in`, or a file; empty: the tree walk
    std::chrono::seconds time_limit{20};
};

/// What is signed beside mail of domains that have keys, and how long it is good.
struct SigningConfig {
    std::string fallback_domain;
    std::string third_party_domain;
    std::chrono::seconds lifetime{0};  // 0: for ever
    bool seal = true;                  // ARC, where mail is passed on
};

/// The effective configuration: the file over the defaults, checked whole.
///
/// Shape    An immutable value; a reload makes a new one (DESIGN §4).
struct Config {
    std::string hostname;
    std::filesystem::path data_dir;
    std::string postmaster;  // `postmaster@hostname` when not given
    std::string user;        // whom to become when started as root
    bool allow_root = false;
    std::size_t threads = 0;  // 0: one loop per core
    std::vector<ListenerConfig> listeners;
    std::vector<net::CertificateFiles> certificates;  // the main pair first; none: a self-signed pair in data_dir/tls
    net::ServerTlsOptions tls;                        // of the listeners
    LimitsConfig limits;
    policy::LoginRules logins;      // login_protection
    policy::AccountRules accounts;  // account_watch
    AlarmsConfig alarms;
    std::filesystem::path country_file;  // geoip.file; empty: none
    std::filesystem::path metrics_file;  // metrics.textfile; empty: none
    std::chrono::seconds metrics_every{15};
    std::vector<std::string> dns_servers;
    bool dnssec = true;
    std::vector<policy::Network> relay_networks;
    std::vector<std::string> relay_domains;
    inbound::QueueRunBy etrn = inbound::QueueRunBy::relay_networks;
    smtp::AddressSyntax addresses = smtp::AddressSyntax::strict;
    inbound::Disclosure vrfy = inbound::Disclosure::off;
    inbound::Disclosure expn = inbound::Disclosure::off;
    std::vector<DomainConfig> domains;
    ReportsConfig reports;
    AuthenticationConfig authentication;
    SigningConfig signing;
    std::shared_ptr<const policy::Rulebook> rulebook = std::make_shared<policy::Rulebook>();
    bool srs = true;  // forwarding.srs: forwarded mail gets a sender of ours
    std::chrono::days srs_lifetime{21};
    std::vector<route::RouteRule> routes;
    std::chrono::seconds future_release = std::chrono::days(7);  // submission.future_release
    bool verify_recipients = false;                              // relay.verify_recipients
    policy::SenderScope senders = policy::SenderScope::own;      // submission.senders
    bool check_author = true;                                    // submission.check_author
    bool cram_md5 = false;                                       // submission.cram_md5
    OauthConfig oauth;
    std::vector<inbound::MilterOptions> milters;
    std::vector<inbound::ScannerOptions> scanners;
    inbound::AttachmentOptions attachments;
    std::vector<inbound::PolicyServerOptions> policy_servers;
    std::vector<inbound::ScriptOptions> scripts;
    std::string tag_separator = "+";
    std::filesystem::path directory_path;
    std::string maildir_path;                // with {domain}, {local}, {address}
    std::optional<route::ToHost> mailboxes;  // delivery.local.type = "lmtp": the server that keeps them; else Maildirs
    queue::RetryOptions retry;
    std::chrono::seconds delay_notice = std::chrono::hours(4);  // 0: none
    queue::SchedulerOptions scheduler;
    std::string outbound_hello;  // the hostname when not given
    bool outbound_ipv6 = true;
    bool outbound_ipv4 = true;
    bool outbound_prefer_ipv4 = false;
    bool outbound_chunking = true;
    std::vector<route::Address> outbound_sources;  // at most one of each family
    std::uint16_t outbound_port = 25;
    net::ClientTlsOptions outbound_tls;
    std::chrono::seconds outbound_connect_timeout{30};
    std::chrono::seconds outbound_command_timeout{300};  // for each reply without a limit of its own; RFC 5321 §4.5.3.2
    std::chrono::seconds outbound_greeting_timeout{300};
    std::chrono::seconds outbound_hello_timeout{300};
    std::chrono::seconds outbound_mail_timeout{300};
    std::chrono::seconds outbound_rcpt_timeout{300};
    std::chrono::seconds outbound_data_timeout{120};
    std::chrono::seconds outbound_content_timeout{180};
    std::chrono::seconds outbound_ending_timeout{600};  // for the reply to the content
    std::string log_format = "logfmt";                  // or json
    std::string log_level = "info";
    std::chrono::seconds trace_keep = std::chrono::hours(24 * 30);
    base::Octets trace_size = base::mebibytes(4096);
};

/// One key as it is in force: what `thurn config show` prints.
/// Shape    `value` is TOML; `origin` is `default` or `FILE:LINE`.
struct Setting {
    std::string key;
    std::string value;
    std::string origin;
    [[nodiscard]] bool changed() const { return origin != "default"; }
};

struct Loaded {
    Config config;
    std::vector<Setting> settings;
    std::vector<std::string> warnings;  // allowed, but not what one wants
};

/// What the machine gives where the file is silent.
struct Surroundings {
    std::string system_hostname;
    std::filesystem::path default_data_dir = "/var/lib/thurn";
};

/// Reads a configuration from its text; `source` names it in messages.
/// Errors  `syntax`, `invalid`: all of `FILE:LINE:COLUMN: what is wrong`, one a line; an unknown key names its nearest known one. A
///         configuration that would relay for the whole internet is refused.
[[nodiscard]] base::Result<Loaded> parse_config(std::string_view text, const std::string& source, const Surroundings& surroundings);
/// Errors   `not_found`: no such file.
[[nodiscard]] base::Result<Loaded> load_config(const std::filesystem::path& file, const Surroundings& surroundings);

/// `login:password` out of `file:PATH`, `env:NAME`; for smarthosts.
/// Errors   `not_found`, `invalid`: never with the secret in the text.
struct Secret {
    std::string login;
    std::string password;
};
[[nodiscard]] base::Result<Secret> read_secret(std::string_view reference);

}  // namespace thurn::config
