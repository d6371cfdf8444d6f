#pragma once

#include "base/log.h"
#include "base/message_id.h"
#include "base/result.h"
#include "inbound/client.h"
#include "smtp/reply.h"

#include <chrono>
#include <optional>
#include <string_view>

namespace thurn::inbound {

[[nodiscard]] inline std::int64_t milliseconds_since(std::chrono::steady_clock::time_point begin) {
    return (std::chrono::steady_clock::now() - begin) / std::chrono::milliseconds(1);
}

/// What a line tells beside who the client is; what is empty is left out.
struct Note {
    base::MessageId id{};
    std::string_view kind{};  // of an alarm
    std::string_view stage{};
    std::string_view mechanism{};
    std::string_view login{};  // that was tried; else the client's
    std::string_view subject{};
    std::string_view rule{};
    std::string_view result{};
    std::string_view reason{};
    const smtp::Reply* reply = nullptr;
    std::optional<std::chrono::steady_clock::time_point> begun{};
};

/// The one place that makes the fields of what is logged about a session.
class SessionLog {
public:
    /// Both outlive it.
    SessionLog(base::Log& log, const Client& client) : log_(log), client_(client) {}

    void info(std::string_view event, const Note& note) const { write(base::LogLevel::info, event, note); }
    void warning(std::string_view event, const Note& note) const { write(base::LogLevel::warning, event, note); }
    void error(std::string_view event, const Note& note) const { write(base::LogLevel::error, event, note); }

private:
    void write(base::LogLevel level, std::string_view event, const Note& note) const;

    base::Log& log_;
    const Client& client_;
};

}  // namespace thurn::inbound
