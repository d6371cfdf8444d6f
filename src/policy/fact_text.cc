#include "policy/fact_text.h"

#include <algorithm>
#include <optional>

#include <boost/json/parse.hpp>
#include <fmt/format.h>

namespace thurn::policy {

namespace json = boost::json;

namespace {

constexpr std::size_t kMostTexts = 64;
constexpr std::size_t kLongestText = 500;
constexpr std::size_t kMostOctets = 7000;  // and no more texts: the trace cuts what is longer than 8192
constexpr std::string_view kBetween = " = ";

/// By hand, since it is done for every message; what is written is of one line whatever the text holds.
void append_text(std::string& out, std::string_view text) {
    out += '"';
    for (const char c : text.substr(0, kLongestText)) {
        if (c == '"' || c == '\\')
            out += {'\\', c};
        else
            out += static_cast<unsigned char>(c) < ' ' || c == 0x7f ? '?' : c;
    }
    out += '"';
}

struct Writer {
    std::string& out;
    void operator()(const Unavailable& value) const {
        out += R"({"unavailable": )";
        append_text(out, value.why);
        out += '}';
    }
    void operator()(bool value) const { out += value ? "true" : "false"; }
    void operator()(double value) const { fmt::format_to(std::back_inserter(out), "{}", value); }
    void operator()(const std::string& value) const { append_text(out, value); }
    void operator()(const Texts& values) const {
        out += '[';
        for (std::size_t i = 0; i < std::min(values.size(), kMostTexts) && out.size() < kMostOctets; ++i) {
            if (i > 0) out += ", ";
            append_text(out, values[i]);
        }
        out += ']';
    }
};

std::optional<Texts> texts_in(const json::array& list) {
    Texts texts;
    for (const auto& one : list) {
        if (!one.is_string()) return std::nullopt;
        texts.emplace_back(one.get_string());
    }
    return texts;
}

std::optional<FactValue> value_in(const json::value& value) {
    if (value.is_bool()) return value.get_bool();
    if (value.is_number()) return value.to_number<double>();
    if (value.is_string()) return std::string(value.get_string());
    if (value.is_array()) {
        auto texts = texts_in(value.get_array());
        return texts ? std::optional<FactValue>(*std::move(texts)) : std::nullopt;
    }
    const auto* why = value.is_object() ? value.get_object().if_contains("unavailable") : nullptr;
    if (!why || !why->is_string()) return std::nullopt;
    return Unavailable{std::string(why->get_string())};
}

}  // namespace

std::string write_fact(std::string_view name, const FactValue& value) {
    std::string out(name);
    out += kBetween;
    std::visit(Writer{out}, value);
    return out;
}

base::Result<std::pair<std::string, FactValue>> read_fact(std::string_view text) {
    const auto between = text.find(kBetween);
    if (between == std::string_view::npos || between == 0) return base::fail(base::ErrorKind::syntax, "it has no name");
    boost::system::error_code bad;
    const auto value = json::parse(text.substr(between + kBetween.size()), bad, {}, {.max_depth = 2, .allow_invalid_utf8 = true});
    if (bad) return base::fail(base::ErrorKind::syntax, fmt::format("its value is no JSON: {}", bad.message()));
    auto fact = value_in(value);
    if (!fact) return base::fail(base::ErrorKind::syntax, "its value is none that a fact has");
    return std::pair(std::string(text.substr(0, between)), *std::move(fact));
}

}  // namespace thurn::policy
