#pragma once

#include "config/section.h"

namespace thurn::config {

// Each reads some sections of the file into the configuration, and says in the section's findings what is wrong with them. What stands in
// config.hostname, data_dir and postmaster must be read before: defaults of others are made of them.

/// [[listener]] [tls] [limits] [smtp] [submission] [oauth]
void read_inbound(Section& root, Config& config);
/// [[milter]] [[scanner]]
void read_filters(Section& root, Config& config);
/// [attachments]
void read_attachments(Section& root, Config& config);
/// [[policy_server]] [[script]]
void read_asked(Section& root, Config& config);
/// The one that rules ask by the name; or null.
[[nodiscard]] const inbound::Asked* find_asked(const Config& config, std::string_view name);

// Of all that are asked about mail.
/// Letters, digits, `-` and `_`, at most 64.
[[nodiscard]] bool is_filter_name(std::string_view text);
void read_roles(Section& section, std::vector<policy::Role>& roles);
/// [[domain]] [directory] [delivery] [authentication] [signing] [forwarding] [reports]
void read_domains(Section& root, Config& config);
/// [dns] [relay] [[route]] [queue] [outbound]
void read_outbound(Section& root, Config& config);

/// [policy] [[dnsbl]] [[rule]]
void read_policy(Section& root, Config& config);
/// [login_protection]
void read_protection(Section& root, Config& config);

/// [account_watch] [alarms] [geoip] [metrics]
void read_watch(Section& root, Config& config);

/// Keys with a `prefix`, since [outbound] has others beside them.
void read_tls_rules(Section& section, std::string_view prefix, net::TlsRules& rules);

inline const std::vector<std::string> kTlsDemands{"none", "may", "encrypt", "verify"};  // as route::TlsDemand has them

}  // namespace thurn::config
