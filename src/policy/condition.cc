#include "policy/condition.h"

#include "base/ascii.h"
#include "base/glob.h"

#include <algorithm>

namespace thurn::policy {

namespace {

bool compare(Compare how, double left, double right) {
    using enum Compare;
    switch (how) {
        case equal:
            return left == right;
        case unequal:
            return left != right;
        case less:
            return left < right;
        case at_most:
            return left <= right;
        case more:
            return left > right;
        case at_least:
            return left >= right;
    }
    return false;
}

/// Whether it holds of the text, or of one of the texts.
bool any_text(const FactValue& value, auto fits) {
    if (const auto* text = std::get_if<std::string>(&value)) return fits(*text);
    const auto* texts = std::get_if<Texts>(&value);
    return texts && std::ranges::any_of(*texts, fits);
}

}  // namespace

std::size_t FactIndex::index_of(const FactKind& kind, std::string_view name) {
    const auto known =
        std::ranges::find_if(facts_, [&](const Fact& fact) { return fact.kind == &kind && base::equal_ignoring_case(fact.name, name); });
    if (known != facts_.end()) return static_cast<std::size_t>(known - facts_.begin());
    facts_.push_back({&kind, std::string(kind.name.ends_with('*') ? name : kind.name)});
    return facts_.size() - 1;
}

Truth Condition::evaluate(const FactSheet& facts, Reading& reading) const { return evaluate(root_, facts, reading); }

Truth Condition::evaluate(std::size_t at, const FactSheet& facts, Reading& reading) const {
    const auto& node = nodes_[at];
    if (node.kind == Node::Kind::comparison) return evaluate(comparisons_[node.left], facts, reading);
    const auto wanted_before = reading.wanted.size();
    const auto left = evaluate(node.left, facts, reading);
    if (node.kind == Node::Kind::contrary) return left == Truth::yes ? Truth::no : left == Truth::no ? Truth::yes : left;
    const auto decides = node.kind == Node::Kind::both ? Truth::no : Truth::yes;
    if (left == decides) return left;
    const auto right = evaluate(node.right, facts, reading);
    if (right == decides) {
        reading.wanted.resize(wanted_before);  // whatever the left would be
        return right;
    }
    if (left == Truth::wanted || right == Truth::wanted) return Truth::wanted;
    if (left == Truth::unavailable) return left;
    return right;
}

Truth Condition::evaluate(const Comparison& comparison, const FactSheet& facts, Reading& reading) const {
    if (!facts.knows(comparison.fact)) {
        reading.wanted.push_back(comparison.fact);
        return Truth::wanted;
    }
    reading.read.push_back(comparison.fact);
    const auto& value = facts[comparison.fact];
    const bool missing = std::holds_alternative<Unavailable>(value);
    if (std::holds_alternative<IsUnavailable>(comparison.test)) return missing ? Truth::yes : Truth::no;
    if (missing) return Truth::unavailable;
    return holds(comparison.test, value) ? Truth::yes : Truth::no;
}

bool Condition::holds(const Test& test, const FactValue& value) {
    struct Holds {
        const FactValue& value;
        bool operator()(IsFlag is) const {
            const auto* flag = std::get_if<bool>(&value);
            return flag && *flag == is.wanted;
        }
        bool operator()(IsUnavailable) const { return false; }
        bool operator()(const ToNumber& to) const {
            const auto* number = std::get_if<double>(&value);
            return number && compare(to.how, *number, to.number);
        }
        bool operator()(const AmongNumbers& among) const {
            const auto* number = std::get_if<double>(&value);
            return number && std::ranges::find(among.numbers, *number) != among.numbers.end();
        }
        bool operator()(const AmongTexts& among) const {
            const auto fits = [&](const std::string& text) {
                return std::ranges::any_of(among.texts, [&](const auto& one) { return base::equal_ignoring_case(one, text); });
            };
            return any_text(value, fits) != among.contrary;
        }
        bool operator()(const AmongNetworks& among) const {
            const auto fits = [&](const std::string& text) {
                return std::ranges::any_of(among.networks, [&](const auto& network) { return network.contains(text); });
            };
            return any_text(value, fits) != among.contrary;
        }
        bool operator()(const Like& like) const {
            return any_text(value, [&](const std::string& text) { return base::matches_glob(like.glob, text); });
        }
        bool operator()(const Pattern& pattern) const {
            return any_text(value, [&](const std::string& text) { return pattern.found_in(text); });
        }
    };
    return std::visit(Holds{value}, test);
}

}  // namespace thurn::policy
