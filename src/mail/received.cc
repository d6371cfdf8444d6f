#include "base/ascii.h"
#include "mail/grammar.h"
#include "mail/header.h"

#include <algorithm>

namespace thurn::mail {
namespace {

constexpr std::size_t kMaxLine = 78;   // RFC 5322 §2.1.1
constexpr std::size_t kMaxName = 255;  // RFC 5321 §4.5.3.1.2
constexpr std::string_view kUnknown = "unknown";

/// A field that breaks its lines in front of clauses, and inside a clause only where that alone is too long.
class FoldedField {
public:
    explicit FoldedField(std::string_view name) : text_(name), column_(name.size()) {}

    void add(std::string_view clause) {
        if (clause.size() + 1 <= kMaxLine) return put(clause);
        while (!clause.empty()) {
            const std::size_t space = std::min(clause.find(' '), clause.size());
            put(clause.substr(0, space));
            clause.remove_prefix(std::min(space + 1, clause.size()));
        }
    }
    std::string finish() && { return std::move(text_.append("\r\n")); }

private:
    void put(std::string_view words) {
        const bool fits = column_ + 1 + words.size() <= kMaxLine;
        text_.append(fits ? " " : "\r\n\t").append(words);
        column_ = fits ? column_ + 1 + words.size() : 1 + words.size();
    }

    std::string text_;
    std::size_t column_;
};

/// A host name or an address literal; anything else a client calls itself could end a comment, a clause or a line.
bool is_harmless_name(std::string_view name) {
    const auto harmless = [](char c) { return is(OctetClass::label, c) || c == '.' || c == ':' || c == '[' || c == ']'; };
    return !name.empty() && name.size() <= kMaxName && std::ranges::all_of(name, harmless);
}
std::string_view cleaned_name(std::string_view name) { return is_harmless_name(name) ? name : kUnknown; }

/// Text that may stand in a comment (RFC 5322 §3.2.2): no parentheses, backslashes or control octets.
std::string cleaned_comment(std::string_view text) {
    std::string clean(text);
    std::ranges::replace_if(clean, [](char c) { return !base::is_printable(c) || c == '(' || c == ')' || c == '\\'; }, '?');
    return clean;
}

/// A mailbox as render_mailbox() gives it; one that was made up otherwise is not shown.
bool is_harmless_mailbox(std::string_view mailbox) {
    return !mailbox.empty() && std::ranges::all_of(mailbox, [](char c) { return base::is_printable(c) || !base::is_ascii(c); });
}

/// From-domain of RFC 5321 §4.4; what is verified stands in the comment. Mail that came by no connection has none.
void add_from(FoldedField& field, const ReceivedOptions& options) {
    if (options.helo.empty() && options.client_address.empty()) return;
    field.add(std::string("from ").append(cleaned_name(options.helo)));
    if (options.client_address.empty()) return;
    field.add(
        std::string("(").append(cleaned_name(options.client_name)).append(" [").append(cleaned_name(options.client_address)).append("])"));
}

}  // namespace

std::string render_received(const ReceivedOptions& options) {
    FoldedField field("Received:");
    add_from(field, options);
    field.add("by " + options.by);
    field.add("with " + options.protocol);
    if (!options.tls.empty()) field.add("(" + cleaned_comment(options.tls) + ")");
    const bool shows_recipient = is_harmless_mailbox(options.recipient);
    field.add("id " + options.id + (shows_recipient ? "" : ";"));
    if (shows_recipient) field.add("for <" + options.recipient + ">;");
    field.add(options.date);
    return std::move(field).finish();
}

}  // namespace thurn::mail
