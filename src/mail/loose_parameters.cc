#include "mail/loose_parameters.h"

#include "base/ascii.h"
#include "mail/charset.h"
#include "mail/transfer_decoder.h"

#include <algorithm>
#include <charconv>
#include <map>

namespace thurn::mail {
namespace {

constexpr std::size_t kMostParameters = 200;

constexpr bool is_white(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

std::string_view trim(std::string_view text) {
    while (!text.empty() && is_white(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_white(text.back())) text.remove_suffix(1);
    return text;
}

std::string lower(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(), base::to_lower);
    return result;
}

/// Up to the next `;` outside quotes and comments, with quotes and comments undone. A comment counts as one only where no value is under way:
/// `name=a(1).exe` is a name.
std::string take_piece(std::string_view& rest, std::string_view until) {
    std::string piece;
    bool quoted = false;
    std::size_t comment = 0;
    for (; !rest.empty(); rest.remove_prefix(1)) {
        const char c = rest.front();
        if (!quoted && comment == 0 && until.contains(c)) break;
        if (c == '\\' && (quoted || comment > 0) && rest.size() > 1) {
            rest.remove_prefix(1);
            if (comment == 0) piece += rest.front();
        } else if (comment > 0) {
            if (c == '(') ++comment;
            if (c == ')') --comment;
        } else if (c == '"') {
            quoted = !quoted;
        } else if (!quoted && c == '(' && (piece.empty() || is_white(piece.back()))) {
            comment = 1;
        } else if (!quoted || (c != '\r' && c != '\n')) {
            piece += c;
        }
    }
    return std::string(trim(piece));
}

/// RFC 2231 §4: percent signs undone.
std::string undo_percent(std::string_view text) {
    std::string as_quoted(text);
    for (auto& c : as_quoted)
        if (c == '%')
            c = '=';
        else if (c == '=')
            c = '_';  // no such octet stands there for itself
    return decode_transfer(TransferEncoding::quoted_printable, as_quoted);
}

struct Reading {
    std::string octets;
    std::string charset;
};

/// `charset'language'text`; without its quotes all of it is text.
Reading read_extended(std::string_view value) {
    const auto charset_end = value.find('\'');
    const auto language_end = charset_end == std::string_view::npos ? charset_end : value.find('\'', charset_end + 1);
    if (language_end == std::string_view::npos) return {undo_percent(value), ""};
    return {undo_percent(value.substr(language_end + 1)), std::string(value.substr(0, charset_end))};
}

Reading join(const std::map<unsigned, const LooseField::Parameter*>& pieces) {
    Reading joined;
    for (const auto& [number, piece] : pieces) {
        const bool extended = piece->name.ends_with('*');
        if (extended && joined.octets.empty() && joined.charset.empty()) {
            joined = read_extended(piece->value);
        } else {
            joined.octets += extended ? undo_percent(piece->value) : piece->value;
        }
    }
    return joined;
}

std::vector<Reading> all_readings(const LooseField& field, std::string_view name) {
    std::vector<Reading> all;
    std::map<unsigned, const LooseField::Parameter*> pieces;
    for (const auto& parameter : field.parameters) {
        if (!parameter.name.starts_with(name)) continue;
        const auto rest = std::string_view(parameter.name).substr(name.size());
        if (rest.empty()) {
            all.push_back({parameter.value, ""});
        } else if (rest == "*") {
            all.push_back(read_extended(parameter.value));
        } else if (rest.front() == '*') {
            unsigned number = 0;
            if (std::from_chars(rest.data() + 1, rest.data() + rest.size(), number).ec == std::errc())
                pieces.try_emplace(number, &parameter);
        }
    }
    if (!pieces.empty()) all.push_back(join(pieces));
    return all;
}

void add_once(std::string text, std::vector<std::string>& to) {
    if (!text.empty() && std::ranges::find(to, text) == to.end()) to.push_back(std::move(text));
}

}  // namespace

std::vector<std::string> LooseField::readings(std::string_view name) const {
    std::vector<std::string> octets;
    for (auto& reading : all_readings(*this, name)) add_once(std::move(reading.octets), octets);
    return octets;
}

std::vector<std::string> LooseField::texts(std::string_view name) const {
    std::vector<std::string> all;
    for (const auto& reading : all_readings(*this, name)) {
        const auto text = to_utf8(reading.charset, reading.octets);
        add_once(reading.charset.empty() ? decode_words(text) : text, all);
    }
    return all;
}

LooseField read_loosely(std::string_view text) {
    LooseField field;
    field.value = lower(take_piece(text, ";"));
    std::erase_if(field.value, is_white);
    while (!text.empty() && field.parameters.size() < kMostParameters) {
        text.remove_prefix(1);  // the `;`
        auto name = lower(take_piece(text, "=;"));
        std::erase_if(name, is_white);
        if (!text.starts_with('=')) continue;
        text.remove_prefix(1);
        field.parameters.push_back({std::move(name), take_piece(text, ";")});
    }
    return field;
}

}  // namespace thurn::mail
