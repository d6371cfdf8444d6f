#include "policy/question.h"

#include <algorithm>

namespace thurn::policy {

std::string_view Question::text_of(std::string_view fact) const {
    const auto found = std::ranges::find(told, fact, &std::pair<std::string, FactValue>::first);
    if (found == told.end()) return {};
    const auto* text = std::get_if<std::string>(&found->second);
    return text ? std::string_view(*text) : std::string_view();
}

std::vector<std::pair<std::string, FactValue>> facts_of(const Question& question) {
    std::vector<std::pair<std::string, FactValue>> all;
    for (const auto& kind : fact_kinds()) {
        const bool known = !kind.looked_up && kind.since <= question.stage && question.stage <= kind.until && !kind.name.ends_with('*');
        if (!known) continue;
        const Fact fact{&kind, std::string(kind.name)};
        all.emplace_back(fact.name, fact_of(fact, question.now));
        if (kind.name == "score") all.back().second = question.marks.score;
        if (kind.name == "tags") all.back().second = question.marks.tags;
    }
    for (const auto& [name, value] : question.told)
        if (std::ranges::find(all, name, &std::pair<std::string, FactValue>::first) == all.end()) all.emplace_back(name, value);
    return all;
}

}  // namespace thurn::policy
