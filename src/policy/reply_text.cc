#include "policy/reply_text.h"

#include "base/ascii.h"

#include <algorithm>

#include <fmt/format.h>

namespace thurn::policy {

namespace {

constexpr std::size_t kLongest = 200;
constexpr std::size_t kLongestRendered = 300;

/// As a person would write it: no quotes around texts.
std::string plain(const FactValue& value) {
    if (const auto* text = std::get_if<std::string>(&value)) return *text;
    if (std::holds_alternative<Unavailable>(value)) return "?";
    return render_fact(value);
}

}  // namespace

base::Result<ReplyText> ReplyText::parse(std::string_view text, FactIndex& facts) {
    if (text.size() > kLongest) return base::fail(base::ErrorKind::too_long, "a reply of more than 200 octets");
    if (!std::ranges::all_of(text, base::is_printable))
        return base::fail(base::ErrorKind::syntax, "a reply is in printable US-ASCII, on one line");
    ReplyText reply;
    while (!text.empty()) {
        const auto open = text.find('{');
        Piece piece{.words = std::string(text.substr(0, open))};
        text.remove_prefix(std::min(open, text.size()));
        if (!text.empty()) {
            const auto close = text.find('}');
            if (close == std::string_view::npos) return base::fail(base::ErrorKind::syntax, "{ has no }");
            const auto name = text.substr(1, close - 1);
            const auto* kind = find_fact_kind(name);
            if (!kind) return base::fail(base::ErrorKind::invalid, fmt::format("unknown fact \"{}\"", name));
            if (kind->is_content) return base::fail(base::ErrorKind::invalid, fmt::format("a reply does not tell \"{}\"", name));
            piece.fact = facts.index_of(*kind, name);
            text.remove_prefix(close + 1);
        }
        reply.pieces_.push_back(std::move(piece));
    }
    return reply;
}

std::string ReplyText::render(const FactSheet& facts) const {
    std::string text;
    for (const auto& piece : pieces_) {
        text += piece.words;
        if (piece.fact) text += facts.knows(*piece.fact) ? plain(facts[*piece.fact]) : "?";
    }
    std::ranges::replace_if(text, [](char c) { return !base::is_printable(c); }, '?');
    if (text.size() > kLongestRendered) text.resize(kLongestRendered);
    return text;
}

std::vector<std::size_t> ReplyText::facts() const {
    std::vector<std::size_t> used;
    for (const auto& piece : pieces_)
        if (piece.fact) used.push_back(*piece.fact);
    return used;
}

}  // namespace thurn::policy
