#pragma once

#include "base/clock.h"
#include "base/log.h"

#include <memory>
#include <span>
#include <string>

namespace thurn::app {

enum class LogFormat { logfmt, json };

/// One line of a log, without its line end. Values are quoted and escaped as the format needs it, so that nobody's text can forge a line.
[[nodiscard]] std::string render_log_line(LogFormat format, base::Time time, base::LogLevel level, std::string_view event,
                                          std::span<const base::LogField> fields);

/// Writes lines to standard output on a thread of its own. When the reader stalls, the oldest waiting lines give way: mail is never held up
/// by a log.
///
/// Threads  Any.
class LogSink final : public base::Log {
public:
    LogSink(LogFormat format, base::LogLevel least, const base::Clock& clock);
    ~LogSink() override;
    void write(base::LogLevel level, std::string_view event, std::initializer_list<base::LogField> fields) override;

private:
    struct State;
    LogFormat format_;
    base::LogLevel least_;
    const base::Clock& clock_;
    std::unique_ptr<State> state_;
};

}  // namespace thurn::app
