// The one place that knows TOML.
#include "config/section.h"

#include "base/nearest_word.h"

#include <algorithm>

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

namespace thurn::config {

namespace {

std::string place(const Findings& findings, const toml::source_region& where) {
    return fmt::format("{}:{}:{}", findings.source, where.begin.line, where.begin.column);
}

std::string line(const Findings& findings, const toml::node& node) {
    return fmt::format("{}:{}", findings.source, node.source().begin.line);
}

}  // namespace

std::string quote(std::string_view text) {
    std::string quoted = "\"";
    for (const char c : text) {
        const auto octet = static_cast<unsigned char>(c);
        if (octet < 0x20 || octet == 0x7f) {
            quoted += fmt::format("\\u{:04x}", octet);
            continue;
        }
        if (c == '"' || c == '\\') quoted += '\\';
        quoted += c;
    }
    return quoted + '"';
}

std::string quote_list(const std::vector<std::string>& texts) {
    std::string list = "[";
    for (const auto& text : texts) list += (list.size() > 1 ? ", " : "") + quote(text);
    return list + "]";
}

void Section::text(std::string_view key, std::string& target) {
    if (auto given = given_text(key)) target = *std::move(given);
    note(key, quote(target));
}

void Section::flag(std::string_view key, bool& target) {
    if (const auto* node = find(key)) {
        if (node->is_boolean())
            target = *node->value<bool>();
        else
            complain(*node, key, "must be true or false");
    }
    note(key, target ? "true" : "false");
}

void Section::number(std::string_view key, double& target) {
    if (const auto* node = find(key)) {
        if (node->is_number())
            target = *node->value<double>();
        else
            complain(*node, key, "must be a number");
    }
    note(key, fmt::format("{:g}", target));
}

void Section::path(std::string_view key, std::filesystem::path& target) {
    std::string value = target.string();
    text(key, value);
    target = value;
}

void Section::size(std::string_view key, base::Octets& target) {
    parsed(key, target, base::parse_octets, [](auto value) { return quote(base::render_octets(value)); });
}

void Section::duration(std::string_view key, std::chrono::seconds& target) {
    parsed(key, target, parse_duration, [](auto value) { return quote(render_duration(value)); });
}

void Section::time_span(std::string_view key, std::chrono::seconds& target) {
    duration(key, target);
    if (target.count() == 0) complain(key, "must be at least 1s");
}

void Section::texts(std::string_view key, std::vector<std::string>& target) {
    if (const auto* node = find(key)) target = given_texts(*node, key);
    note(key, quote_list(target));
}

void Section::text_or_texts(std::string_view key, std::vector<std::string>& target) {
    const auto* node = find(key);
    if (node && node->is_string())
        target = {*node->value<std::string>()};
    else if (node)
        target = given_texts(*node, key);
    note(key, quote_list(target));
}

namespace {

void normalize_domain(Section& section, std::string_view key, std::string& name) {
    const auto parsed = mail::parse_domain(name, mail::Charset::utf8);
    if (parsed)
        name = parsed->text();
    else
        section.complain(key, fmt::format("\"{}\": {}", name, parsed.error().detail));
}

}  // namespace

void Section::domain(std::string_view key, std::string& target) {
    text(key, target);
    if (!target.empty()) normalize_domain(*this, key, target);
}

void Section::domains(std::string_view key, std::vector<std::string>& target) {
    texts(key, target);
    for (auto& name : target) normalize_domain(*this, key, name);
}

void Section::networks(std::string_view key, std::vector<policy::Network>& target) {
    std::vector<std::string> values;
    for (const auto& network : target) values.push_back(network.text());
    texts(key, values);
    target.clear();
    for (const auto& value : values) {
        auto network = policy::parse_network(value);
        if (network)
            target.push_back(*std::move(network));
        else
            complain(key, network.error().detail);
    }
}

Section Section::table(std::string_view key) {
    const auto* node = find(key);
    if (node && !node->is_table()) complain(*node, key, fmt::format("must be a table: [{}{}]", prefix_, key));
    return {node ? node->as_table() : nullptr, fmt::format("{}{}.", prefix_, key), findings_};
}

std::vector<Section> Section::tables(std::string_view key) {
    std::vector<Section> sections;
    const auto* node = find(key);
    if (!node) return sections;
    const auto* array = node->as_array();
    if (array && array->empty()) return sections;  // `rule = []`: none, and none of the defaults either
    if (!array || !array->is_homogeneous<toml::table>()) {
        complain(*node, key, fmt::format("must be tables: [[{}{}]]", prefix_, key));
        return sections;
    }
    for (const auto& element : *array)
        sections.emplace_back(element.as_table(), fmt::format("{}{}[{}].", prefix_, key, sections.size() + 1), findings_);
    return sections;
}

void Section::finish() {
    if (!table_) return;
    for (const auto& [key, node] : *table_) {
        if (known_.contains(std::string(key.str()))) continue;
        const auto near = base::nearest_word(key.str(), {known_.begin(), known_.end()});
        findings_.errors.push_back(fmt::format("{}: unknown key \"{}{}\"{}", place(findings_, key.source()), prefix_, key.str(),
                                               near.empty() ? "" : fmt::format("; did you mean \"{}\"?", near)));
    }
}

void Section::moved(std::string_view key, const std::string& now) {
    if (!has(key)) return;
    find(key);
    complain(key, fmt::format("is called {} now", now));
}

void Section::complain(std::string_view key, const std::string& what) {
    const auto* node = table_ ? table_->get(key) : nullptr;
    if (node || table_)
        complain(node ? *node : *table_, key, what);
    else
        findings_.errors.push_back(fmt::format("{}: {}{}: {}", findings_.source, prefix_, key, what));
}

std::string Section::origin() const { return table_ ? line(findings_, *table_) : "default"; }

bool Section::has(std::string_view key) const { return table_ && table_->contains(key); }

const toml::node* Section::find(std::string_view key) {
    known_.emplace(key);
    return table_ ? table_->get(key) : nullptr;
}

std::optional<std::string> Section::given_text(std::string_view key) {
    const auto* node = find(key);
    if (!node) return std::nullopt;
    if (node->is_string()) return node->value<std::string>();
    complain(*node, key, "must be a text in quotes");
    return std::nullopt;
}

std::optional<std::int64_t> Section::number_within(std::string_view key, std::int64_t least, std::int64_t most) {
    const auto* node = find(key);
    if (!node) return std::nullopt;
    if (!node->is_integer()) {
        complain(*node, key, "must be a whole number");
        return std::nullopt;
    }
    const auto value = *node->value<std::int64_t>();
    if (value >= least && value <= most) return value;
    complain(*node, key, fmt::format("{} is not within {} and {}", value, least, most));
    return std::nullopt;
}

std::optional<std::size_t> Section::one_of(std::string_view key, const std::vector<std::string>& names) {
    const auto given = given_text(key);
    if (!given) return std::nullopt;
    const auto found = std::find(names.begin(), names.end(), *given);
    if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
    complain(key, fmt::format("\"{}\" is none of {}", *given, fmt::join(names, ", ")));
    return std::nullopt;
}

std::vector<std::string> Section::given_texts(const toml::node& node, std::string_view key) {
    std::vector<std::string> values;
    const auto* array = node.as_array();
    if (!array) {
        complain(node, key, "must be a list of texts: [\"…\", \"…\"]");
        return values;
    }
    for (const auto& element : *array) {
        if (element.is_string())
            values.push_back(*element.value<std::string>());
        else
            complain(element, key, "must be a list of texts");
    }
    return values;
}

void Section::complain(const toml::node& node, std::string_view key, const std::string& what) {
    findings_.errors.push_back(fmt::format("{}: {}{}: {}", place(findings_, node.source()), prefix_, key, what));
}

void Section::note(std::string_view key, std::string value) {
    const auto* node = find(key);
    findings_.settings.push_back({prefix_ + std::string(key), std::move(value), node ? line(findings_, *node) : "default"});
}

base::Result<Document> Document::parse(std::string_view text, const std::string& source) {
    auto parsed = toml::parse(text, source);
    if (parsed) return Document(std::make_unique<const toml::table>(std::move(parsed).table()));
    const auto& error = parsed.error();
    return base::fail(base::ErrorKind::syntax,
                      fmt::format("{}:{}:{}: {}", source, error.source().begin.line, error.source().begin.column, error.description()));
}

Document::Document(std::unique_ptr<const toml::table> table) : table_(std::move(table)) {}
Document::Document(Document&&) noexcept = default;
Document::~Document() = default;

Section Document::root(Findings& findings) const { return {table_.get(), "", findings}; }

}  // namespace thurn::config
