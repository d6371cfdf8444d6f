#include "base/ascii.h"
#include "mail/mailbox.h"
#include "require.h"

#include <algorithm>
#include <string>

using namespace thurn;
using fuzz::require;

namespace {

/// The slow, obvious reading of RFC 5321's Domain, with underscores.
bool is_plain_name(std::string_view text) {
    if (text.empty() || text.size() > 255) return false;
    while (true) {
        const std::string_view label = text.substr(0, text.find('.'));
        if (label.empty() || label.size() > 63 || label.starts_with('-') || label.ends_with('-')) return false;
        for (const char c : label) {
            if (!base::is_letter(c) && !base::is_digit(c) && c != '-' && c != '_') return false;
        }
        if (label.size() == text.size()) return true;
        text.remove_prefix(label.size() + 1);
    }
}

void check(std::string_view text, mail::Charset charset) {
    const auto domain = mail::parse_domain(text, charset);
    if (!text.starts_with('[') && std::ranges::all_of(text, base::is_ascii))
        require(domain.has_value() == is_plain_name(text), "as the obvious reading has it");
    if (!domain) return;
    const std::string& normal = domain->text();
    require(!normal.empty() && normal.size() <= 255, "1..255 octets");
    require(std::ranges::all_of(normal, [](char c) { return base::is_printable(c) && c != ' ' && c != '@' && c != '>'; }),
            "harmless octets only");
    require(domain->is_literal() == text.starts_with('['), "a literal stays one, a name never becomes one");
    if (!domain->is_literal()) require(is_plain_name(normal), "a name in ASCII");
    if (!domain->is_literal()) require(std::ranges::none_of(normal, [](char c) { return c >= 'A' && c <= 'Z'; }), "in lower case");
    require(mail::parse_domain(normal, mail::Charset::ascii) == *domain, "the normal form is its own");
    require(mail::parse_domain(normal, mail::Charset::utf8) == *domain, "in either charset");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    check(fuzz::as_text(data, size), mail::Charset::ascii);
    check(fuzz::as_text(data, size), mail::Charset::utf8);
    return 0;
}
