#include "app/restart_needed.h"

#include <algorithm>
#include <map>
#include <string_view>

namespace thurn::app {

namespace {

/// What Server::reload() does not hand on. A word that ends with a dot is a table, one with `[` a list of tables.
constexpr std::string_view kFixedAtStart[] = {"data_dir",
                                              "user",
                                              "allow_root",
                                              "threads",
                                              "listener[",
                                              "tls.",
                                              "limits.connections",
                                              "limits.connections_per_ip",
                                              "oauth.",
                                              "outbound.tls_certificate",
                                              "outbound.tls_private_key",
                                              "outbound.tls_minimum_version",
                                              "outbound.tls_ciphers",
                                              "outbound.tls_ciphersuites",
                                              "dns.",
                                              "log.",
                                              "trace.",
                                              "reports.",
                                              "limits.disk_reserve",
                                              "queue.site_rest",
                                              "queue.connections_per_site",
                                              "queue.first_connections",
                                              "queue.local_concurrency",
                                              "queue.total_connections"};

bool fixed_at_start(std::string_view key) {
    return std::ranges::any_of(kFixedAtStart, [key](std::string_view fixed) {
        const bool family = fixed.ends_with('.') || fixed.ends_with('[');
        return family ? key.starts_with(fixed) : key == fixed;
    });
}

}  // namespace

std::vector<std::string> changes_for_a_restart(const std::vector<config::Setting>& started, const std::vector<config::Setting>& reloaded) {
    struct Values {
        std::string before, after;  // empty: not set; as TOML no value is empty
    };
    std::map<std::string, Values> values;
    for (const auto& setting : started) values[setting.key].before = setting.value;
    for (const auto& setting : reloaded) values[setting.key].after = setting.value;
    std::vector<std::string> changed;
    for (const auto& [key, value] : values)
        if (value.before != value.after && fixed_at_start(key)) changed.push_back(key);
    return changed;
}

}  // namespace thurn::app
