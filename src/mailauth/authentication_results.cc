#include "mailauth/authentication_results.h"

#include "base/ascii.h"
#include "mail/mailbox.h"

#include <algorithm>
#include <optional>

namespace thurn::mailauth {
namespace {

constexpr std::size_t kMaxCount = 100;
constexpr std::size_t kMaxColumn = 78;
constexpr std::string_view kSpecials = "()<>@,;:\\\"/[]?=";  // tspecials of RFC 2045 §5.1
constexpr std::string_view kNone = "none";

constexpr bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
bool is_token_octet(char c) { return !base::is_ascii(c) || (c > ' ' && c < '\x7f' && !kSpecials.contains(c)); }
bool is_keyword_octet(char c) { return base::is_letter(c) || base::is_digit(c) || c == '-' || c == '_'; }
/// What stands in an address besides token octets.
bool is_pvalue_octet(char c) { return is_token_octet(c) || std::string_view("@:/[]=?+").contains(c); }

std::string lower(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(), base::to_lower);
    return result;
}

std::unexpected<base::Error> bad(std::string what) { return base::fail(base::ErrorKind::syntax, std::move(what)); }

/// Reads from the front of a field, comments and white space taken away between parts.
class Cursor {
public:
    explicit Cursor(std::string_view text) : rest_(text) { skip(); }

    [[nodiscard]] bool at_end() const { return rest_.empty(); }
    [[nodiscard]] bool broken() const { return broken_; }  // a comment that does not end
    [[nodiscard]] char peek() const { return rest_.empty() ? '\0' : rest_.front(); }

    bool take(char octet) {
        if (peek() != octet || rest_.empty()) return false;
        rest_.remove_prefix(1);
        skip();
        return true;
    }
    template <class Test>
    std::string_view take_while(Test test) {
        const auto end = std::ranges::find_if_not(rest_, test);
        const std::string_view found = rest_.substr(0, static_cast<std::size_t>(end - rest_.begin()));
        rest_.remove_prefix(found.size());
        skip();
        return found;
    }
    /// value = token / quoted-string (RFC 2045 §5.1); nothing where neither stands.
    template <class Test>
    std::optional<std::string> take_value(Test test) {
        if (peek() == '"') return take_quoted();
        const std::string_view found = take_while(test);
        return found.empty() ? std::nullopt : std::optional(std::string(found));
    }

private:
    std::optional<std::string> take_quoted() {
        std::string value;
        for (std::size_t i = 1; i < rest_.size(); ++i) {
            const char c = rest_[i];
            if (c == '"') {
                rest_.remove_prefix(i + 1);
                skip();
                return value;
            }
            if (c == '\r' || c == '\n') continue;  // a fold within it
            if (c == '\\' && i + 1 < rest_.size()) ++i;
            value += rest_[i];
        }
        return std::nullopt;
    }
    void skip() {
        std::size_t depth = 0;
        std::size_t i = 0;
        for (; i < rest_.size(); ++i) {
            const char c = rest_[i];
            if (depth > 0 && c == '\\') {
                ++i;
            } else if (c == '(') {
                ++depth;
            } else if (depth > 0) {
                if (c == ')') --depth;
            } else if (!is_space(c)) {
                break;
            }
        }
        broken_ = broken_ || depth > 0;
        rest_.remove_prefix(std::min(i, rest_.size()));
    }

    std::string_view rest_;
    bool broken_ = false;
};

/// `/1` behind a method, or a number behind the authserv-id.
bool take_version(Cursor& in, unsigned& version) {
    const std::string_view digits = in.take_while(base::is_digit);
    if (digits.empty() || digits.size() > 3) return false;
    version = 0;
    for (const char c : digits) version = version * 10 + static_cast<unsigned>(c - '0');
    return true;
}

/// methodspec: `dkim/1 = pass`.
base::Result<AuthenticationResult> take_method(Cursor& in) {
    AuthenticationResult result{.method = lower(in.take_while(is_keyword_octet)), .result = {}};
    if (result.method.empty()) return bad("a result without a method");
    if (in.take('/') && !take_version(in, result.version)) return bad("a method with a version that is no number");
    if (!in.take('=')) return bad("a method without \"=\"");
    result.result = lower(in.take_while(is_keyword_octet));
    if (result.result.empty()) return bad("a method without a result");
    return result;
}

/// propspec; `type` has been read.
base::Result<AuthenticationProperty> take_property(Cursor& in, std::string type) {
    AuthenticationProperty property{.type = std::move(type), .name = {}, .value = {}};
    if (!in.take('.')) return bad("a property without \".\"");
    property.name = lower(in.take_while(is_keyword_octet));
    if (property.name.empty() || !in.take('=')) return bad("a property without a name or \"=\"");
    auto value = in.take_value(is_pvalue_octet);
    if (!value) return bad("a property without a value");
    property.value = *std::move(value);
    // `"local part"@domain`, the one mixed form there is.
    if (in.peek() == '@') property.value += in.take_while(is_pvalue_octet);
    return property;
}

base::Result<AuthenticationResult> take_result(Cursor& in) {
    auto result = take_method(in);
    if (!result) return result;
    for (bool first = true; !in.at_end() && in.peek() != ';'; first = false) {
        std::string word = lower(in.take_while(is_keyword_octet));
        if (word.empty()) return bad("an octet that belongs to nothing");
        if (first && word == "reason" && in.take('=')) {
            auto reason = in.take_value(is_token_octet);
            if (!reason) return bad("a reason without text");
            result->reason = *std::move(reason);
            continue;
        }
        auto property = take_property(in, std::move(word));
        if (!property) return base::pass_on(property);
        if (result->properties.size() == kMaxCount) return base::fail(base::ErrorKind::too_long, "too many properties");
        result->properties.push_back(*std::move(property));
    }
    return result;
}

/// `; none` and nothing else.
bool take_none(Cursor in) { return base::equal_ignoring_case(in.take_while(is_keyword_octet), kNone) && in.at_end(); }

bool same_id(std::string_view a, std::string_view b) {
    for (auto* id : {&a, &b})
        if (id->ends_with('.')) id->remove_suffix(1);
    if (base::equal_ignoring_case(a, b)) return true;
    const auto first = mail::parse_domain(a, mail::Charset::utf8);
    const auto second = mail::parse_domain(b, mail::Charset::utf8);
    return first && second && *first == *second;
}

// --- writing

/// Printable US-ASCII and UTF-8 only: no line end, so nobody's text begins a field of its own.
std::string clean(std::string_view text) {
    std::string result(text);
    std::ranges::replace_if(result, [](char c) { return base::is_ascii(c) && !base::is_printable(c); }, '?');
    return result;
}

std::string quoted(std::string_view text) {
    std::string result = "\"";
    for (const char c : clean(text)) {
        if (c == '"' || c == '\\') result += '\\';
        result += c;
    }
    return result + '"';
}

std::string value_of(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, is_token_octet) ? std::string(text) : quoted(text);
}

/// A pvalue: an address stands without quotes (RFC 8601 §2.2).
std::string pvalue_of(std::string_view text) {
    const std::size_t at = text.rfind('@');
    const auto dot_string = [](std::string_view part) { return std::ranges::all_of(part, is_token_octet); };
    const bool address =
        at != std::string_view::npos && at + 1 < text.size() && dot_string(text.substr(0, at)) && dot_string(text.substr(at + 1));
    return address ? std::string(text) : value_of(text);
}

std::string comment_of(std::string_view text) {
    std::string result = "(";
    for (const char c : clean(text)) {
        if (c == '(' || c == ')' || c == '\\') result += '\\';
        result += c;
    }
    return result + ')';
}

/// Words in lines of at most 78 octets where they fit; each result begins a line.
class Writer {
public:
    explicit Writer(std::string_view first) : text_(first), column_(first.size() + std::string_view("Authentication-Results: ").size()) {}
    void put(std::string_view word) {
        if (column_ + 1 + word.size() > kMaxColumn) return line(word);
        text_.append(" ").append(word);
        column_ += 1 + word.size();
    }
    void line(std::string_view word) {
        text_.append("\r\n\t").append(word);
        column_ = 8 + word.size();
    }
    void glue(char octet) { text_ += octet; }
    [[nodiscard]] std::string take() { return std::move(text_); }

private:
    std::string text_;
    std::size_t column_;
};

void write_result(Writer& out, const AuthenticationResult& result) {
    const std::string version = result.version == 1 ? "" : "/" + std::to_string(result.version);
    out.line(result.method + version + "=" + result.result);
    if (!result.comment.empty()) out.put(comment_of(result.comment));
    if (!result.reason.empty()) out.put("reason=" + value_of(result.reason));
    for (const auto& property : result.properties) out.put(property.type + "." + property.name + "=" + pvalue_of(property.value));
}

}  // namespace

base::Result<AuthenticationResults> parse_authentication_results(std::string_view value) {
    Cursor in(value);
    auto id = in.take_value(is_token_octet);
    if (!id) return bad("no authserv-id");
    AuthenticationResults all{.authserv_id = *std::move(id)};
    unsigned version = 1;
    if (base::is_digit(in.peek()) && !take_version(in, version)) return bad("a version that is no number");
    if (version != 1) return base::fail(base::ErrorKind::invalid, "Authentication-Results of an unknown version");
    while (in.take(';')) {
        if (all.results.empty() && take_none(in)) return all;
        if (in.at_end() && !all.results.empty()) break;  // a semicolon at the end, as some write it
        auto result = take_result(in);
        if (!result) return base::pass_on(result);
        if (all.results.size() == kMaxCount) return base::fail(base::ErrorKind::too_long, "too many results");
        all.results.push_back(*std::move(result));
    }
    if (in.broken() || !in.at_end() || all.results.empty()) return bad("no results, or text that belongs to nothing");
    return all;
}

std::string render_authentication_results(const AuthenticationResults& results) {
    Writer out(value_of(results.authserv_id) + ";");
    if (results.results.empty()) out.put(kNone);
    for (std::size_t i = 0; i < results.results.size(); ++i) {
        if (i > 0) out.glue(';');
        write_result(out, results.results[i]);
    }
    return out.take();
}

bool claims_to_be_ours(const mail::HeaderField& field, std::string_view own_id) {
    if (!base::equal_ignoring_case(field.name, "Authentication-Results")) return false;
    Cursor in(field.value);
    const auto id = in.take_value(is_token_octet);
    if (id && !in.broken()) return same_id(*id, own_id);
    return lower(field.value).contains(lower(own_id));
}

}  // namespace thurn::mailauth
