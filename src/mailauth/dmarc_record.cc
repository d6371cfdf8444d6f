#include "mailauth/dmarc_record.h"

#include "base/ascii.h"
#include "mail/mailbox.h"

#include <algorithm>
#include <set>

namespace thurn::mailauth {
namespace {

std::string_view trimmed(std::string_view text) {
    const auto begin = std::min(text.find_first_not_of(" \t"), text.size());
    text.remove_prefix(begin);
    return text.substr(0, text.find_last_not_of(" \t") + 1);
}

/// What stands before the first `separator`, trimmed; `text` keeps what stands behind it.
std::string_view take_until(std::string_view& text, char separator) {
    const auto end = std::min(text.find(separator), text.size());
    const auto taken = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    return taken;
}

std::string lower(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(), base::to_lower);
    return result;
}

std::optional<DmarcPolicy> parse_policy(std::string_view value) {
    for (const auto policy : {DmarcPolicy::none, DmarcPolicy::quarantine, DmarcPolicy::reject})
        if (base::equal_ignoring_case(value, dmarc_policy_name(policy))) return policy;
    return std::nullopt;
}

/// A URI in its outlines: a scheme, and for `mailto:` an address behind it. Commas and exclamation marks in it are escaped, so `!` begins
/// the size of old.
std::optional<std::string> parse_report_uri(std::string_view text) {
    const auto uri = trimmed(text.substr(0, text.find('!')));
    const auto colon = uri.find(':');
    if (colon == std::string_view::npos || colon == 0 || colon + 1 == uri.size()) return std::nullopt;
    const auto is_scheme_octet = [](char c) { return base::is_letter(c) || base::is_digit(c) || c == '+' || c == '-' || c == '.'; };
    if (!std::ranges::all_of(uri.substr(0, colon), is_scheme_octet)) return std::nullopt;
    if (!std::ranges::all_of(uri, [](char c) { return c > ' ' && c <= '~'; })) return std::nullopt;
    const bool is_mail = base::equal_ignoring_case(uri.substr(0, colon), "mailto");
    if (is_mail && !mail::parse_mailbox(uri.substr(colon + 1, uri.find('?') - colon - 1))) return std::nullopt;
    return std::string(uri);
}

std::vector<std::string> parse_report_uris(std::string_view value) {
    std::vector<std::string> uris;
    while (!value.empty())
        if (auto uri = parse_report_uri(take_until(value, ','))) uris.push_back(*std::move(uri));
    return uris;
}

void set_policy(std::optional<DmarcPolicy>& policy, std::string_view value, DmarcRecord& record) {
    policy = parse_policy(value);
    if (!policy) record.wrong_policy = true;
}

void set_alignment(DmarcAlignment& alignment, std::string_view value) {
    if (base::equal_ignoring_case(value, "s")) alignment = DmarcAlignment::strict;
}

void set_public_suffix(DmarcRecord& record, std::string_view value) {
    if (base::equal_ignoring_case(value, "y")) record.psd = DmarcRecord::PublicSuffix::yes;
    if (base::equal_ignoring_case(value, "n")) record.psd = DmarcRecord::PublicSuffix::no;
}

bool is_report_option(std::string_view value) {
    const std::string options = lower(value);
    std::string_view rest = options;
    while (!rest.empty()) {
        const auto option = take_until(rest, ':');
        if (option.size() != 1 || !std::string_view("01ds").contains(option.front())) return false;
    }
    return !options.empty();
}

void set_tag(DmarcRecord& record, const std::string& name, std::string_view value) {
    if (name == "p") return set_policy(record.p, value, record);
    if (name == "sp") return set_policy(record.sp, value, record);
    if (name == "np") return set_policy(record.np, value, record);
    if (name == "adkim") return set_alignment(record.adkim, value);
    if (name == "aspf") return set_alignment(record.aspf, value);
    if (name == "psd") return set_public_suffix(record, value);
    if (name == "t" && base::equal_ignoring_case(value, "y")) record.mode = DmarcRecord::Mode::test;
    if (name == "fo" && is_report_option(value)) record.fo = lower(value);
    if (name == "rua") record.rua = parse_report_uris(value);
    if (name == "ruf") record.ruf = parse_report_uris(value);
}

/// RFC 9989 §4.8: the version comes first, its value in exactly these letters.
bool take_version(std::string_view& text) {
    std::string_view tag = take_until(text, ';');
    const auto name = take_until(tag, '=');
    return base::equal_ignoring_case(name, "v") && trimmed(tag) == "DMARC1";
}

}  // namespace

std::string_view dmarc_policy_name(DmarcPolicy policy) {
    switch (policy) {
        case DmarcPolicy::none:
            return "none";
        case DmarcPolicy::quarantine:
            return "quarantine";
        case DmarcPolicy::reject:
            return "reject";
    }
    return "";
}

DmarcPolicy milder(DmarcPolicy policy) { return policy == DmarcPolicy::reject ? DmarcPolicy::quarantine : DmarcPolicy::none; }

std::optional<DmarcRecord> DmarcRecord::usable() const {
    if (!wrong_policy) return *this;
    if (rua.empty()) return std::nullopt;
    DmarcRecord record = *this;
    record.p = DmarcPolicy::none;
    record.sp = record.np = std::nullopt;
    return record;
}

std::optional<DmarcRecord> parse_dmarc_record(std::string_view octets) {
    if (!take_version(octets)) return std::nullopt;
    DmarcRecord record;
    std::set<std::string> seen;
    while (!octets.empty()) {
        std::string_view value = take_until(octets, ';');
        if (!value.contains('=')) continue;
        const std::string name = lower(take_until(value, '='));
        if (seen.insert(name).second) set_tag(record, name, trimmed(value));
    }
    if (!record.p) record.wrong_policy = true;
    return record;
}

}  // namespace thurn::mailauth
