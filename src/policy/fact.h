#pragma once

#include "policy/stage.h"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace thurn::policy {

enum class FactType : std::uint8_t { flag, number, text, texts, address };

/// Something a rule may ask for, by its name in the configuration.
struct FactKind {
    std::string_view
        name;  // `client.address`; where it ends in `.*`, a name of the asker's choice takes the star's place: `header.Subject`
    FactType type;
    Stage since;     // the first stage that knows it
    Stage until;     // and the last: a recipient is one at rcpt only
    bool looked_up;  // others are asked, DNS mostly: it costs time
    std::string_view means;
    bool is_content = false;  // of the message: what it holds is for its recipients, so neither log nor trace nor reply has it
};

/// All there are, by name.
[[nodiscard]] std::span<const FactKind> fact_kinds();
/// Null: there is no such fact.
[[nodiscard]] const FactKind* find_fact_kind(std::string_view name);

/// A fact by its whole name.
struct Fact {
    const FactKind* kind;
    std::string name;
    /// What stands for the star of the kind's name; empty where it has none.
    [[nodiscard]] std::string_view argument() const;
    friend bool operator==(const Fact&, const Fact&) = default;
};

/// It was asked for and could not be had: a server that gave no answer, a time limit. No comparison holds of it.
struct Unavailable {
    std::string why;
    friend bool operator==(const Unavailable&, const Unavailable&) = default;
};
using Texts = std::vector<std::string>;
using FactValue = std::variant<Unavailable, bool, double, std::string, Texts>;

/// `true`, `12`, `"a text"`, `["a", "b"]`, `unavailable (no answer)`: for the trace. Long ones are cut.
[[nodiscard]] std::string render_fact(const FactValue& value);

/// What is known by now, by the indices that a RuleSet gave its facts.
class FactSheet {
public:
    explicit FactSheet(std::size_t facts = 0) : values_(facts) {}
    [[nodiscard]] bool knows(std::size_t fact) const { return values_[fact].has_value(); }
    [[nodiscard]] const FactValue& operator[](std::size_t fact) const { return *values_[fact]; }
    void set(std::size_t fact, FactValue value) { values_[fact] = std::move(value); }
    void forget(std::size_t fact) { values_[fact].reset(); }
    [[nodiscard]] std::size_t size() const { return values_.size(); }

private:
    std::vector<std::optional<FactValue>> values_;
};

}  // namespace thurn::policy
