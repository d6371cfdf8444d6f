// From the text of a rule's `when` to a Condition, by recursive descent.
#include "base/ascii.h"
#include "base/nearest_word.h"
#include "base/octets.h"
#include "policy/condition.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include <fmt/format.h>

namespace thurn::policy {

namespace {

constexpr std::size_t kLongest = 4096;
constexpr std::size_t kMostComparisons = 200;
constexpr std::size_t kDeepest = 50;

struct Token {
    enum class Kind { end, word, text, number, sign } kind = Kind::end;
    std::string text{};  // of a text, without its quotes
    double number = 0;
    std::size_t column = 1;
};

bool in_word(char c) { return base::is_letter(c) || base::is_digit(c) || c == '_' || c == '.' || c == '-'; }

base::Error error_at(std::size_t column, base::ErrorKind kind, std::string_view what) {
    return {kind, fmt::format("column {}: {}", column, what)};
}

class Lexer {
public:
    explicit Lexer(std::string_view text) : text_(text) {}

    base::Result<Token> next() {
        while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r')) ++at_;
        Token token{.column = at_ + 1};
        if (at_ == text_.size()) return token;
        const char c = text_[at_];
        if (c == '"' || c == '\'') return quoted(std::move(token));
        if (base::is_digit(c)) return number(std::move(token));
        if (base::is_letter(c)) {
            token.kind = Token::Kind::word;
            while (at_ < text_.size() && in_word(text_[at_])) token.text += text_[at_++];
            return token;
        }
        return sign(std::move(token));
    }

private:
    base::Result<Token> quoted(Token token) {
        const auto end = text_.find(text_[at_], at_ + 1);
        if (end == std::string_view::npos)
            return std::unexpected(error_at(token.column, base::ErrorKind::syntax, "the text has no closing quote"));
        token.kind = Token::Kind::text;
        token.text = text_.substr(at_ + 1, end - at_ - 1);
        at_ = end + 1;
        return token;
    }
    base::Result<Token> number(Token token) {
        while (at_ < text_.size() && (in_word(text_[at_]))) token.text += text_[at_++];
        token.kind = Token::Kind::number;
        const auto* end = token.text.data() + token.text.size();
        if (const auto read = std::from_chars(token.text.data(), end, token.number, std::chars_format::fixed);
            read.ec == std::errc() && read.ptr == end)
            return token;
        const auto octets = base::parse_octets(token.text);
        if (!octets)
            return std::unexpected(error_at(token.column, base::ErrorKind::syntax, fmt::format("\"{}\" is no number", token.text)));
        token.number = static_cast<double>(octets->count);
        return token;
    }
    base::Result<Token> sign(Token token) {
        token.kind = Token::Kind::sign;
        for (const std::string_view two : {"!=", "<=", ">="}) {
            if (!text_.substr(at_).starts_with(two)) continue;
            token.text = two;
            at_ += 2;
            return token;
        }
        token.text = text_.substr(at_, 1);
        if (std::string_view("=<>()[],").find(token.text) == std::string_view::npos)
            return std::unexpected(
                error_at(token.column, base::ErrorKind::syntax, fmt::format("{} means nothing here", render_fact(token.text))));
        ++at_;
        return token;
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

}  // namespace

class ConditionParser {
public:
    ConditionParser(std::string_view text, FactIndex& facts) : lexer_(text), facts_(facts) { condition_.text_ = text; }

    base::Result<Condition> parse() {
        if (condition_.text_.size() > kLongest) return fail("longer than 4096 octets");
        advance();
        condition_.root_ = either(0);
        if (!error_ && token_.kind != Token::Kind::end) complain(fmt::format("expected \"and\", \"or\" or the end, not {}", shown()));
        if (error_) return std::unexpected(*error_);
        return std::move(condition_);
    }

private:
    using Node = Condition::Node;
    using Test = Condition::Test;

    std::unexpected<base::Error> fail(std::string_view what) { return base::fail(base::ErrorKind::syntax, std::string(what)); }
    void complain(std::string_view what, base::ErrorKind kind = base::ErrorKind::syntax) {
        if (!error_) error_ = error_at(token_.column, kind, what);
        token_ = {};
    }
    [[nodiscard]] std::string shown() const { return token_.kind == Token::Kind::end ? "the end" : render_fact(token_.text); }
    void advance() {
        if (error_) return;
        auto token = lexer_.next();
        if (token)
            token_ = *std::move(token);
        else
            complain_as(token.error());
    }
    void complain_as(base::Error error) {
        error_ = std::move(error);
        token_ = {};
    }
    [[nodiscard]] bool is_word(std::string_view word) const {
        return token_.kind == Token::Kind::word && base::equal_ignoring_case(token_.text, word);
    }
    [[nodiscard]] bool is_sign(std::string_view sign) const { return token_.kind == Token::Kind::sign && token_.text == sign; }
    bool take_word(std::string_view word) {
        if (!is_word(word)) return false;
        advance();
        return true;
    }
    bool take_sign(std::string_view sign) {
        if (!is_sign(sign)) return false;
        advance();
        return true;
    }
    std::size_t add(Node node) {
        condition_.nodes_.push_back(node);
        return condition_.nodes_.size() - 1;
    }

    std::size_t either(std::size_t depth) {
        auto left = both(depth);
        while (take_word("or")) {
            const auto right = both(depth);
            left = add({Node::Kind::either, left, right});
        }
        return left;
    }
    std::size_t both(std::size_t depth) {
        auto left = contrary(depth);
        while (take_word("and")) {
            const auto right = contrary(depth);
            left = add({Node::Kind::both, left, right});
        }
        return left;
    }
    std::size_t contrary(std::size_t depth) {
        if (depth > kDeepest) {
            complain("too deep: more than 50 within each other");
            return 0;
        }
        if (take_word("not")) {
            const auto operand = contrary(depth + 1);
            return add({Node::Kind::contrary, operand, 0});
        }
        if (!take_sign("(")) return comparison();
        const auto inner = either(depth + 1);
        if (!take_sign(")")) complain(fmt::format("expected \")\", not {}", shown()));
        return inner;
    }

    std::size_t comparison() {
        const auto* kind = token_.kind == Token::Kind::word ? find_fact_kind(token_.text) : nullptr;
        if (!kind) {
            complain_of_unknown_fact();
            return 0;
        }
        if (condition_.comparisons_.size() == kMostComparisons) complain("more than 200 comparisons");
        const auto fact = facts_.index_of(*kind, token_.text);
        if (std::ranges::find(condition_.facts_, fact) == condition_.facts_.end()) condition_.facts_.push_back(fact);
        advance();
        auto test = read_test(*kind);
        condition_.comparisons_.push_back({fact, std::move(test)});
        return add({Node::Kind::comparison, condition_.comparisons_.size() - 1, 0});
    }
    void complain_of_unknown_fact() {
        if (token_.kind != Token::Kind::word) return complain(fmt::format("expected the name of a fact, not {}", shown()));
        std::vector<std::string> names;
        for (const auto& kind : fact_kinds()) names.emplace_back(kind.name);
        const auto near = base::nearest_word(token_.text, names);
        complain(fmt::format("unknown fact \"{}\"{}", token_.text, near.empty() ? "" : fmt::format("; did you mean \"{}\"?", near)),
                 base::ErrorKind::invalid);
    }

    Test read_test(const FactKind& kind) {
        if (take_word("unavailable")) return Condition::IsUnavailable{};
        if (take_word("in")) return read_among(kind);
        const bool is_text = kind.type == FactType::text || kind.type == FactType::texts;
        if (is_word("like") || is_word("matches")) {
            if (!is_text && kind.type != FactType::address)
                complain(fmt::format("\"{}\" is for texts, and {} is none", token_.text, kind.name));
            return read_pattern();
        }
        if (token_.kind == Token::Kind::sign && std::string_view("= != < <= > >=").find(token_.text) != std::string_view::npos)
            return read_comparison(kind);
        if (kind.type != FactType::flag) complain(fmt::format("expected a comparison of {}, such as = or in, not {}", kind.name, shown()));
        return Condition::IsFlag{true};
    }
    Test read_pattern() {
        const bool glob = is_word("like");
        advance();
        if (token_.kind != Token::Kind::text) complain(fmt::format("expected a text in quotes, not {}", shown()));
        if (glob) return Condition::Like{take_text()};
        auto pattern = Pattern::parse(token_.text);
        if (!pattern) {
            complain(pattern.error().detail);
            return Condition::IsFlag{true};
        }
        advance();
        return *std::move(pattern);
    }
    std::string take_text() {
        auto text = token_.text;
        advance();
        return text;
    }
    Test read_comparison(const FactKind& kind) {
        using enum Compare;
        const auto sign = take_text();
        const auto how = sign == "="    ? equal
                         : sign == "!=" ? unequal
                         : sign == "<"  ? less
                         : sign == "<=" ? at_most
                         : sign == ">"  ? more
                                        : at_least;
        if (kind.type == FactType::number) {
            if (token_.kind != Token::Kind::number) complain(fmt::format("{} is a number: expected one, not {}", kind.name, shown()));
            const auto number = token_.number;
            advance();
            return Condition::ToNumber{how, number};
        }
        if (how != equal && how != unequal) complain(fmt::format("{} has no order: only = and != compare it", kind.name));
        if (kind.type == FactType::flag) return read_flag(kind, how == unequal);
        return read_literals(kind, {read_literal()}, how == unequal);
    }
    Test read_flag(const FactKind& kind, bool contrary) {
        if (!is_word("true") && !is_word("false")) complain(fmt::format("{} is true or false, not {}", kind.name, shown()));
        const bool wanted = is_word("true") != contrary;
        advance();
        return Condition::IsFlag{wanted};
    }
    std::string read_literal() {
        if (token_.kind != Token::Kind::text) complain(fmt::format("expected a text in quotes, not {}", shown()));
        return take_text();
    }
    Test read_among(const FactKind& kind) {
        if (!take_sign("[")) complain(fmt::format("expected \"[\", not {}", shown()));
        if (kind.type == FactType::flag) complain(fmt::format("{} is true or false", kind.name));
        if (kind.type == FactType::number) return read_numbers();
        std::vector<std::string> texts;
        do texts.push_back(read_literal());
        while (take_sign(","));
        if (!take_sign("]")) complain(fmt::format("expected \",\" or \"]\", not {}", shown()));
        return read_literals(kind, std::move(texts), false);
    }
    Test read_numbers() {
        Condition::AmongNumbers among;
        do {
            if (token_.kind != Token::Kind::number) complain(fmt::format("expected a number, not {}", shown()));
            among.numbers.push_back(token_.number);
            advance();
        } while (take_sign(","));
        if (!take_sign("]")) complain(fmt::format("expected \",\" or \"]\", not {}", shown()));
        return among;
    }
    Test read_literals(const FactKind& kind, std::vector<std::string> texts, bool contrary) {
        if (kind.type != FactType::address) return Condition::AmongTexts{std::move(texts), contrary};
        Condition::AmongNetworks among{.networks = {}, .contrary = contrary};
        for (const auto& text : texts) {
            auto network = parse_network(text);
            if (network)
                among.networks.push_back(*std::move(network));
            else
                complain(network.error().detail);
        }
        return among;
    }

    Lexer lexer_;
    FactIndex& facts_;
    Condition condition_;
    Token token_;
    std::optional<base::Error> error_;
};

base::Result<Condition> Condition::parse(std::string_view text, FactIndex& facts) { return ConditionParser(text, facts).parse(); }

}  // namespace thurn::policy
