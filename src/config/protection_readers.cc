// What keeps those out who try and try: failed logins.
#include "config/readers.h"

namespace thurn::config {

namespace {

constexpr std::int64_t kMany = 1'000'000'000;

void read_login_protection(Section section, policy::LoginRules& rules) {
    section.count("failures", rules.failures, 1, kMany);
    section.count("account_failures", rules.account_failures, 1, kMany);
    section.time_span("window", rules.window);
    auto delay = std::chrono::duration_cast<std::chrono::seconds>(rules.delay);
    section.duration("delay", delay);
    rules.delay = delay;
    section.time_span("lockout", rules.lockout);
    section.time_span("longest_lockout", rules.longest_lockout);
    if (rules.longest_lockout < rules.lockout) section.complain("longest_lockout", "must be at least login_protection.lockout");
    section.time_span("known_for", rules.known_for);
    section.networks("allow", rules.allow);
    if (policy::covers_everyone(rules.allow))
        section.complain("allow", "these networks are the whole internet: nobody would be kept from guessing passwords");
    section.finish();
}

}  // namespace

void read_protection(Section& root, Config& config) { read_login_protection(root.table("login_protection"), config.logins); }

}  // namespace thurn::config
