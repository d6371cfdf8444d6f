#pragma once

#include "mailauth/inquiry.h"
#include "mailauth/spf.h"
#include "mailauth/validated_names.h"

#include <optional>
#include <string>
#include <vector>

namespace thurn::mailauth {

/// check_host() of RFC 7208 §4, as coroutines that follow its words. References they take are to what their caller holds while it waits.
class SpfEvaluator {
public:
    /// `dns` must outlive it.
    SpfEvaluator(SpfRequest request, Inquiries& dns);
    SpfEvaluator(const SpfEvaluator&) = delete;
    SpfEvaluator& operator=(const SpfEvaluator&) = delete;
    [[nodiscard]] Evaluation<SpfVerdict> run();

private:
    /// What check_host() gives for one domain; with the `exp` that counts if it is a fail.
    struct Outcome {
        SpfResult result;
        std::vector<SpfStep> path{};
        std::string detail{};
        std::optional<SpfMacroString> explanation{};
        std::string explaining_domain{};
    };
    struct Match {
        bool holds = false;
        std::optional<SpfResult> error{};  // ends the whole evaluation
        std::string detail{};
        std::vector<SpfStep> below{};  // of an include: what decided there
    };

    Evaluation<Outcome> check_host(std::string domain);
    Evaluation<Outcome> evaluate(const SpfRecord& record, const std::string& domain);
    Evaluation<Outcome> redirect(const SpfMacroString& target, const std::string& domain);

    Evaluation<Match> match(const SpfDirective& directive, const std::string& domain);
    Evaluation<Match> match_by_dns(const SpfDirective& directive, const std::string& domain);
    Evaluation<Match> match_include(const std::string& target);
    Evaluation<Match> match_a(const SpfDirective& directive, const std::string& name);
    Evaluation<Match> match_mx(const SpfDirective& directive, const std::string& name);
    Evaluation<Match> match_ptr(const std::string& name);
    Evaluation<Match> match_exists(const std::string& name);

    Evaluation<std::string> explain(const SpfMacroString& explanation, const std::string& domain);
    Evaluation<std::string> expand_domain(const SpfMacroString& text, const std::string& domain);
    Evaluation<SpfMacroValues> values_for(const SpfMacroString& text, const std::string& domain);
    Evaluation<std::string> client_name(const std::string& domain);

    /// Counts a term that asks DNS, with the `%{p}` in its domain; an error once there are too many.
    std::optional<Match> charge(const std::optional<SpfMacroString>& domain);
    /// Counts the answer to a term's own question if it is void.
    std::optional<Match> charge_if_void(dns::Status status);
    [[nodiscard]] bool in_network_of(const SpfDirective& directive, const dns::Answer& answer) const;

    SpfRequest request_;
    Inquiries& dns_;
    unsigned lookups_ = 0;
    unsigned void_lookups_ = 0;
    std::optional<ValidatedNames> client_names_;
};

}  // namespace thurn::mailauth
