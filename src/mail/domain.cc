#include "base/ascii.h"
#include "base/utf8.h"
#include "mail/address_literal.h"
#include "mail/grammar.h"
#include "mail/mailbox.h"

#include <algorithm>
#include <memory>
#include <new>
#include <utility>

#include <idn2.h>

namespace thurn::mail {
namespace {

using base::ErrorKind;
using base::fail;
using base::Result;

constexpr std::size_t kMaxDomain = 255;  // RFC 5321 §4.5.3.1.2
constexpr std::size_t kMaxLabel = 63;    // RFC 1035 §2.3.4

Result<void> check_label(std::string_view label) {
    if (label.empty()) return fail(ErrorKind::syntax, "a domain with an empty label");
    if (label.size() > kMaxLabel) return fail(ErrorKind::too_long, "a label of a domain has over 63 octets");
    if (label.front() == '-' || label.back() == '-') return fail(ErrorKind::syntax, "a label of a domain begins or ends with a hyphen");
    return {};
}

/// The form compared with ==, of a name in US-ASCII. The common path: one pass, one string.
Result<std::string> normalize_ascii(std::string_view text) {
    std::string normal(text);
    std::size_t label = 0;
    for (std::size_t i = 0; i <= text.size(); ++i) {
        if (i < text.size() && text[i] != '.') {
            if (!is(OctetClass::label, text[i])) return fail(ErrorKind::syntax, "an octet that no domain has");
            normal[i] = base::to_lower(text[i]);
            continue;
        }
        if (auto fine = check_label(text.substr(label, i - label)); !fine) return base::pass_on(fine);
        label = i + 1;
    }
    return normal;
}

ErrorKind kind_of(int idn2_code) {
    const bool too_big = idn2_code == IDN2_TOO_BIG_DOMAIN || idn2_code == IDN2_TOO_BIG_LABEL || idn2_code == IDN2_PUNYCODE_BIG_OUTPUT;
    return too_big ? ErrorKind::too_long : ErrorKind::invalid;
}

/// U-labels to A-labels: UTS #46, not transitional, of the NFC form (RFC 5891 §5).
Result<std::string> to_ascii(const std::string& text) {
    char* output = nullptr;
    const int code = idn2_to_ascii_8z(text.c_str(), &output, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    const std::unique_ptr<char, decltype(&idn2_free)> owner(output, &idn2_free);
    if (code == IDN2_MALLOC) throw std::bad_alloc();
    if (code != IDN2_OK) return fail(kind_of(code), "IDNA refuses a label of the domain");
    return std::string(output);
}

/// UTS #46 maps some letters to ASCII, even to '.', '@' or '[', so its output is checked like any input.
Result<std::string> normalize_utf8(std::string_view text) {
    const auto may_stand = [](char c) { return !base::is_ascii(c) || c == '.' || is(OctetClass::label, c); };
    if (!std::ranges::all_of(text, may_stand)) return fail(ErrorKind::syntax, "an octet that no domain has");
    if (!base::is_utf8(text)) return fail(ErrorKind::syntax, "a domain that is not UTF-8");
    auto ascii = to_ascii(std::string(text));
    if (!ascii) return base::pass_on(ascii);
    if (ascii->size() > kMaxDomain) return fail(ErrorKind::too_long, "a domain of over 255 octets");
    return normalize_ascii(*ascii);
}

Result<std::string> normalize(std::string_view text, Charset charset) {
    if (text.empty()) return fail(ErrorKind::syntax, "an empty domain");
    if (text.size() > kMaxDomain) return fail(ErrorKind::too_long, "a domain of over 255 octets");
    if (text.front() == '[') return normalize_address_literal(text);
    if (charset == Charset::ascii || std::ranges::all_of(text, base::is_ascii)) return normalize_ascii(text);
    return normalize_utf8(text);
}

}  // namespace

Result<Domain> parse_domain(std::string_view text, Charset charset) {
    auto normal = normalize(text, charset);
    if (!normal) return base::pass_on(normal);
    return Domain(*std::move(normal));
}

}  // namespace thurn::mail
