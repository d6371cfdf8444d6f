#pragma once

#include "base/result.h"
#include "policy/fact.h"
#include "policy/pattern.h"
#include "policy/recipient_rule.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace thurn::policy {

/// The facts that a set of rules asks for, each once.
class FactIndex {
public:
    [[nodiscard]] std::size_t index_of(const FactKind& kind, std::string_view name);
    [[nodiscard]] const std::vector<Fact>& all() const { return facts_; }

private:
    std::vector<Fact> facts_;
};

/// Whether a condition holds. `unavailable`: a fact that it hangs on could not be had. `wanted`: it hangs on facts that nobody asked for yet.
enum class Truth : std::uint8_t { no, yes, unavailable, wanted };

enum class Compare : std::uint8_t { equal, unequal, less, at_most, more, at_least };

/// What a condition looked at, and what it would have looked at.
struct Reading {
    std::vector<std::size_t> read;
    std::vector<std::size_t> wanted;
};

/// What the `when` of a rule says, compiled.
///
/// Shape    or        = and *("or" and)
///          and       = not *("and" not)
///          not       = ["not"] ("(" or ")" / comparison)
///          comparison = fact                         (a flag)
///                     / fact ("=" / "!=" / "<" / "<=" / ">" / ">=") literal
///                     / fact "in" "[" literal *("," literal) "]"
///                     / fact "like" text             (glob: `*` and `?`)
///                     / fact "matches" text          (RE2 anywhere in it)
///                     / fact "unavailable"
///          literal   = text in " or ' / number, also with KiB, MiB, GiB / "true" / "false"
///          Texts are compared without case (US-ASCII), patterns of `matches` with it. Of an address, the literals are addresses and networks.
///          A fact that is a list fits if one of its texts does, and `!=` if none does.
/// Logic    Kleene's: what is unavailable makes neither a thing nor its contrary hold, but `no and …` is no, and `yes or …` yes.
/// Limits   4096 octets, 200 comparisons, 50 parentheses deep; patterns as Pattern limits them.
/// Threads  Immutable once parsed.
class Condition {
public:
    /// Errors  `syntax`, `invalid`: `column 12: what is wrong`, for an unknown fact with the nearest one.
    [[nodiscard]] static base::Result<Condition> parse(std::string_view text, FactIndex& facts);

    [[nodiscard]] Truth evaluate(const FactSheet& facts, Reading& reading) const;
    [[nodiscard]] const std::string& text() const { return text_; }
    /// Facts it may ask for.
    [[nodiscard]] const std::vector<std::size_t>& facts() const { return facts_; }

private:
    friend class ConditionParser;
    struct IsFlag {
        bool wanted;
    };
    struct IsUnavailable {};
    struct ToNumber {
        Compare how;
        double number;
    };
    struct AmongNumbers {
        std::vector<double> numbers;
    };
    struct AmongTexts {
        std::vector<std::string> texts;
        bool contrary = false;  // `!=`
    };
    struct AmongNetworks {
        std::vector<Network> networks;
        bool contrary = false;
    };
    struct Like {
        std::string glob;
    };
    using Test = std::variant<IsFlag, IsUnavailable, ToNumber, AmongNumbers, AmongTexts, AmongNetworks, Like, Pattern>;
    struct Comparison {
        std::size_t fact;
        Test test;
    };
    struct Node {
        enum class Kind : std::uint8_t { both, either, contrary, comparison } kind;
        std::size_t left;   // node, or comparison
        std::size_t right;  // node
    };

    [[nodiscard]] Truth evaluate(std::size_t node, const FactSheet& facts, Reading& reading) const;
    [[nodiscard]] Truth evaluate(const Comparison& comparison, const FactSheet& facts, Reading& reading) const;
    [[nodiscard]] static bool holds(const Test& test, const FactValue& value);

    std::string text_;
    std::vector<Node> nodes_;
    std::vector<Comparison> comparisons_;
    std::vector<std::size_t> facts_;
    std::size_t root_ = 0;
};

}  // namespace thurn::policy
