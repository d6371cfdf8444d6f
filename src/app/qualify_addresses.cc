#include "app/qualify_addresses.h"

#include "mail/header.h"

#include <algorithm>
#include <cstring>
#include <ranges>
#include <vector>

namespace thurn::app {

namespace {

constexpr std::string_view kAround = " \t\r\n,:;<>()";  // what may stand before and behind an address

bool stands_alone(std::string_view value, std::size_t at, std::size_t size) {
    const bool begins = at == 0 || kAround.find(value[at - 1]) != std::string_view::npos;
    const bool ends = at + size == value.size() || kAround.find(value[at + size]) != std::string_view::npos;
    return begins && ends;
}

/// Whether `after` has what `before` has, and nothing to complete any more but one address less.
bool completed_one(const mail::AddressList& before, const mail::AddressList& after) {
    return after.complete == before.complete && after.addresses.size() == before.addresses.size() + 1 &&
           after.unqualified.size() + 1 == before.unqualified.size();
}

/// A display name or a comment may hold the same word: the place is right if the list then reads as it should.
bool complete_one(std::string& value, const mail::AddressList& list, std::string_view domain) {
    const auto& local = list.unqualified.front();
    for (auto at = value.find(local); at != std::string::npos; at = value.find(local, at + 1)) {
        if (!stands_alone(value, at, local.size())) continue;
        auto tried = value;
        tried.insert(at + local.size(), std::string("@").append(domain));
        if (!completed_one(list, mail::parse_address_list(tried))) continue;
        value = std::move(tried);
        return true;
    }
    return false;
}

bool holds_addresses(std::string_view name) {
    constexpr std::string_view kFields[] = {"From", "Sender", "Reply-To", "To", "Cc"};
    return std::ranges::any_of(kFields, [name](std::string_view field) {
        return name.size() == field.size() && ::strncasecmp(name.data(), field.data(), name.size()) == 0;
    });
}

}  // namespace

std::string qualify_addresses(std::string_view value, std::string_view domain) {
    constexpr std::size_t kMostUnqualified = 100;  // each costs a parse for each place it may stand at
    auto list = mail::parse_address_list(value);
    std::string result(value);
    if (list.unqualified.size() > kMostUnqualified) return result;
    while (!list.unqualified.empty() && complete_one(result, list, domain)) list = mail::parse_address_list(result);
    return result;
}

void qualify_header(std::string& message, std::string_view domain) {
    struct Change {
        std::size_t at, size;
        std::string value;
    };
    std::vector<Change> changes;
    for (const auto& field : mail::parse_header(message).fields) {
        if (!holds_addresses(field.name)) continue;
        auto value = qualify_addresses(field.value, domain);
        if (value != field.value)
            changes.push_back({static_cast<std::size_t>(field.value.data() - message.data()), field.value.size(), std::move(value)});
    }
    for (const auto& change : changes | std::views::reverse) message.replace(change.at, change.size, change.value);
}

}  // namespace thurn::app
