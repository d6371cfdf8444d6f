// Who watches: what accounts may send of a sudden, who is told of it, and where the numbers go.
#include "base/ascii.h"
#include "config/readers.h"

#include <algorithm>

namespace thurn::config {

namespace {

constexpr std::int64_t kMany = 1'000'000'000;

void read_account_watch(Section section, policy::AccountRules& rules) {
    section.count("messages", rules.messages, 1, kMany);
    section.count("recipients", rules.recipients, 1, kMany);
    section.count("new_recipients", rules.new_recipients, 1, kMany);
    section.count("factor", rules.factor, 1, 1000);
    section.count("bounces", rules.bounces, 1, kMany);
    section.count("bounce_percent", rules.bounce_percent, 1, 100);
    section.duration("learning", rules.learning);
    section.choice("action", rules.deed, {"none", "throttle", "hold", "suspend"});
    section.flag("alarm", rules.alarm);
    section.choice("new_country", rules.new_country, {"ignore", "alarm", "jump"});
    section.texts("exempt", rules.exempt);
    for (auto& login : rules.exempt) std::ranges::transform(login, login.begin(), [](char c) { return base::to_lower(c); });
    section.finish();
}

void read_alarms(Section section, AlarmsConfig& alarms) {
    section.texts("mail", alarms.mail);
    for (const auto& address : alarms.mail)
        if (!mail::parse_mailbox(address, mail::Charset::utf8))
            section.complain("mail", fmt::format("\"{}\" is no address, such as admin@example.com", address));
    std::vector<std::string> kinds;
    for (const auto kind : alarms.mail_kinds) kinds.emplace_back(name_of(kind));
    section.texts("mail_kinds", kinds);
    alarms.mail_kinds.clear();
    for (const auto& name : kinds)
        if (const auto kind = policy::alarm_kind_of(name))
            alarms.mail_kinds.push_back(*kind);
        else
            section.complain("mail_kinds", fmt::format("\"{}\" is none of {}", name, fmt::join(policy::kAlarmKindNames, ", ")));
    section.count("mail_per_hour", alarms.mail_per_hour, 1, 1000);
    section.text("webhook", alarms.webhook);
    if (!alarms.webhook.empty() && !alarms.webhook.starts_with("https://") && !alarms.webhook.starts_with("http://"))
        section.complain("webhook", "must be a URL, https://… or http://…");
    section.finish();
}

void read_metrics(Section section, Config& config) {
    section.path("textfile", config.metrics_file);
    section.time_span("interval", config.metrics_every);
    section.finish();
}

}  // namespace

void read_watch(Section& root, Config& config) {
    read_account_watch(root.table("account_watch"), config.accounts);
    config.alarms.mail = {config.postmaster};
    read_alarms(root.table("alarms"), config.alarms);
    auto geoip = root.table("geoip");
    geoip.path("file", config.country_file);
    geoip.finish();
    read_metrics(root.table("metrics"), config);
}

}  // namespace thurn::config
