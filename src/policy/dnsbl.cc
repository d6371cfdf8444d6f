#include "policy/dnsbl.h"

#include "mail/mailbox.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace thurn::policy {

namespace {

using base::ErrorKind;
using base::fail;

/// `7.2.0.192` out of `7.2.0.192.in-addr.arpa`.
std::string reversed(const dns::IpAddress& address) {
    const auto name = dns::reverse_name(address);
    return name.substr(0, name.rfind(std::holds_alternative<dns::Ipv4>(address) ? ".in-addr" : ".ip6"));
}

bool is_reply(const dns::IpAddress& address) {
    const auto* v4 = std::get_if<dns::Ipv4>(&address);
    return v4 && v4->octets[0] == 127;
}

/// What public lists answer to those they do not serve: open resolvers, too many questions, typing errors.
bool is_refusal(const dns::IpAddress& address) {
    const auto& octets = std::get<dns::Ipv4>(address).octets;
    return octets[1] == 255 && octets[2] == 255;
}

}  // namespace

std::optional<dns::Question> Dnsbl::question_for(std::string_view subject) const {
    if (subject.empty()) return std::nullopt;
    const auto address = dns::parse_ip(subject);
    if (address.has_value() != lists_addresses()) return std::nullopt;
    if (address) return dns::Question{fmt::format("{}.{}", reversed(dns::unmapped(*address)), said_.zone), dns::Type::a};
    const auto domain = mail::parse_domain(subject, mail::Charset::utf8);
    if (!domain || domain->is_literal()) return std::nullopt;
    return dns::Question{fmt::format("{}.{}", domain->text(), said_.zone), dns::Type::a};
}

base::Result<double> Dnsbl::weigh(const dns::Answer& answer) const {
    if (answer.status == dns::Status::no_name || answer.status == dns::Status::no_data) return 0.0;
    if (answer.status != dns::Status::ok) return fail(ErrorKind::timed_out, fmt::format("{}: {}", said_.zone, answer.detail));
    double weight = 0;
    for (const auto& reply : dns::addresses_in(answer)) {
        const auto text = dns::render_ip(reply);
        if (!is_reply(reply) || is_refusal(reply)) {
            auto why = fmt::format("{} answered {}, which is {}", said_.zone, text, is_reply(reply) ? "a refusal" : "no reply of a list");
            refused(why);
            return fail(ErrorKind::refused, std::move(why));
        }
        const auto named = std::ranges::find_if(said_.replies, [&](const auto& known) { return known.network.contains(text); });
        const double worth = named != said_.replies.end() ? named->weight : said_.replies.empty() ? said_.weight : 0;
        if (std::abs(worth) > std::abs(weight)) weight = worth;
    }
    return weight;
}

std::string Dnsbl::trouble() const {
    return trouble_.with([](const Trouble& trouble) { return trouble.why; });
}

/// Answers that were under way when it was refused tell nothing new.
void Dnsbl::refused(const std::string& why) const {
    trouble_.with([&](Trouble& trouble) {
        if (trouble.why.empty()) trouble = {.why = why, .untold_refusal = true};
    });
}

std::optional<std::string> Dnsbl::take_refusal() const {
    return trouble_.with([](Trouble& trouble) -> std::optional<std::string> {
        if (!std::exchange(trouble.untold_refusal, false)) return std::nullopt;
        return trouble.why;
    });
}

std::vector<dns::Question> Dnsbl::test_questions() const {
    const auto listed = !said_.listed.empty() ? said_.listed : lists_addresses() ? "127.0.0.2" : "test";
    if (const auto address = dns::parse_ip(listed))
        return {{fmt::format("{}.{}", reversed(*address), said_.zone), dns::Type::a}, {"1.0.0.127." + said_.zone, dns::Type::a}};
    return {{fmt::format("{}.{}", listed, said_.zone), dns::Type::a}, {"invalid." + said_.zone, dns::Type::a}};
}

bool Dnsbl::take_test(const std::vector<dns::Answer>& answers) const {
    const auto before = trouble();
    const auto verdict = [&]() -> std::string {
        for (const auto& answer : answers)
            if (answer.status == dns::Status::failed || answer.status == dns::Status::bogus)
                return fmt::format("{} does not answer: {}", said_.zone, answer.detail);
        for (const auto& answer : answers)
            for (const auto& reply : dns::addresses_in(answer))
                if (!is_reply(reply) || is_refusal(reply))
                    return fmt::format("{} refuses our resolver: {}", said_.zone, dns::render_ip(reply));
        if (dns::addresses_in(answers[0]).empty()) return fmt::format("{} does not list what it must list for tests", said_.zone);
        if (!dns::addresses_in(answers[1]).empty()) return fmt::format("{} lists everybody", said_.zone);
        return {};
    }();
    trouble_.with([&](Trouble& trouble) { trouble = {.why = verdict}; });
    return before != verdict;
}

const Dnsbl* DnsblSet::find(std::string_view name) const {
    const auto found = std::ranges::find_if(lists_, [name](const auto& list) { return list->said().name == name; });
    return found == lists_.end() ? nullptr : found->get();
}

}  // namespace thurn::policy
