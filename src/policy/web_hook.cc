#include "policy/web_hook.h"

#include "base/ascii.h"
#include "base/utf8.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

namespace thurn::policy {

namespace {

namespace json = boost::json;
using base::ErrorKind;
using base::fail;

/// JSON is UTF-8, what clients say need not be.
std::string utf8_of(std::string_view octets) {
    if (base::is_utf8(octets)) return std::string(octets);
    std::string text;
    for (const char c : octets) text += base::is_ascii(c) ? std::string(1, c) : std::string("\xEF\xBF\xBD");
    return text;
}

json::value json_of(const FactValue& value) {
    if (const auto* flag = std::get_if<bool>(&value)) return *flag;
    if (const auto* text = std::get_if<std::string>(&value)) return json::string(utf8_of(*text));
    if (const auto* number = std::get_if<double>(&value)) {
        if (*number == std::floor(*number) && std::abs(*number) < 1e15) return static_cast<std::int64_t>(*number);
        return *number;
    }
    if (const auto* texts = std::get_if<Texts>(&value)) {
        json::array list;
        for (const auto& text : *texts) list.push_back(json::string(utf8_of(text)));
        return list;
    }
    return nullptr;
}

base::Result<std::string> take_text(const json::object& answer, std::string_view key) {
    const auto* value = answer.if_contains(key);
    if (!value || value->is_null()) return std::string();
    if (!value->is_string()) return fail(ErrorKind::invalid, fmt::format("its \"{}\" is no text", key));
    return std::string(value->get_string());
}

base::Result<Action> action_of(std::string_view name) {
    if (name.empty() || name == "dunno") return Action::none;
    const auto found = std::ranges::find(kActionNames, name);
    if (found == kActionNames.end()) return fail(ErrorKind::invalid, fmt::format("it wants \"{}\", which is no action", tame(name)));
    return static_cast<Action>(found - kActionNames.begin());
}

base::Result<std::uint16_t> take_code(const json::object& answer, Action action) {
    const auto* value = answer.if_contains("code");
    if (!value || value->is_null()) return std::uint16_t{0};
    const auto* number = value->if_int64();
    const int least = action == Action::reject ? 500 : 400;
    const bool fits = refuses(action) && action != Action::disconnect && number && *number >= least && *number < least + 100;
    if (!fits) return fail(ErrorKind::invalid, fmt::format("its code does not go with \"{}\"", name_of(action)));
    return static_cast<std::uint16_t>(*number);
}

base::Result<std::optional<mail::EnhancedStatus>> take_status(const json::object& answer, Action action) {
    auto text = take_text(answer, "status");
    if (!text) return base::pass_on(text);
    if (text->empty()) return std::optional<mail::EnhancedStatus>();
    const auto status = mail::leading_status(*text);
    const bool fits = status && refuses(action) && status->status_class == (action == Action::reject ? 5 : 4);
    if (!fits) return fail(ErrorKind::invalid, fmt::format("its status does not go with \"{}\"", name_of(action)));
    return status;
}

base::Result<double> take_score(const json::object& answer) {
    const auto* value = answer.if_contains("score");
    if (!value || value->is_null()) return 0.0;
    if (!value->is_number()) return fail(ErrorKind::invalid, "its \"score\" is no number");
    return value->to_number<double>();
}

base::Result<void> check_members(const json::object& answer) {
    static constexpr std::array<std::string_view, 8> kKnown{"action", "status", "code", "text", "to", "score", "tag", "header"};
    for (const auto& member : answer)
        if (std::ranges::find(kKnown, std::string_view(member.key())) == kKnown.end())
            return fail(ErrorKind::invalid, fmt::format("its \"{}\" is unknown", tame(member.key())));
    return {};
}

base::Result<void> take_texts(const json::object& answer, Advice& advice) {
    for (const auto& [key, target] :
         {std::pair{"text", &advice.text}, {"to", &advice.to}, {"tag", &advice.tag}, {"header", &advice.header}}) {
        auto text = take_text(answer, key);
        if (!text) return base::pass_on(text);
        *target = *std::move(text);
    }
    return {};
}

base::Result<Advice> advice_of(const json::object& answer) {
    if (auto known = check_members(answer); !known) return base::pass_on(known);
    auto name = take_text(answer, "action");
    if (!name) return base::pass_on(name);
    auto action = action_of(*name);
    if (!action) return base::pass_on(action);
    auto code = take_code(answer, *action);
    if (!code) return base::pass_on(code);
    auto status = take_status(answer, *action);
    if (!status) return base::pass_on(status);
    auto score = take_score(answer);
    if (!score) return base::pass_on(score);
    Advice advice{.action = *action, .code = *code, .status = *status};
    advice.score = *score;
    if (auto taken = take_texts(answer, advice); !taken) return base::pass_on(taken);
    advice.said = tame(fmt::format("{}{}{}", name_of(*action), advice.text.empty() ? "" : " ", advice.text));
    return advice;
}

}  // namespace

std::string render_hook_question(const Question& question) {
    json::object facts;
    for (const auto& [name, value] : facts_of(question)) facts[name] = json_of(value);
    return json::serialize(json::object{{"stage", name_of(question.stage)},
                                        {"rule", utf8_of(question.rule)},
                                        {"session", question.session},
                                        {"message", question.message},
                                        {"facts", std::move(facts)}});
}

base::Result<Advice> parse_hook_answer(std::string_view octets) {
    if (octets.size() > kMostOfAHookAnswer) return fail(ErrorKind::too_long, "its answer is too long");
    json::parse_options options;
    options.max_depth = 4;
    boost::system::error_code error;
    const auto value = json::parse({octets.data(), octets.size()}, error, {}, options);
    if (error || !value.is_object()) return fail(ErrorKind::syntax, "its answer is no JSON object");
    return advice_of(value.get_object());
}

}  // namespace thurn::policy
