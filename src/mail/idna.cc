#include "mail/idna.h"

#include "mail/mailbox.h"

#include <memory>
#include <new>

#include <idn2.h>

namespace thurn::mail {
namespace {

using base::ErrorKind;
using base::Result;

/// Precondition: in A-labels.
Result<std::string> decode(const std::string& name) {
    char* output = nullptr;
    const int code = idn2_to_unicode_8z8z(name.c_str(), &output, IDN2_NONTRANSITIONAL);
    const std::unique_ptr<char, decltype(&idn2_free)> owner(output, &idn2_free);
    if (code == IDN2_MALLOC) throw std::bad_alloc();
    if (code != IDN2_OK) return base::fail(ErrorKind::invalid, "an A-label that stands for nothing");
    return std::string(output);
}

struct BothForms {
    std::string a_labels;
    std::string u_labels;
};

/// What an A-label stands for must lead back to it: there are ASCII labels that begin with `xn--` and are none (RFC 5891 §5.4).
Result<BothForms> both_forms_of(std::string_view name) {
    const std::string dot = name.ends_with('.') ? "." : "";
    name.remove_suffix(dot.size());
    auto domain = parse_domain(name, Charset::utf8);
    if (!domain) return base::pass_on(domain);
    if (domain->is_literal()) return base::fail(ErrorKind::syntax, "an address, and no name");
    auto unicode = decode(domain->text());
    if (!unicode) return base::pass_on(unicode);
    const auto again = parse_domain(*unicode, Charset::utf8);
    if (!again || *again != *domain) return base::fail(ErrorKind::invalid, "an A-label that stands for nothing");
    return BothForms{domain->text() + dot, *std::move(unicode) + dot};
}

}  // namespace

Result<std::string> to_a_labels(std::string_view name) {
    auto forms = both_forms_of(name);
    if (!forms) return base::pass_on(forms);
    return std::move(forms->a_labels);
}

Result<std::string> to_u_labels(std::string_view name) {
    auto forms = both_forms_of(name);
    if (!forms) return base::pass_on(forms);
    return std::move(forms->u_labels);
}

}  // namespace thurn::mail
