#pragma once

#include "base/clock.h"
#include "policy/condition.h"
#include "policy/limit.h"
#include "policy/rule.h"
#include "policy/situation.h"
#include "policy/token_buckets.h"

#include <array>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace thurn::policy {

/// What is counted.
enum class Counted : std::uint8_t { connections, messages, recipients, octets, unknown_recipients, failed_logins };

inline constexpr std::array<std::string_view, 6> kCountedNames{"connections", "messages",           "recipients",
                                                               "octets",      "unknown_recipients", "failed_logins"};

/// When it is counted, and so what is known by then.
[[nodiscard]] Stage stage_of(Counted what);

/// A `[[rate]]` as the configuration has it.
struct RateText {
    std::string name{};
    Counted of = Counted::messages;
    std::vector<std::string> per{};  // names of facts; none: all together
    Limit limit{};
    std::string when{};             // a Condition; empty: always
    Action action = Action::defer;  // on excess: none, defer, disconnect or hold
    std::string text{};             // of the reply
    bool alarm = false;             // log an excess as one, at most every ten minutes for the same values
    std::string origin = "default";
};

/// More than a rate allows.
struct Excess {
    const RateText* rate = nullptr;
    std::string values{};  // `login = "anna@example.com"`
    base::Duration wait{0};
    bool alarm = false;
    [[nodiscard]] bool refuses() const;
    [[nodiscard]] std::string reason() const;
    [[nodiscard]] Decision decision() const;  // Precondition: refuses()
};

/// Of several, the one by which it is refused: who hangs up comes before who puts off. Null: none refuses.
[[nodiscard]] const Excess* refusing(std::span<const Excess> excesses);

/// What a rate knows of what is about to happen.
struct Counting {
    const RateText* rate = nullptr;
    std::string values{};            // `login = "anna@example.com"`; empty: it counts all together
    double counted = 0;              // what its bucket lacks by now; it fills up evenly, so not only whole things
    std::optional<Excess> excess{};  // it would be too much
};

/// All rates, by what they count.
/// Threads  Immutable once built.
class RateSet {
public:
    /// Errors  As RuleSet::add(). What a rate asks for must be known without asking anybody else.
    [[nodiscard]] base::Result<void> add(RateText said);
    [[nodiscard]] bool counts(Counted what) const { return !rates_[static_cast<std::size_t>(what)].empty(); }

    /// Counts what is about to happen, by every rate that it concerns; those for which it is too much. What is beyond the limit is not
    /// counted, so that trying on does not make the wait longer; what one rate refuses, none counts, so that it costs nobody else's room.
    /// Unknown recipients and failed logins have happened, whoever refuses: each rate counts them for itself.
    [[nodiscard]] std::vector<Excess> take(Counted what, double amount, const Situation& now, TokenBuckets& buckets, base::Time at) const;
    /// What take() would go by, from each rate that it concerns; nothing is counted, and no alarm raised. For `thurn explain`.
    [[nodiscard]] std::vector<Counting> look(Counted what, double amount, const Situation& now, const TokenBuckets& buckets,
                                             base::Time at) const;

private:
    struct Rate {
        RateText said;
        std::optional<Condition> when;
        std::vector<std::size_t> per;
    };
    /// A rate and the values that it counts for: texts in lower case, since case makes nobody another.
    struct Concerned {
        const Rate* rate = nullptr;
        std::vector<std::string> values;
    };
    [[nodiscard]] std::vector<Concerned> concerned(Counted what, const Situation& now) const;
    [[nodiscard]] std::string tell(const Rate& rate, const std::vector<std::string>& values) const;

    std::array<std::vector<Rate>, kCountedNames.size()> rates_;
    FactIndex facts_;
};

/// What holds when there is no [[rate]] in the configuration: enough for a small server.
[[nodiscard]] const std::vector<RateText>& default_rates();

}  // namespace thurn::policy
