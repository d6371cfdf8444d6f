#include "app/log_sink.h"

#include "base/utf8.h"
#include "mail/date.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>
#include <spdlog/async.h>
#include <spdlog/async_logger.h>
#include <spdlog/sinks/stdout_sinks.h>

namespace thurn::app {

namespace {

constexpr std::size_t kWaitingLines = 65536;

std::string_view level_name(base::LogLevel level) {
    switch (level) {
        case base::LogLevel::debug:
            return "debug";
        case base::LogLevel::info:
            return "info";
        case base::LogLevel::warning:
            return "warning";
        case base::LogLevel::error:
            return "error";
    }
    return "";
}

/// Octets that would end a line, steer a terminal (C0, DEL, and C1 in UTF-8), or are no UTF-8.
bool needs_escape(std::string_view text, std::size_t at, bool utf8) {
    const auto octet = static_cast<unsigned char>(text[at]);
    if (octet < 0x20 || octet == 0x7f || (octet >= 0x80 && !utf8)) return true;
    return octet == 0xc2 && static_cast<unsigned char>(text[at + 1]) < 0xa0;
}

/// Between quotes, for logfmt and JSON alike: both escape as JSON does. What is no UTF-8 is shown as Latin-1.
void append_quoted(fmt::memory_buffer& line, std::string_view text) {
    const bool utf8 = base::is_utf8(text);
    line.push_back('"');
    for (std::size_t at = 0; at < text.size(); ++at) {
        const char c = text[at];
        if (needs_escape(text, at, utf8)) {
            const bool c1 = utf8 && c == '\xc2';
            if (c1) ++at;
            fmt::format_to(std::back_inserter(line), "\\u{:04x}", static_cast<unsigned char>(text[at]));
            continue;
        }
        if (c == '"' || c == '\\') line.push_back('\\');
        line.push_back(c);
    }
    line.push_back('"');
}

bool is_plain(std::string_view text) {
    return !text.empty() &&
           std::ranges::all_of(text, [](unsigned char c) { return c > 0x20 && c < 0x7f && c != '"' && c != '=' && c != '\\'; });
}

void append_field(fmt::memory_buffer& line, LogFormat format, const base::LogField& field) {
    const auto* text = std::get_if<std::string_view>(&field.value);
    if (format == LogFormat::json)
        fmt::format_to(std::back_inserter(line), ",\"{}\":", field.key);
    else
        fmt::format_to(std::back_inserter(line), " {}=", field.key);
    if (!text)
        fmt::format_to(std::back_inserter(line), "{}", std::get<std::int64_t>(field.value));
    else if (format == LogFormat::logfmt && is_plain(*text))
        line.append(*text);
    else
        append_quoted(line, *text);
}

fmt::memory_buffer render(LogFormat format, base::Time time, base::LogLevel level, std::string_view event,
                          std::span<const base::LogField> fields) {
    fmt::memory_buffer line;
    const auto* head = format == LogFormat::json ? "{{\"time\":\"{}\",\"level\":\"{}\",\"event\":\"{}\"" : "time={} level={} event={}";
    fmt::format_to(std::back_inserter(line), fmt::runtime(head), mail::render_timestamp(time), level_name(level), event);
    for (const auto& field : fields) append_field(line, format, field);
    if (format == LogFormat::json) line.push_back('}');
    return line;
}

}  // namespace

struct LogSink::State {
    std::shared_ptr<spdlog::details::thread_pool> pool;  // shared: spdlog asks for it
    std::shared_ptr<spdlog::async_logger> logger;
};

std::string render_log_line(LogFormat format, base::Time time, base::LogLevel level, std::string_view event,
                            std::span<const base::LogField> fields) {
    return fmt::to_string(render(format, time, level, event, fields));
}

LogSink::LogSink(LogFormat format, base::LogLevel least, const base::Clock& clock)
    : format_(format), least_(least), clock_(clock), state_(std::make_unique<State>()) {
    state_->pool = std::make_shared<spdlog::details::thread_pool>(kWaitingLines, 1U);
    state_->logger = std::make_shared<spdlog::async_logger>("thurn", std::make_shared<spdlog::sinks::stdout_sink_mt>(), state_->pool,
                                                            spdlog::async_overflow_policy::overrun_oldest);
    state_->logger->set_pattern("%v");
    state_->logger->set_level(spdlog::level::trace);
}

LogSink::~LogSink() { state_->logger->flush(); }

void LogSink::write(base::LogLevel level, std::string_view event, std::initializer_list<base::LogField> fields) {
    if (level < least_) return;
    const auto line = render(format_, clock_.now(), level, event, {fields.begin(), fields.size()});
    state_->logger->log(spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace thurn::app
