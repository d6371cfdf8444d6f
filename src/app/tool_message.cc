#include "app/tool_message.h"

#include "app/command.h"
#include "base/base64.h"
#include "mailauth/dkim_tag_list.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>

#include <fmt/format.h>

namespace thurn::app {
namespace {

std::string with_carriage_returns(std::string_view text) {
    std::string result;
    result.reserve(text.size() + text.size() / 16);
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\n' && (i == 0 || text[i - 1] != '\r')) result += '\r';
        result += text[i];
    }
    return result;
}

std::string without_carriage_returns(std::string_view text) {
    std::string result;
    result.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i)
        if (text[i] != '\r' || i + 1 == text.size() || text[i + 1] != '\n') result += text[i];
    return result;
}

std::size_t header_size(std::string_view octets) {
    if (octets.starts_with("\r\n")) return 2;
    const std::size_t found = octets.find("\r\n\r\n");
    return found == std::string_view::npos ? octets.size() : found + 4;
}

}  // namespace

std::string_view ToolMessage::header() const { return std::string_view(octets).substr(0, header_size(octets)); }
std::string_view ToolMessage::body() const { return std::string_view(octets).substr(header_size(octets)); }

ToolMessage read_message() { return as_tool_message({std::istreambuf_iterator<char>(std::cin), {}}); }

base::Result<ToolMessage> read_message(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    if (!in) return base::fail(base::ErrorKind::not_found, fmt::format("{}: {}", file, std::strerror(errno)));
    return as_tool_message({std::istreambuf_iterator<char>(in), {}});
}

ToolMessage as_tool_message(std::string octets) {
    ToolMessage message{.octets = std::move(octets)};
    const std::size_t feed = message.octets.find('\n');
    message.had_line_feeds = feed != std::string::npos && (feed == 0 || message.octets[feed - 1] != '\r');
    if (message.had_line_feeds) message.octets = with_carriage_returns(message.octets);
    return message;
}

base::Result<ToolMessage> message_of(const InputObject& question) {
    if (!question.problem.empty()) return base::fail(base::ErrorKind::syntax, question.problem);
    auto octets = base::decode_base64(text_of(question.object, "message"));
    if (!octets) return base::fail(base::ErrorKind::syntax, "\"message\" is not base64");
    return ToolMessage{.octets = *std::move(octets)};
}

int answer_lines(const std::function<base::Result<boost::json::object>(const boost::json::object&, const ToolMessage&)>& answer) {
    InputObjects input;
    for (auto questions = input.next_batch(1); !questions.empty(); questions = input.next_batch(1)) {
        const auto& question = questions.front();
        const auto message = message_of(question);
        auto result = message ? answer(question.object, *message) : base::Result<boost::json::object>(std::unexpected(message.error()));
        boost::json::object line{{"id", id_of(question.object)}};
        if (!result)
            line["error"] = result.error().detail;
        else
            for (auto& [key, value] : *result) line[key] = std::move(value);
        print_json(line);
        std::fflush(stdout);  // who asks one by one waits for it
    }
    return exit_ok;
}

std::vector<std::string> field_names_of(const boost::json::object& question) {
    std::vector<std::string> names;
    const std::string text = text_of(question, "h");
    if (text.empty()) return names;
    for (const auto name : mailauth::split_value(text, ':')) names.emplace_back(name);
    return names;
}

void print_message(std::string_view above, const ToolMessage& message) {
    const std::string all = std::string(above) + message.octets;
    const std::string out = message.had_line_feeds ? without_carriage_returns(all) : all;
    std::fwrite(out.data(), 1, out.size(), stdout);
    std::fflush(stdout);
}

}  // namespace thurn::app
