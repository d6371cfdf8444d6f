#pragma once

#include "base/octets.h"
#include "base/result.h"
#include "config/config.h"
#include "config/duration.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace toml {
inline namespace v3 {
class node;
class table;
}  // namespace v3
}  // namespace toml

namespace thurn::config {

/// A TOML basic string.
[[nodiscard]] std::string quote(std::string_view text);
[[nodiscard]] std::string quote_list(const std::vector<std::string>& texts);

/// What is wrong and what is in force, collected while the sections are read.
struct Findings {
    std::string source;
    std::vector<std::string> errors;
    std::vector<Setting> settings;
};

/// One table of the file: hands out its keys and remembers which it was asked for.
///
/// Idea     A key is named once, where it is read: there it gets its default (what the target holds), its check and its line in
///          `thurn config show`. Whatever the file holds beyond the keys so named is an error, found by finish().
/// Errors   None are returned: each goes to the findings with its line and column, and the target keeps its default.
class Section {
public:
    /// `table` null: the file has no such section, all keys get their defaults.
    Section(const toml::table* table, std::string prefix, Findings& findings)
        : table_(table), prefix_(std::move(prefix)), findings_(findings) {}

    void text(std::string_view key, std::string& target);
    void flag(std::string_view key, bool& target);
    void path(std::string_view key, std::filesystem::path& target);
    void size(std::string_view key, base::Octets& target);
    void duration(std::string_view key, std::chrono::seconds& target);
    /// A duration that would be of no use as 0s.
    void time_span(std::string_view key, std::chrono::seconds& target);
    void texts(std::string_view key, std::vector<std::string>& target);
    /// A list, or its only text alone.
    void text_or_texts(std::string_view key, std::vector<std::string>& target);
    /// As they are compared. Empty stands for none.
    void domain(std::string_view key, std::string& target);
    void domains(std::string_view key, std::vector<std::string>& target);
    void networks(std::string_view key, std::vector<policy::Network>& target);

    void number(std::string_view key, double& target);
    template <class Number>
    void count(std::string_view key, Number& target, std::int64_t least, std::int64_t most) {
        if (const auto given = number_within(key, least, most)) target = static_cast<Number>(*given);
        note(key, fmt::format("{}", target));
    }
    /// A text out of a few; `names` in the order of the enumerators.
    template <class Enum>
    void choice(std::string_view key, Enum& target, const std::vector<std::string>& names) {
        if (const auto given = one_of(key, names)) target = static_cast<Enum>(*given);
        note(key, quote(names[static_cast<std::size_t>(target)]));
    }
    /// A text that `parse` turns into the target's value; `render` shows it.
    template <class Value, class Parse, class Render>
    void parsed(std::string_view key, Value& target, Parse parse, Render render) {
        if (const auto given = given_text(key)) {
            auto value = parse(*given);
            if (value)
                target = *std::move(value);
            else
                complain(key, value.error().detail);
        }
        note(key, render(target));
    }

    [[nodiscard]] Section table(std::string_view key);
    [[nodiscard]] std::vector<Section> tables(std::string_view key);
    /// Every key must have been asked for by now.
    void finish();

    /// A key that is called otherwise now.
    void moved(std::string_view key, const std::string& now);
    void complain(std::string_view key, const std::string& what);
    /// `FILE:LINE` of the table, or `default`.
    [[nodiscard]] std::string origin() const;
    [[nodiscard]] bool has(std::string_view key) const;

private:
    const toml::node* find(std::string_view key);
    [[nodiscard]] std::optional<std::string> given_text(std::string_view key);
    [[nodiscard]] std::optional<std::int64_t> number_within(std::string_view key, std::int64_t least, std::int64_t most);
    [[nodiscard]] std::optional<std::size_t> one_of(std::string_view key, const std::vector<std::string>& names);
    std::vector<std::string> given_texts(const toml::node& node, std::string_view key);
    void complain(const toml::node& node, std::string_view key, const std::string& what);
    void note(std::string_view key, std::string value);

    const toml::table* table_;
    std::string prefix_;
    Findings& findings_;
    std::set<std::string> known_;
};

/// A parsed file; its sections point into it.
class Document {
public:
    /// Errors   `syntax`: `FILE:LINE:COLUMN: what`.
    [[nodiscard]] static base::Result<Document> parse(std::string_view text, const std::string& source);
    Document(Document&&) noexcept;
    ~Document();
    [[nodiscard]] Section root(Findings& findings) const;

private:
    explicit Document(std::unique_ptr<const toml::table> table);
    std::unique_ptr<const toml::table> table_;
};

}  // namespace thurn::config
