#include "base/ascii.h"
#include "mail/grammar.h"
#include "mail/header.h"

#include <algorithm>
#include <utility>

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

bool is_made_of_labels(std::string_view text, std::string_view also) {
    const auto fits = [also](char c) { return is(OctetClass::label, c) || also.contains(c); };
    return !text.empty() && text.size() <= kMaxName && std::ranges::all_of(text, fits);
}
bool is_literal(std::string_view name) {
    return name.size() > 2 && name.starts_with('[') && name.ends_with(']') && is_made_of_labels(name.substr(1, name.size() - 2), ".:");
}

/// A host name or an address literal; anything else a client calls itself could end a comment, a clause or a line.
std::string_view cleaned_helo(std::string_view name) { return is_made_of_labels(name, ".") || is_literal(name) ? name : kUnknown; }
std::string_view cleaned_name(std::string_view name) { return is_made_of_labels(name, ".") ? name : kUnknown; }
std::string_view cleaned_address(std::string_view address) { return is_made_of_labels(address, ".:") ? address : kUnknown; }

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
    field.add(std::string("from ").append(cleaned_helo(options.helo)));
    if (options.client_address.empty()) return;
    field.add(std::string("(")
                  .append(cleaned_name(options.client_name))
                  .append(" [")
                  .append(cleaned_address(options.client_address))
                  .append("])"));
}

}  // namespace

std::string render_received(const ReceivedOptions& options) {
    FoldedField field("Received:");
    add_from(field, options);
    field.add("by " + options.by);
    field.add("with " + options.protocol);
    if (!options.tls.empty()) field.add("(" + cleaned_comment(options.tls) + ")");
    std::string last = "id " + options.id;
    const auto follow_with = [&](std::string clause) { field.add(std::exchange(last, std::move(clause))); };
    if (is_harmless_mailbox(options.recipient)) follow_with("for <" + options.recipient + ">");
    if (options.priority) follow_with("PRIORITY " + std::to_string(*options.priority));
    field.add(last + ";");
    field.add(options.date);
    return std::move(field).finish();
}

}  // namespace thurn::mail
