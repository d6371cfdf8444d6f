#include "inbound/origin.h"

#include <algorithm>

namespace thurn::inbound {

using Name = smtp::ProxyAttribute::Name;

void add_to(Origin& origin, const std::vector<smtp::ProxyAttribute>& told) {
    for (const auto& attribute : told) {
        const auto known = std::ranges::find(origin, attribute.name, &smtp::ProxyAttribute::name);
        if (known == origin.end())
            origin.push_back(attribute);
        else
            *known = attribute;
    }
}

std::string_view value_of(const Origin& origin, Name name) {
    const auto* attribute = smtp::find_attribute(origin, name);
    return attribute ? std::string_view(attribute->value) : std::string_view();
}

std::string describe_origin(const Origin& origin) {
    std::string text;
    const auto add = [&](std::string_view before, Name name, std::string_view behind = {}) {
        const auto value = value_of(origin, name);
        if (!value.empty()) text.append(text.empty() && before.starts_with(", ") ? before.substr(2) : before).append(value).append(behind);
    };
    add("", Name::name);
    add(text.empty() ? "[" : " [", Name::addr, "]");
    add(":", Name::port);
    add(", helo ", Name::helo);
    add(", ", Name::proto);
    add(", id ", Name::ident);
    add(", ", Name::source);
    return text;
}

}  // namespace thurn::inbound
