#pragma once

#include "base/clock.h"
#include "base/log.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace thurn::app {

enum class LogFormat { logfmt, json };

/// One line of a log, without its line end. Values are quoted and escaped as the format needs it, so that nobody's text can forge a line.
[[nodiscard]] std::string render_log_line(LogFormat format, base::Time time, base::LogLevel level, std::string_view event,
                                          std::span<const base::LogField> fields);

/// Writes lines to a descriptor, on a thread of its own. When its reader stalls, 16 MiB of lines wait; what comes then is lost, and
/// counted in a line when there is room again: mail is never held up by a log.
///
/// Delay    A line is written within 20 ms, with those that came in that time; what waits when the process is killed is lost.
/// Threads  Any.
class LogSink final : public base::Log {
public:
    LogSink(LogFormat format, base::LogLevel least, const base::Clock& clock, int descriptor = 1);
    ~LogSink() override;
    void write(base::LogLevel level, std::string_view event, std::initializer_list<base::LogField> fields) override;

private:
    class Writer;
    void tell_lost();

    LogFormat format_;
    base::LogLevel least_;
    const base::Clock& clock_;
    std::atomic<std::uint64_t> lost_ = 0;
    std::unique_ptr<Writer> writer_;
};

}  // namespace thurn::app
