#include "policy/content.h"

namespace thurn::policy {

namespace {

FactValue spam_fact(std::string_view name, const scan::SpamVerdict& verdict) {
    if (name == "spam_score") return verdict.score;
    if (name == "spam_rules") return verdict.rules;
    return verdict.spam;
}

}  // namespace

ContentSource content_source(const Fact& fact) {
    const auto& name = fact.kind->name;
    if (name == "virus") return ContentSource::virus_scanner;
    if (name == "spam" || name == "spam_score" || name == "spam_rules") return ContentSource::spam_scanner;
    return ContentSource::none;
}

bool ContentFindings::knows(ContentSource source) const {
    return source == ContentSource::virus_scanner ? virus.has_value() : source == ContentSource::spam_scanner && spam.has_value();
}

FactValue content_fact(const Fact& fact, const ContentFindings& findings) {
    if (content_source(fact) == ContentSource::virus_scanner) {
        if (!*findings.virus) return Unavailable{findings.virus->error().detail};
        return (*findings.virus)->name;
    }
    if (!*findings.spam) return Unavailable{findings.spam->error().detail};
    return spam_fact(fact.kind->name, **findings.spam);
}

}  // namespace thurn::policy
