#include "policy/situation.h"

#include "base/ascii.h"
#include "mail/charset.h"
#include "mail/header.h"

#include <array>

#include <fmt/format.h>

namespace thurn::policy {

namespace {

std::string text_of(const mail::Mailbox* mailbox) { return mailbox ? mail::render_mailbox(*mailbox) : std::string(); }
std::string domain_of(const mail::Mailbox* mailbox) { return mailbox ? mailbox->domain.text() : std::string(); }

/// The one author; empty where there is none or more than one, or the field is there twice.
std::string author_of(const mail::Header& header) {
    if (header.count("From") != 1) return {};
    const auto list = mail::parse_address_list(header.find("From")->value);
    return list.complete && list.unqualified.empty() && list.addresses.size() == 1 ? list.addresses.front() : std::string();
}

std::string author_domain_of(const Situation& now) {
    const auto author = author_of(mail::parse_header(now.header));
    const auto at = author.rfind('@');
    return at == std::string::npos ? std::string() : author.substr(at + 1);
}

Texts header_fields(const Situation& now, std::string_view name) {
    Texts values;
    for (const auto& field : mail::parse_header(now.header).fields)
        if (base::equal_ignoring_case(field.name, name)) values.push_back(mail::decode_words(mail::unfold(field.value)));
    return values;
}

bool is_host_name(std::string_view helo) {
    const auto domain = mail::parse_domain(helo, mail::Charset::utf8);
    return domain && !domain->is_literal() && domain->text().find('.') != std::string::npos;
}

bool is_literal(std::string_view helo) {
    const auto domain = mail::parse_domain(helo);
    return domain && domain->is_literal();
}

FactValue finding(const Fact& fact, const Situation& now) {
    const auto& name = fact.kind->name;
    if (!now.findings) return Unavailable{"the message was not checked: it is not from a stranger, or checks are off"};
    const auto& found = *now.findings;
    if (name == "dmarc") return std::string(mailauth::dmarc_result_name(found.dmarc.result));
    if (name == "dmarc.policy") return std::string(mailauth::dmarc_policy_name(found.dmarc.policy));
    if (name == "arc") return std::string(name_of(found.signatures.arc.result));
    Texts signers;
    for (const auto& verdict : found.signatures.dkim)
        if (verdict.result == mailauth::DkimResult::pass) signers.push_back(verdict.domain);
    return signers;
}

FactValue port(const Fact&, const Situation& now) {
    if (now.listener_port == 0) return Unavailable{"it is not known which"};
    return static_cast<double>(now.listener_port);
}

FactValue country(const Fact&, const Situation& now) {
    if (!now.countries) return Unavailable{"there is no geoip.file"};
    return now.countries->country_of(now.client_address);
}

constexpr std::array<std::string_view, 7> kWeekdays{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"};

FactValue moment(const Fact& fact, const Situation& now) {
    if (!now.local_time) return Unavailable{"nobody knows what time it was"};
    const auto time = now.local_time();
    const auto day = std::chrono::floor<std::chrono::days>(time);
    if (fact.kind->name == "time.weekday") return std::string(kWeekdays[std::chrono::weekday(day).c_encoding()]);
    return static_cast<double>(std::chrono::floor<std::chrono::hours>(time - day).count());
}

using Get = FactValue (*)(const Fact&, const Situation&);

struct Getter {
    std::string_view name;
    Get get;
};

constexpr Getter kGetters[] = {
    {"authenticated", [](const Fact&, const Situation& now) -> FactValue { return !now.login.empty() && !now.login_failed; }},
    {"author", [](const Fact&, const Situation& now) -> FactValue { return author_of(mail::parse_header(now.header)); }},
    {"author.domain", [](const Fact&, const Situation& now) -> FactValue { return author_domain_of(now); }},
    {"arc", finding},
    {"client.address", [](const Fact&, const Situation& now) -> FactValue { return std::string(now.client_address); }},
    {"client.network", [](const Fact&, const Situation& now) -> FactValue { return std::string(now.client_network); }},
    {"client.subnet", [](const Fact&, const Situation& now) -> FactValue { return client_subnet(now.client_address); }},
    {"client.stranger", [](const Fact&, const Situation& now) -> FactValue { return now.stranger; }},
    {"client.tls", [](const Fact&, const Situation& now) -> FactValue { return std::string(now.client_tls); }},
    {"client.country", country},
    {"dkim", finding},
    {"dmarc", finding},
    {"dmarc.policy", finding},
    {"header.*", [](const Fact& fact, const Situation& now) -> FactValue { return header_fields(now, fact.argument()); }},
    {"helo", [](const Fact&, const Situation& now) -> FactValue { return std::string(now.helo); }},
    {"helo.is_literal", [](const Fact&, const Situation& now) -> FactValue { return is_literal(now.helo); }},
    {"helo.is_name", [](const Fact&, const Situation& now) -> FactValue { return is_host_name(now.helo); }},
    {"helo.ours", [](const Fact&, const Situation& now) -> FactValue { return base::equal_ignoring_case(now.helo, now.hostname); }},
    {"listener", [](const Fact&, const Situation& now) -> FactValue { return std::string(now.listener); }},
    {"listener.port", port},
    {"login", [](const Fact&, const Situation& now) -> FactValue { return std::string(now.login); }},
    {"recipient", [](const Fact&, const Situation& now) -> FactValue { return text_of(now.recipient); }},
    {"recipient.domain", [](const Fact&, const Situation& now) -> FactValue { return domain_of(now.recipient); }},
    {"recipient.kind", [](const Fact&, const Situation& now) -> FactValue { return std::string(now.recipient_kind); }},
    {"recipient_count", [](const Fact&, const Situation& now) -> FactValue { return static_cast<double>(now.recipient_count); }},
    {"recipients", [](const Fact&, const Situation& now) -> FactValue { return now.recipients ? now.recipients() : Texts(); }},
    {"sender", [](const Fact&, const Situation& now) -> FactValue { return text_of(now.sender); }},
    {"sender.domain", [](const Fact&, const Situation& now) -> FactValue { return domain_of(now.sender); }},
    {"spf.domain",
     [](const Fact&, const Situation& now) -> FactValue { return now.sender ? domain_of(now.sender) : std::string(now.helo); }},
    {"size", [](const Fact&, const Situation& now) -> FactValue { return static_cast<double>(now.size); }},
    {"time.hour", moment},
    {"time.weekday", moment},
};

/// In the order of the kinds; null where a kind is looked up.
std::vector<Get> getters_by_kind() {
    std::vector<Get> all(fact_kinds().size());
    for (const auto& getter : kGetters) all[static_cast<std::size_t>(find_fact_kind(getter.name) - fact_kinds().data())] = getter.get;
    return all;
}

}  // namespace

Subject Situation::subject() const {
    return {.client_address = std::string(client_address),
            .helo = std::string(helo),
            .sender_domain = domain_of(sender),
            .author_domain = header.empty() ? std::string() : author_domain_of(*this),
            .reverse_path = text_of(sender),
            .spf = findings ? std::optional(findings->origin.mail_from.result) : std::nullopt};
}

FactValue fact_of(const Fact& fact, const Situation& situation) {
    static const auto getters = getters_by_kind();
    if (const auto get = getters[static_cast<std::size_t>(fact.kind - fact_kinds().data())]) return get(fact, situation);
    return Unavailable{"nobody knows how to find it out"};
}

bool asks_greylist(const Fact& fact) { return fact.kind->name == "greylist_wait"; }

bool asks_next_hop(const Fact& fact) { return fact.kind->name == "recipient.exists"; }

bool asks_directory(const Fact& fact) { return fact.kind->name == "sender.ours" || fact.kind->name == "author.ours"; }

std::string domain_asked(const Fact& fact, const Situation& situation) {
    return fact.kind->name == "sender.ours" ? domain_of(situation.sender) : author_domain_of(situation);
}

}  // namespace thurn::policy
