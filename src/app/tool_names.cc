// Tools that answer names with names: a line in, a line out, `null` where there is no answer.
#include "app/command.h"
#include "app/tool_input.h"
#include "mail/idna.h"

#include <cstdio>
#include <fstream>
#include <iterator>
#include <optional>

#include <fmt/format.h>

namespace thurn::app {

namespace {

template <class Answer>
int answer_lines(Answer answer) {
    InputLines lines;
    while (const auto line = lines.next()) {
        const std::optional<std::string> name = answer(*line);
        print_line(name ? *name : "null");
        if (!lines.ready()) std::fflush(stdout);  // who asks one by one waits for it
    }
    return exit_ok;
}

std::optional<std::string> value_of(base::Result<std::string> name) { return name ? std::optional(*std::move(name)) : std::nullopt; }

}  // namespace

base::Result<mailauth::PublicSuffixList> read_public_suffixes(const std::string& file) {
    if (file.empty()) return mailauth::PublicSuffixList::built_in();
    std::ifstream stream(file, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
    if (!stream) return base::fail(base::ErrorKind::invalid, fmt::format("{} cannot be read", file));
    auto list = mailauth::PublicSuffixList::parse(text);
    if (!list) return base::fail(base::ErrorKind::invalid, fmt::format("{}: {}", file, list.error().detail));
    return list;
}

int tool_psl(const ToolOptions& options) {
    const auto list = read_public_suffixes(options.list_file);
    if (!list) return complain(list.error());
    return answer_lines([&list](const std::string& name) { return list->registrable_domain(name); });
}

int tool_idna_to_ascii() {
    return answer_lines([](const std::string& name) { return value_of(mail::to_a_labels(name)); });
}

int tool_idna_to_unicode() {
    return answer_lines([](const std::string& name) { return value_of(mail::to_u_labels(name)); });
}

}  // namespace thurn::app
