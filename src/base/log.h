#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <type_traits>
#include <variant>

namespace thurn::base {

enum class LogLevel { debug, info, warning, error };

/// One `key=value` of a log line. Text values may hold anything; the sink escapes them. An empty text or number leaves the field out.
struct LogField {
    std::string_view key;
    std::variant<std::string_view, std::int64_t> value;

    LogField(std::string_view name, std::string_view text) : key(name), value(text) {}
    LogField(std::string_view name, const char* text) : key(name), value(std::string_view(text)) {}
    template <class Number>
        requires std::is_integral_v<Number>
    LogField(std::string_view name, Number number) : key(name), value(static_cast<std::int64_t>(number)) {}
    template <class Number>
        requires std::is_integral_v<Number>
    LogField(std::string_view name, std::optional<Number> number) : key(name) {
        if (number) value = static_cast<std::int64_t>(*number);
    }
};

/// Where structured lines go: an event name and its fields (DESIGN §8.4). No password or content, ever.
///
/// Threads  May be called from many; does not block.
class Log {
public:
    virtual ~Log() = default;
    virtual void write(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) = 0;

    void debug(std::string_view event, std::initializer_list<LogField> fields = {}) { write(LogLevel::debug, event, fields); }
    void info(std::string_view event, std::initializer_list<LogField> fields = {}) { write(LogLevel::info, event, fields); }
    void warning(std::string_view event, std::initializer_list<LogField> fields = {}) { write(LogLevel::warning, event, fields); }
    void error(std::string_view event, std::initializer_list<LogField> fields = {}) { write(LogLevel::error, event, fields); }
};

/// Swallows every line; for tools and tests.
class NullLog final : public Log {
public:
    void write(LogLevel, std::string_view, std::initializer_list<LogField>) override {}
};

}  // namespace thurn::base
