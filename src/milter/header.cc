#include "milter/header.h"

#include "base/ascii.h"
#include "mail/header.h"

#include <algorithm>

namespace thurn::milter {

namespace {

bool is_space(char c) { return c == ' ' || c == '\t'; }

bool is_blank(std::string_view line) { return std::ranges::all_of(line, is_space); }

std::string_view take_line(std::string_view& text) {
    const auto end = std::min(text.find_first_of("\r\n"), text.size());
    const auto line = text.substr(0, end);
    text.remove_prefix(end);
    text.remove_prefix(std::min(text.find_first_not_of("\r\n"), text.size()));
    return line;
}

/// As it may stand behind the colon: a line that would begin another field is folded, one that would look like the end of the header left out.
std::string folded(std::string_view value, LeadingSpace space) {
    std::string result = space == LeadingSpace::implied ? " " : "";
    for (bool first = true; !value.empty(); first = false) {
        const auto line = take_line(value);
        if (!first && is_blank(line)) continue;
        if (!first) result += is_space(line.front()) ? "\r\n" : "\r\n\t";
        for (const char c : line)
            if (!base::is_ascii(c) || base::is_printable(c) || c == '\t') result += c;
    }
    return result;
}

}  // namespace

MessageHeader::MessageHeader(std::string_view message) {
    const auto header = mail::parse_header(message);
    read_octets_ = header.size;
    fields_.reserve(header.fields.size());
    for (const auto& field : header.fields) fields_.push_back({std::string(field.name), std::string(field.value)});
}

void MessageHeader::apply(const AddHeader& change, LeadingSpace space) { fields_.push_back({change.name, folded(change.value, space)}); }

void MessageHeader::apply(const InsertHeader& change, LeadingSpace space) {
    const auto position = change.position > 0 ? change.position - 1 : 0;
    const auto at = static_cast<std::ptrdiff_t>(std::min<std::size_t>(position, fields_.size()));
    fields_.insert(fields_.begin() + at, {change.name, folded(change.value, space)});
}

void MessageHeader::apply(const ChangeHeader& change, LeadingSpace space) {
    auto left = std::max(change.number, 1U);
    const auto found = std::ranges::find_if(
        fields_, [&](const Field& field) { return base::equal_ignoring_case(field.name, change.name) && --left == 0; });
    const bool removed = change.value.find_first_not_of(" \t\r\n") == std::string::npos;
    if (found == fields_.end()) {
        if (!removed) apply(AddHeader{change.name, change.value}, space);
    } else if (removed) {
        fields_.erase(found);
    } else {
        found->value = folded(change.value, space);
    }
}

std::string MessageHeader::render() const {
    std::string header;
    for (const auto& [name, value] : fields_) header.append(name).append(":").append(value).append("\r\n");
    return header;
}

}  // namespace thurn::milter
