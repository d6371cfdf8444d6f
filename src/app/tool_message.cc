#include "app/tool_message.h"

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

void print_message(std::string_view above, const ToolMessage& message) {
    const std::string all = std::string(above) + message.octets;
    const std::string out = message.had_line_feeds ? without_carriage_returns(all) : all;
    std::fwrite(out.data(), 1, out.size(), stdout);
    std::fflush(stdout);
}

}  // namespace thurn::app
