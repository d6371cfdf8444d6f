#include "mail/mailbox.h"

#include "base/ascii.h"
#include "base/utf8.h"
#include "mail/grammar.h"

#include <algorithm>
#include <utility>

namespace thurn::mail {
namespace {

using base::ErrorKind;
using base::fail;
using base::Result;

constexpr std::string_view kPostmaster = "postmaster";

/// What a local part may be.
struct LocalRules {
    Charset charset;
    std::size_t longest;
};

/// What is left to read. Invariant: only ever shortened at the front.
class Cursor {
public:
    explicit Cursor(std::string_view text) : rest_(text) {}
    [[nodiscard]] bool at_end() const { return rest_.empty(); }
    [[nodiscard]] std::string_view rest() const { return rest_; }
    [[nodiscard]] bool sees(char c) const { return !rest_.empty() && rest_.front() == c; }
    bool skip(char c) {
        if (!sees(c)) return false;
        rest_.remove_prefix(1);
        return true;
    }
    std::string_view take(std::size_t count) {
        const std::string_view taken = rest_.substr(0, count);
        rest_.remove_prefix(taken.size());
        return taken;
    }

private:
    std::string_view rest_;
};

/// RFC 6531 §3.3 widens atext and qtext by all of UTF-8 that is not ASCII.
bool is_atext(char c, Charset charset) { return is(OctetClass::atext, c) || (charset == Charset::utf8 && !base::is_ascii(c)); }
bool is_qtext(char c, Charset charset) { return is(OctetClass::qtext, c) || (charset == Charset::utf8 && !base::is_ascii(c)); }

std::size_t dot_string_length(std::string_view text, Charset charset) {
    const auto end = std::ranges::find_if_not(text, [charset](char c) { return c == '.' || is_atext(c, charset); });
    return static_cast<std::size_t>(end - text.begin());
}

bool has_empty_atom(std::string_view text) {
    return text.empty() || text.front() == '.' || text.back() == '.' || text.find("..") != std::string_view::npos;
}

std::unexpected<base::Error> too_long(const LocalRules& rules) {
    return fail(ErrorKind::too_long, "a local part of over " + std::to_string(rules.longest) + " octets");
}

Result<std::string> take_dot_string(Cursor& in, const LocalRules& rules) {
    const std::size_t length = dot_string_length(in.rest(), rules.charset);
    if (length > rules.longest) return too_long(rules);
    const std::string_view text = in.take(length);
    if (has_empty_atom(text)) return fail(ErrorKind::syntax, "an empty local part, or a dot too many in it");
    return std::string(text);
}

/// Quoted-string of RFC 5321 §4.1.2; gives its meaning. Precondition: a '"' comes next.
Result<std::string> take_quoted_string(Cursor& in, const LocalRules& rules) {
    const std::string_view whole = in.rest().substr(0, rules.longest);
    std::string meaning;
    for (std::size_t i = 1; i < whole.size(); ++i) {
        if (whole[i] == '"') {
            in.take(i + 1);
            if (meaning.empty()) return fail(ErrorKind::syntax, "an empty local part");
            return meaning;
        }
        const bool escaped = whole[i] == '\\';
        if (escaped && ++i == whole.size()) break;
        if (escaped ? !base::is_printable(whole[i]) : !is_qtext(whole[i], rules.charset)) {
            return fail(ErrorKind::syntax, "an octet that no quoted local part has");
        }
        meaning.push_back(whole[i]);
    }
    if (in.rest().size() > rules.longest) return too_long(rules);
    return fail(ErrorKind::syntax, "a quoted local part without its end");
}

Result<std::string> take_local_part(Cursor& in, const LocalRules& rules) {
    auto local = in.sees('"') ? take_quoted_string(in, rules) : take_dot_string(in, rules);
    if (local && rules.charset == Charset::utf8 && !base::is_utf8(*local)) return fail(ErrorKind::syntax, "a local part that is not UTF-8");
    return local;
}

/// As far as a domain can reach: a literal may hold what ends a name.
std::size_t domain_length(std::string_view text, std::string_view ends) {
    if (text.starts_with('[')) return std::min(text.find(']'), text.size() - 1) + 1;
    return std::min(text.find_first_of(ends), text.size());
}

/// A mailbox up to one of `ends`, or to the end of the input.
Result<Mailbox> take_mailbox(Cursor& in, const LocalRules& rules, std::string_view ends) {
    auto local = take_local_part(in, rules);  // a quoted part may hold '@': no searching (RFC 5321 §4.1.2)
    if (!local) return base::pass_on(local);
    if (!in.skip('@')) return fail(ErrorKind::syntax, "a local part that '@' does not follow");
    auto domain = parse_domain(in.take(domain_length(in.rest(), ends)), rules.charset);
    if (!domain) return base::pass_on(domain);
    return Mailbox{*std::move(local), *std::move(domain)};
}

/// A-d-l of RFC 5321 §4.1.2: accepted and ignored (RFC 5321 Appendix C).
Result<void> skip_source_route(Cursor& in, Charset charset) {
    if (!in.sees('@')) return {};
    do {
        if (!in.skip('@')) return fail(ErrorKind::syntax, "a hop of a source route without '@'");
        if (auto hop = parse_domain(in.take(domain_length(in.rest(), ",:>")), charset); !hop) return base::pass_on(hop);
    } while (in.skip(','));
    if (!in.skip(':')) return fail(ErrorKind::syntax, "a source route without ':'");
    return {};
}

/// `<…>`; what is between the brackets is read by `take_inside`. Only the octets that a path may have are looked at, so that a long route
/// costs no more than a short one.
template <class Path, class TakeInside>
Result<Taken<Path>> take_path(std::string_view text, TakeInside take_inside) {
    const std::string_view window = text.substr(0, kLongestPath);
    Cursor in(window);
    if (!in.skip('<')) return fail(ErrorKind::syntax, "a path without '<'");
    Result<Path> path = take_inside(in);
    if (path && in.skip('>')) return Taken<Path>{*std::move(path), text.substr(window.size() - in.rest().size())};
    if (in.at_end() && text.size() > kLongestPath) return fail(ErrorKind::too_long, "a path of over 256 octets");
    if (!path) return base::pass_on(path);
    return fail(ErrorKind::syntax, "a path without '>'");
}

Result<Mailbox> take_routed_mailbox(Cursor& in, const LocalRules& rules) {
    if (auto route = skip_source_route(in, rules.charset); !route) return base::pass_on(route);
    return take_mailbox(in, rules, ">");
}

/// RFC 5321 §4.5.1: `<postmaster>` in any case, without a domain.
bool skip_postmaster(Cursor& in) {
    const std::string_view rest = in.rest();
    if (rest.size() <= kPostmaster.size() || rest[kPostmaster.size()] != '>') return false;
    if (!base::equal_ignoring_case(rest.substr(0, kPostmaster.size()), kPostmaster)) return false;
    in.take(kPostmaster.size());
    return true;
}

bool is_dot_string(std::string_view local) { return dot_string_length(local, Charset::utf8) == local.size() && !has_empty_atom(local); }

void append_quoted(std::string& to, std::string_view local) {
    to += '"';
    for (const char c : local) {
        if (c == '"' || c == '\\') to += '\\';
        to += c;
    }
    to += '"';
}

}  // namespace

std::string render_mailbox(const Mailbox& mailbox) {
    std::string text;
    text.reserve(mailbox.local.size() + mailbox.domain.text().size() + 3);
    if (is_dot_string(mailbox.local)) {
        text += mailbox.local;
    } else {
        append_quoted(text, mailbox.local);
    }
    if (mailbox.domain.empty()) return text;  // `postmaster` alone
    text += '@';
    text += mailbox.domain.text();
    return text;
}

Result<Mailbox> parse_mailbox(std::string_view text, Charset charset) {
    Cursor in(text);
    auto mailbox = take_mailbox(in, {charset, kLongestLocal}, "");
    if (mailbox && !in.at_end()) return fail(ErrorKind::syntax, "text after the domain");
    return mailbox;
}

std::string render_path(const ReversePath& path) { return path.mailbox ? render_mailbox(*path.mailbox) : std::string(); }

Result<Taken<ReversePath>> take_reverse_path(std::string_view text, Charset charset, std::size_t longest_local) {
    return take_path<ReversePath>(text, [rules = LocalRules{charset, longest_local}](Cursor& in) -> Result<ReversePath> {
        if (in.sees('>')) return ReversePath{};
        auto mailbox = take_routed_mailbox(in, rules);
        if (!mailbox) return base::pass_on(mailbox);
        return ReversePath{*std::move(mailbox)};
    });
}

Result<Taken<Mailbox>> take_forward_path(std::string_view text, Charset charset, std::size_t longest_local) {
    return take_path<Mailbox>(text, [rules = LocalRules{charset, longest_local}](Cursor& in) -> Result<Mailbox> {
        if (skip_postmaster(in)) return Mailbox{std::string(kPostmaster), {}};
        return take_routed_mailbox(in, rules);
    });
}

}  // namespace thurn::mail
