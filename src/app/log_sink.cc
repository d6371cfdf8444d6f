#include "app/log_sink.h"

#include "base/utf8.h"
#include "mail/date.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <iterator>
#include <mutex>
#include <thread>

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

namespace thurn::app {

namespace {

constexpr std::size_t kMostWaiting = std::size_t{16} << 20;  // octets
constexpr std::chrono::milliseconds kGather{20};             // lines of that time are written at once
constexpr std::chrono::milliseconds kLastChance{1000};       // for a reader that stalls while we end

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
    if (text && text->empty()) return;
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

/// A buffer that gathers lines and a thread that writes them. Under load the thread wakes fifty times a second however many lines there are;
/// waking it for each cost as much as all else about a line.
class LogSink::Writer {
public:
    explicit Writer(int descriptor) : descriptor_(descriptor), thread_([this] { run(); }) {}
    ~Writer() {
        {
            const std::lock_guard lock(mutex_);
            stopping_ = true;
        }
        wake_.notify_one();
        thread_.join();
    }
    /// False when there is no room for it.
    bool add(std::string_view line) {
        bool first = false;
        {
            const std::lock_guard lock(mutex_);
            if (waiting_.size() + line.size() > kMostWaiting) return false;
            first = waiting_.empty();
            waiting_.append(line).push_back('\n');
        }
        if (first) wake_.notify_one();
        return true;
    }

private:
    void run();
    [[nodiscard]] bool take(std::string& lines);
    void write(std::string_view lines);
    [[nodiscard]] bool wait_writable();

    const int descriptor_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::string waiting_;
    bool stopping_ = false;
    std::thread thread_;
};

void LogSink::Writer::run() {
    std::string lines;
    while (take(lines)) {
        write(lines);
        lines.clear();
    }
}

/// Waits for a first line and then for what comes close behind it. False when all is written and no more will come.
bool LogSink::Writer::take(std::string& lines) {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    wake_.wait_for(lock, kGather, [this] { return stopping_; });
    std::swap(lines, waiting_);
    return !lines.empty();
}

void LogSink::Writer::write(std::string_view lines) {
    while (!lines.empty()) {
        const ssize_t written = ::write(descriptor_, lines.data(), lines.size());
        if (written >= 0)
            lines.remove_prefix(static_cast<std::size_t>(written));
        else if (errno == EAGAIN ? !wait_writable() : errno != EINTR)
            return;  // there is nobody to tell
    }
}

bool LogSink::Writer::wait_writable() {
    pollfd pipe{descriptor_, POLLOUT, 0};
    const bool ending = [this] {
        const std::lock_guard lock(mutex_);
        return stopping_;
    }();
    return ::poll(&pipe, 1, ending ? static_cast<int>(kLastChance.count()) : -1) > 0;
}

std::string render_log_line(LogFormat format, base::Time time, base::LogLevel level, std::string_view event,
                            std::span<const base::LogField> fields) {
    return fmt::to_string(render(format, time, level, event, fields));
}

LogSink::LogSink(LogFormat format, base::LogLevel least, const base::Clock& clock, int descriptor)
    : format_(format), least_(least), clock_(clock), writer_(std::make_unique<Writer>(descriptor)) {}

LogSink::~LogSink() { tell_lost(); }

void LogSink::write(base::LogLevel level, std::string_view event, std::initializer_list<base::LogField> fields) {
    if (level < least_) return;
    const auto line = render(format_, clock_.now(), level, event, {fields.begin(), fields.size()});
    if (lost_.load(std::memory_order_relaxed) > 0) tell_lost();
    if (!writer_->add({line.data(), line.size()})) ++lost_;
}

/// As soon as there is room again.
void LogSink::tell_lost() {
    const auto count = lost_.exchange(0);
    if (count == 0) return;
    const base::LogField fields[] = {{"lines", count}};
    if (!writer_->add(render_log_line(format_, clock_.now(), base::LogLevel::warning, "log_lines_lost", fields))) lost_ += count;
}

}  // namespace thurn::app
