#include "app/tool_input.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include <boost/json/stream_parser.hpp>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

namespace thurn::app {

namespace json = boost::json;

/// Reads once; false at the end.
bool InputLines::fill() {
    std::array<char, 65536> octets{};
    ssize_t count = 0;
    do count = ::read(STDIN_FILENO, octets.data(), octets.size());
    while (count < 0 && errno == EINTR);
    if (count <= 0) ended_ = true;
    if (count > 0) buffer_.append(octets.data(), static_cast<std::size_t>(count));
    return !ended_;
}

bool InputLines::ready() {
    while (!buffer_.contains('\n') && !ended_) {
        pollfd standard_input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
        if (::poll(&standard_input, 1, 0) <= 0) return false;
        fill();
    }
    return true;
}

std::optional<std::string> InputLines::next() {
    while (!buffer_.contains('\n') && fill()) {}
    if (buffer_.empty()) return std::nullopt;
    const auto end = std::min(buffer_.find('\n'), buffer_.size());
    std::string line = buffer_.substr(0, end);
    buffer_.erase(0, end + 1);
    if (line.ends_with('\r')) line.pop_back();
    return line;
}

std::optional<InputObject> InputObjects::next() {
    json::stream_parser parser;
    bool begun = false;
    while (const auto line = lines_.next()) {
        ++number_;
        if (!begun && line->find_first_not_of(" \t") == std::string::npos) continue;
        begun = true;
        boost::system::error_code error;
        parser.write(*line + "\n", error);
        if (error) return InputObject{.problem = fmt::format("line {} is no JSON object", number_)};
        if (!parser.done()) continue;
        json::value value = parser.release();
        if (value.is_object()) return InputObject{.object = std::move(value.as_object())};
        return InputObject{.problem = fmt::format("line {} is no JSON object", number_)};
    }
    if (!begun) return std::nullopt;
    return InputObject{.problem = fmt::format("line {}: the JSON object has no end", number_)};
}

std::vector<InputObject> InputObjects::next_batch(std::size_t most) {
    std::vector<InputObject> batch;
    while (batch.size() < most && (batch.empty() || lines_.ready())) {
        auto object = next();
        if (!object) break;
        batch.push_back(*std::move(object));
    }
    return batch;
}

std::string text_of(const json::object& object, std::string_view key) {
    const auto* value = object.if_contains(key);
    return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
}

json::value id_of(const json::object& object) {
    const auto* id = object.if_contains("id");
    return id != nullptr ? *id : json::value(nullptr);
}

}  // namespace thurn::app
