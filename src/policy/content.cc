#include "policy/content.h"

#include "policy/part_facts.h"

namespace thurn::policy {

namespace {

FactValue spam_fact(std::string_view name, const scan::SpamVerdict& verdict) {
    if (name == "spam_score") return verdict.score;
    if (name == "spam_rules") return verdict.rules;
    return verdict.spam;
}

template <class Verdict, class Read>
FactValue value_of(const base::Result<Verdict>& found, Read read) {
    if (!found) return Unavailable{found.error().detail};
    return read(*found);
}

}  // namespace

ContentSource content_source(const Fact& fact) {
    const auto& name = fact.kind->name;
    if (name == "virus") return ContentSource::virus_scanner;
    if (name == "spam" || name == "spam_score" || name == "spam_rules") return ContentSource::spam_scanner;
    if (name == "test_pattern") return ContentSource::ourselves;
    if (name.starts_with("archive.")) return ContentSource::archives;
    if (name == "body" || name.starts_with("attachment.") || name.starts_with("part_")) return ContentSource::parts;
    return ContentSource::none;
}

bool ContentFindings::knows(ContentSource source) const {
    switch (source) {
        case ContentSource::none:
            return false;
        case ContentSource::virus_scanner:
            return virus.has_value();
        case ContentSource::spam_scanner:
            return spam.has_value();
        case ContentSource::ourselves:
            return test_pattern.has_value();
        case ContentSource::parts:
            return parts.has_value();
        case ContentSource::archives:
            return archives.has_value();
    }
    return false;
}

FactValue content_fact(const Fact& fact, const ContentFindings& findings) {
    switch (content_source(fact)) {
        case ContentSource::none:
            break;
        case ContentSource::virus_scanner:
            return value_of(*findings.virus, [](const auto& verdict) { return FactValue(verdict.name); });
        case ContentSource::spam_scanner:
            return value_of(*findings.spam, [&](const auto& verdict) { return spam_fact(fact.kind->name, verdict); });
        case ContentSource::ourselves:
            return value_of(*findings.test_pattern, [](auto pattern) { return FactValue(std::string(name_of(pattern))); });
        case ContentSource::parts:
            return value_of(*findings.parts, [&](const auto& found) { return part_fact(fact.kind->name, found); });
        case ContentSource::archives:
            return value_of(*findings.archives, [&](const auto& found) { return archive_fact(fact.kind->name, found); });
    }
    return Unavailable{"it is not about the content"};
}

}  // namespace thurn::policy
