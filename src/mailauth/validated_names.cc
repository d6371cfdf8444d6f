#include "mailauth/validated_names.h"

#include <algorithm>

namespace thurn::mailauth {
namespace {

constexpr std::size_t kMostNames = 10;  // RFC 7208 §4.6.4

std::vector<std::string> names_in(const dns::Answer& answer) {
    std::vector<std::string> names;
    for (const auto& record : answer.records) {
        const auto* pointer = std::get_if<dns::NameRecord>(&record);
        if (pointer != nullptr && !pointer->target.empty() && names.size() < kMostNames) names.push_back(pointer->target);
    }
    return names;
}

bool has_failed(const dns::Answer& answer) { return answer.status == dns::Status::failed || answer.status == dns::Status::bogus; }

}  // namespace

Evaluation<ValidatedNames> find_validated_names(dns::IpAddress client, Inquiries& dns) {
    const dns::Question reverse{dns::reverse_name(client), dns::Type::ptr};
    const dns::Answer pointers = co_await dns.ask(reverse);
    ValidatedNames found{.status = pointers.status, .claimed = names_in(pointers)};
    std::vector<dns::Question> questions;
    for (const auto& name : found.claimed) questions.push_back({name, dns::address_type(client)});
    const auto answers = co_await dns.ask_all(questions);
    for (std::size_t i = 0; i < questions.size(); ++i) {
        if (has_failed(answers[i])) found.failed.push_back(questions[i].name);
        const auto addresses = dns::addresses_in(answers[i]);
        if (std::ranges::find(addresses, client) != addresses.end()) found.names.push_back(questions[i].name);
    }
    co_return found;
}

}  // namespace thurn::mailauth
