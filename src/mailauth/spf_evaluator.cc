#include "mailauth/spf_evaluator.h"

#include "base/ascii.h"

#include <algorithm>
#include <utility>

namespace thurn::mailauth {
namespace {

// RFC 7208 §4.6.4
constexpr unsigned kMostLookups = 10;
constexpr unsigned kMostVoidLookups = 2;
constexpr std::size_t kMostExchanges = 10;

bool has_failed(const dns::Answer& answer) { return answer.status == dns::Status::failed || answer.status == dns::Status::bogus; }

std::string trouble(std::string_view what, const dns::Answer& answer) {
    const std::string_view why = answer.status == dns::Status::bogus ? " (DNSSEC: the answer is forged)" : "";
    return std::string(what).append(" cannot be looked up").append(why).append(answer.detail.empty() ? "" : ": ").append(answer.detail);
}

/// RFC 7208 §4.3: a domain with two labels at least, none of them impossible, and no address literal; in the form of questions.
std::optional<std::string> checkable_name(std::string_view domain) {
    if (domain.find_first_of("[]") != std::string_view::npos || !std::ranges::all_of(domain, base::is_ascii)) return std::nullopt;
    auto name = spf_question_name(domain);
    if (!name || !name->contains('.')) return std::nullopt;
    return name;
}

std::vector<std::string> spf_records_in(const dns::Answer& answer) {
    std::vector<std::string> records;
    for (const auto& record : answer.records)
        if (const auto* text = std::get_if<dns::Text>(&record); text != nullptr && is_spf_record(text->octets))
            records.push_back(text->octets);
    return records;
}

/// The hosts of an MX answer, best first; a null MX (RFC 7505) names none.
std::vector<std::string> exchanges_in(const dns::Answer& answer) {
    std::vector<dns::Mx> hosts;
    for (const auto& record : answer.records)
        if (const auto* mx = std::get_if<dns::Mx>(&record); mx != nullptr && !mx->exchange.empty()) hosts.push_back(*mx);
    std::ranges::sort(hosts);
    std::vector<std::string> names;
    for (auto& host : hosts) names.push_back(std::move(host.exchange));
    return names;
}

bool is_or_is_below(std::string_view name, std::string_view domain) {
    return name == domain || (name.ends_with(domain) && name.substr(0, name.size() - domain.size()).ends_with('.'));
}

/// A stranger's text, for replies and logs.
std::string visible(std::string text) {
    std::ranges::replace_if(text, [](char c) { return !base::is_printable(c); }, '?');
    return text;
}

}  // namespace

SpfEvaluator::SpfEvaluator(SpfRequest request, Inquiries& dns) : request_(std::move(request)), dns_(dns) {
    request_.client = dns::unmapped(request_.client);  // RFC 7208 §5
}

Evaluation<SpfVerdict> SpfEvaluator::run() {
    Outcome outcome = co_await check_host(request_.domain);
    SpfVerdict verdict{.result = outcome.result,
                       .domain = request_.domain,
                       .path = std::move(outcome.path),
                       .explanation = {},
                       .detail = std::move(outcome.detail),
                       .lookups = lookups_};
    if (outcome.result == SpfResult::fail && outcome.explanation)
        verdict.explanation = co_await explain(*outcome.explanation, outcome.explaining_domain);
    co_return verdict;
}

Evaluation<SpfEvaluator::Outcome> SpfEvaluator::check_host(std::string domain) {
    const auto name = checkable_name(domain);
    if (!name) co_return Outcome{.result = SpfResult::none, .detail = "there is no domain name to check"};
    const dns::Answer answer = co_await dns_.ask({*name, dns::Type::txt});
    if (has_failed(answer)) co_return Outcome{.result = SpfResult::temperror, .detail = trouble("the TXT of " + *name, answer)};
    const auto texts = spf_records_in(answer);
    if (texts.empty()) co_return Outcome{.result = SpfResult::none, .detail = *name + " has no SPF record"};
    // RFC 7208 §4.5
    if (texts.size() > 1)
        co_return Outcome{.result = SpfResult::permerror, .path = {{*name, ""}}, .detail = *name + " has several SPF records"};
    const auto record = parse_spf_record(texts.front());
    if (!record)
        co_return Outcome{.result = SpfResult::permerror,
                          .path = {{*name, ""}},
                          .detail = "the record of " + *name + " is wrong: " + record.error().detail};
    Outcome outcome = co_await evaluate(*record, domain);
    outcome.path.front().domain = *name;
    co_return outcome;
}

/// RFC 7208 §4.6.2, §4.7.
Evaluation<SpfEvaluator::Outcome> SpfEvaluator::evaluate(const SpfRecord& record, const std::string& domain) {
    for (const auto& directive : record.directives) {
        Match found = co_await match(directive, domain);
        if (!found.error && !found.holds) continue;
        Outcome outcome{.result = found.error.value_or(directive.on_match), .path = {{domain, directive.text}}, .detail = found.detail};
        outcome.path.insert(outcome.path.end(), found.below.begin(), found.below.end());
        outcome.explanation = record.explanation;
        outcome.explaining_domain = domain;
        co_return outcome;
    }
    if (record.redirect && !record.has_all()) co_return co_await redirect(*record.redirect, domain);
    co_return Outcome{.result = SpfResult::neutral, .path = {{domain, ""}}, .detail = "no mechanism matches"};
}

/// RFC 7208 §6.1: the other record's verdict, with its explanation or none.
Evaluation<SpfEvaluator::Outcome> SpfEvaluator::redirect(const SpfMacroString& target, const std::string& domain) {
    const SpfStep step{domain, "redirect="};
    if (auto over = charge(target)) co_return Outcome{.result = *over->error, .path = {step}, .detail = over->detail};
    const std::string other = co_await expand_domain(target, domain);
    Outcome outcome = co_await check_host(other);
    if (outcome.result == SpfResult::none) {
        outcome.result = SpfResult::permerror;
        outcome.detail = "redirect to a domain without a record: " + outcome.detail;
    }
    outcome.path.insert(outcome.path.begin(), {domain, "redirect=" + visible(other)});
    co_return outcome;
}

Evaluation<SpfEvaluator::Match> SpfEvaluator::match(const SpfDirective& directive, const std::string& domain) {
    switch (directive.mechanism) {
        case SpfMechanism::all:
            co_return Match{.holds = true};
        case SpfMechanism::ip4:
            co_return Match{.holds = dns::in_network(request_.client, *directive.network, directive.ipv4_bits)};
        case SpfMechanism::ip6:
            co_return Match{.holds = dns::in_network(request_.client, *directive.network, directive.ipv6_bits)};
        default:
            co_return co_await match_by_dns(directive, domain);
    }
}

Evaluation<SpfEvaluator::Match> SpfEvaluator::match_by_dns(const SpfDirective& directive, const std::string& domain) {
    if (auto over = charge(directive.domain)) co_return *over;
    std::string target = domain;
    if (directive.domain) target = co_await expand_domain(*directive.domain, domain);
    if (directive.mechanism == SpfMechanism::include) co_return co_await match_include(target);
    const auto name = spf_question_name(target);
    if (!name) co_return Match{};
    switch (directive.mechanism) {
        case SpfMechanism::a:
            co_return co_await match_a(directive, *name);
        case SpfMechanism::mx:
            co_return co_await match_mx(directive, *name);
        case SpfMechanism::ptr:
            co_return co_await match_ptr(*name);
        default:
            co_return co_await match_exists(*name);
    }
}

/// The table of RFC 7208 §5.2.
Evaluation<SpfEvaluator::Match> SpfEvaluator::match_include(const std::string& target) {
    Outcome outcome = co_await check_host(target);
    switch (outcome.result) {
        case SpfResult::pass:
            co_return Match{.holds = true, .below = std::move(outcome.path)};
        case SpfResult::fail:
        case SpfResult::softfail:
        case SpfResult::neutral:
            co_return Match{};
        case SpfResult::temperror:
            co_return Match{.error = SpfResult::temperror, .detail = outcome.detail, .below = std::move(outcome.path)};
        case SpfResult::permerror:
        case SpfResult::none:
            break;
    }
    co_return Match{.error = SpfResult::permerror, .detail = outcome.detail, .below = std::move(outcome.path)};
}

Evaluation<SpfEvaluator::Match> SpfEvaluator::match_a(const SpfDirective& directive, const std::string& name) {
    const dns::Answer answer = co_await dns_.ask({name, dns::address_type(request_.client)});
    if (has_failed(answer)) co_return Match{.error = SpfResult::temperror, .detail = trouble("the addresses of " + name, answer)};
    if (auto over = charge_if_void(answer.status)) co_return *over;
    co_return Match{.holds = in_network_of(directive, answer)};
}

Evaluation<SpfEvaluator::Match> SpfEvaluator::match_mx(const SpfDirective& directive, const std::string& name) {
    const dns::Answer answer = co_await dns_.ask({name, dns::Type::mx});
    if (has_failed(answer)) co_return Match{.error = SpfResult::temperror, .detail = trouble("the MX of " + name, answer)};
    if (auto over = charge_if_void(answer.status)) co_return *over;
    const auto hosts = exchanges_in(answer);
    if (hosts.size() > kMostExchanges) co_return Match{.error = SpfResult::permerror, .detail = name + " has more than 10 MX hosts"};
    std::vector<dns::Question> questions;
    for (const auto& host : hosts) questions.push_back({host, dns::address_type(request_.client)});
    const auto answers = co_await dns_.ask_all(questions);
    for (std::size_t i = 0; i < hosts.size(); ++i) {
        if (has_failed(answers[i]))
            co_return Match{.error = SpfResult::temperror, .detail = trouble("the addresses of " + hosts[i], answers[i])};
        if (in_network_of(directive, answers[i])) co_return Match{.holds = true};
    }
    co_return Match{};
}

/// RFC 7208 §5.5: trouble with DNS is no match.
Evaluation<SpfEvaluator::Match> SpfEvaluator::match_ptr(const std::string& name) {
    if (!client_names_) client_names_ = co_await find_validated_names(request_.client, dns_);
    if (auto over = charge_if_void(client_names_->status)) co_return *over;
    co_return Match{.holds = std::ranges::any_of(client_names_->names, [&](const auto& own) { return is_or_is_below(own, name); })};
}

/// RFC 7208 §5.7: A, whatever family the client is of.
Evaluation<SpfEvaluator::Match> SpfEvaluator::match_exists(const std::string& name) {
    const dns::Answer answer = co_await dns_.ask({name, dns::Type::a});
    if (has_failed(answer)) co_return Match{.error = SpfResult::temperror, .detail = trouble("the address of " + name, answer)};
    if (auto over = charge_if_void(answer.status)) co_return *over;
    co_return Match{.holds = answer.status == dns::Status::ok};
}

/// RFC 7208 §6.2: whatever is wrong on the way, there is no explanation then.
Evaluation<std::string> SpfEvaluator::explain(const SpfMacroString& explanation, const std::string& domain) {
    const auto name = spf_question_name(co_await expand_domain(explanation, domain));
    if (!name) co_return std::string();
    const dns::Answer answer = co_await dns_.ask({*name, dns::Type::txt});
    if (answer.status != dns::Status::ok || answer.records.size() != 1) co_return std::string();
    const auto* text = std::get_if<dns::Text>(&answer.records.front());
    const auto words = parse_spf_explanation(text != nullptr ? text->octets : "");
    if (!words) co_return std::string();
    const SpfMacroValues values = co_await values_for(*words, domain);
    co_return visible(expand_spf_text(*words, values));
}

Evaluation<std::string> SpfEvaluator::expand_domain(const SpfMacroString& text, const std::string& domain) {
    const SpfMacroValues values = co_await values_for(text, domain);
    co_return expand_spf_domain(text, values);
}

Evaluation<SpfMacroValues> SpfEvaluator::values_for(const SpfMacroString& text, const std::string& domain) {
    SpfMacroValues values{.sender_local = request_.local_part,
                          .sender_domain = request_.domain,
                          .domain = domain,
                          .client = request_.client,
                          .helo = request_.helo,
                          .receiver = request_.receiver,
                          .now = request_.now};
    if (text.uses('p')) values.client_name = co_await client_name(domain);
    co_return values;
}

/// RFC 7208 §7.3: the domain itself rather than a name below it, and that rather than any.
Evaluation<std::string> SpfEvaluator::client_name(const std::string& domain) {
    if (!client_names_) client_names_ = co_await find_validated_names(request_.client, dns_);
    const auto& names = client_names_->names;
    const std::string wanted = spf_question_name(domain).value_or("");
    if (std::ranges::find(names, wanted) != names.end()) co_return wanted;
    const auto below = std::ranges::find_if(names, [&](const auto& name) { return is_or_is_below(name, wanted); });
    if (below != names.end()) co_return *below;
    co_return names.empty() ? "unknown" : names.front();
}

std::optional<SpfEvaluator::Match> SpfEvaluator::charge(const std::optional<SpfMacroString>& domain) {
    ++lookups_;
    if (domain && domain->uses('p') && !client_names_) ++lookups_;
    if (lookups_ <= kMostLookups) return std::nullopt;
    return Match{.error = SpfResult::permerror, .detail = "more than 10 terms that ask DNS"};
}

std::optional<SpfEvaluator::Match> SpfEvaluator::charge_if_void(dns::Status status) {
    if (status != dns::Status::no_data && status != dns::Status::no_name) return std::nullopt;
    if (++void_lookups_ <= kMostVoidLookups) return std::nullopt;
    return Match{.error = SpfResult::permerror, .detail = "more than 2 look-ups found nothing"};
}

bool SpfEvaluator::in_network_of(const SpfDirective& directive, const dns::Answer& answer) const {
    const unsigned bits = std::holds_alternative<dns::Ipv4>(request_.client) ? directive.ipv4_bits : directive.ipv6_bits;
    return std::ranges::any_of(dns::addresses_in(answer),
                               [&](const dns::IpAddress& address) { return dns::in_network(request_.client, address, bits); });
}

}  // namespace thurn::mailauth
