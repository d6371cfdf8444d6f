#include "mailauth/arc_set.h"

#include "base/ascii.h"
#include "mailauth/dkim_canonical.h"
#include "mailauth/dkim_signature.h"
#include "mailauth/dkim_tag_list.h"

#include <algorithm>
#include <array>
#include <cassert>

namespace thurn::mailauth {
namespace {

constexpr std::array<std::string_view, 3> kNames{"arc-authentication-results", "arc-message-signature", "arc-seal"};

/// Puts `text` behind white space and comments (RFC 5322 §3.2.2); false when a comment does not end.
bool skip_cfws(std::string_view& text) {
    int depth = 0;
    for (; !text.empty(); text.remove_prefix(1)) {
        const char c = text.front();
        if (c == '(') {
            ++depth;
        } else if (depth > 0) {
            if (c == ')') --depth;
            if (c == '\\' && text.size() > 1) text.remove_prefix(1);
        } else if (c != ' ' && c != '\t' && c != '\r' && c != '\n') {
            return true;
        }
    }
    return depth == 0;
}

bool skip_octet(std::string_view& text, char octet) {
    if (!skip_cfws(text) || text.empty() || text.front() != octet) return false;
    text.remove_prefix(1);
    return true;
}

unsigned checked_instance(std::string_view digits) {
    const auto number = parse_digits(digits, 2);
    return number && *number <= kMaxArcSets ? static_cast<unsigned>(*number) : 0;
}

unsigned read_instance(std::string_view name, std::string_view value) {
    std::string_view rest;
    if (name == kNames[0]) return read_arc_results_instance(value, rest);
    const auto tags = parse_tag_list(value);
    return tags ? checked_instance(tags->value("i").value_or("")) : 0;
}

std::size_t& slot(ArcSet& set, std::size_t kind) { return kind == 0 ? set.results : kind == 1 ? set.message_signature : set.seal; }

constexpr std::size_t kMissing = static_cast<std::size_t>(-1);

}  // namespace

unsigned read_arc_results_instance(std::string_view value, std::string_view& rest) {
    if (!skip_octet(value, 'i') || !skip_octet(value, '=') || !skip_cfws(value)) return 0;
    const auto end = std::ranges::find_if_not(value, base::is_digit);
    const std::string_view digits = value.substr(0, static_cast<std::size_t>(end - value.begin()));
    value.remove_prefix(digits.size());
    if (!skip_octet(value, ';')) return 0;
    rest = value.substr(std::min(value.find_first_not_of(" \t\r\n"), value.size()));
    return checked_instance(digits);
}

base::Result<std::vector<ArcSet>> collect_arc_sets(const MessageHeader& header) {
    std::vector<ArcSet> sets;
    std::size_t fields = 0;
    for (std::size_t kind = 0; kind < kNames.size(); ++kind) {
        for (const std::size_t field : header.named(kNames[kind])) {
            const unsigned instance = read_instance(kNames[kind], header.fields()[field].value);
            if (instance == 0) return base::fail(base::ErrorKind::invalid, "an ARC field without an instance from 1 to 50");
            if (sets.size() < instance) sets.resize(instance, {kMissing, kMissing, kMissing});
            auto& place = slot(sets[instance - 1], kind);
            if (place != kMissing) return base::fail(base::ErrorKind::invalid, "an ARC set has a field twice");
            place = field;
            ++fields;
        }
    }
    if (fields != 3 * sets.size()) return base::fail(base::ErrorKind::invalid, "an ARC set is not whole");
    return sets;
}

unsigned highest_arc_instance(const MessageHeader& header) {
    unsigned highest = 0;
    for (const auto name : kNames)
        for (const std::size_t field : header.named(name)) highest = std::max(highest, read_instance(name, header.fields()[field].value));
    return highest;
}

std::string arc_seal_digest(const std::vector<std::string_view>& raw) {
    assert(!raw.empty());
    Sha256 hash;
    std::string canonical;
    for (std::size_t i = 0; i + 1 < raw.size(); ++i) {
        canonical.clear();
        append_canonical_field(canonical, raw[i], Canonicalization::relaxed);
        canonical += "\r\n";
        hash.update(canonical);
    }
    canonical.clear();
    append_unsigned_field(canonical, raw.back(), Canonicalization::relaxed);
    hash.update(canonical);
    return hash.finish();
}

}  // namespace thurn::mailauth
