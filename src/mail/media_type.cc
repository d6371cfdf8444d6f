#include "base/ascii.h"
#include "mail/grammar.h"
#include "mail/mime.h"

#include <algorithm>

namespace thurn::mail {
namespace {

constexpr bool is_white(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
/// RFC 2045 §5.1.
constexpr bool is_token(char c) { return base::is_printable(c) && c != ' ' && !std::string_view("()<>@,;:\\\"/[]?=").contains(c); }

class Cursor {
public:
    explicit Cursor(std::string_view text) : rest_(text) {}

    [[nodiscard]] bool at_end() const { return rest_.empty(); }
    bool skip(char c) {
        if (!rest_.starts_with(c)) return false;
        rest_.remove_prefix(1);
        return true;
    }
    std::string_view take_token() {
        const auto end = std::ranges::find_if_not(rest_, is_token);
        const auto token = rest_.substr(0, static_cast<std::size_t>(end - rest_.begin()));
        rest_.remove_prefix(token.size());
        return token;
    }
    /// False for a comment that does not end.
    [[nodiscard]] bool skip_blanks() {
        while (true) {
            while (!rest_.empty() && is_white(rest_.front())) rest_.remove_prefix(1);
            if (!rest_.starts_with('(')) return true;
            if (!skip_comment()) return false;
        }
    }
    /// What a quoted string says; nothing when it does not end.
    std::optional<std::string> take_quoted() {
        std::string text;
        while (!rest_.empty()) {
            char c = take();
            if (c == '"') return text;
            if (c == '\\' && !rest_.empty()) c = take();
            if (c != '\r' && c != '\n') text += c;
        }
        return std::nullopt;
    }

private:
    char take() {
        const char c = rest_.front();
        rest_.remove_prefix(1);
        return c;
    }
    bool skip_comment() {
        std::size_t depth = 0;
        while (!rest_.empty()) {
            const char c = take();
            if (c == '\\' && !rest_.empty()) take();
            if (c == '(') ++depth;
            if (c == ')' && --depth == 0) return true;
        }
        return false;
    }

    std::string_view rest_;
};

std::string lower(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(), base::to_lower);
    return result;
}

/// `; attribute=value`, one or none (a `;` at the end is common). Nothing when it breaks the grammar.
struct Attribute {
    std::string name, value;
};
std::optional<Attribute> take_attribute(Cursor& in) {
    if (!in.skip_blanks()) return std::nullopt;
    Attribute attribute{.name = lower(in.take_token()), .value = {}};
    if (attribute.name.empty()) return attribute;
    if (!in.skip_blanks() || !in.skip('=') || !in.skip_blanks()) return std::nullopt;
    auto value = in.skip('"') ? in.take_quoted() : std::optional(std::string(in.take_token()));
    if (!value || !in.skip_blanks()) return std::nullopt;
    attribute.value = *std::move(value);
    return attribute;
}

std::unexpected<base::Error> unreadable() { return base::fail(base::ErrorKind::syntax, "a Content-Type that cannot be read"); }

}  // namespace

base::Result<MediaType> parse_media_type(std::string_view value) {
    Cursor in(value);
    if (!in.skip_blanks()) return unreadable();
    MediaType media{.type = lower(in.take_token()), .subtype = {}, .boundary = {}};
    if (!in.skip_blanks() || !in.skip('/') || !in.skip_blanks()) return unreadable();
    media.subtype = lower(in.take_token());
    if (media.type.empty() || media.subtype.empty() || !in.skip_blanks()) return unreadable();
    while (in.skip(';')) {
        auto attribute = take_attribute(in);
        if (!attribute || attribute->name.starts_with("boundary*")) return unreadable();
        if (attribute->name != "boundary") continue;
        if (!media.boundary.empty()) return unreadable();
        media.boundary = std::move(attribute->value);
    }
    if (!in.at_end()) return unreadable();
    return media;
}

}  // namespace thurn::mail
