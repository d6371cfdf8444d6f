#include "app/log_sink.h"

#include "support/fake_clock.h"

#include <chrono>
#include <thread>

#include <boost/json/parse.hpp>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace thurn::app {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr base::Time kTime{std::chrono::milliseconds(1'795'311'442'000)};

std::string line(LogFormat format, std::string_view value) {
    const base::LogField fields[] = {{"id", "1"}, {"value", value}, {"count", -5}};
    return render_log_line(format, kTime, base::LogLevel::info, "tested", fields);
}

TEST(LogLine, IsLogfmt) {
    EXPECT_THAT(line(LogFormat::logfmt, "plain"),
                AllOf(testing::StartsWith("time=2026-"), HasSubstr(" level=info event=tested id=1 value=plain count=-5")));
    EXPECT_THAT(line(LogFormat::logfmt, "two words"), HasSubstr(" value=\"two words\" "));
}

TEST(LogLine, LeavesOutWhatHasNoValue) {
    EXPECT_THAT(line(LogFormat::logfmt, ""), HasSubstr(" id=1 count=-5"));
    EXPECT_EQ(boost::json::parse(line(LogFormat::json, "")).as_object().count("value"), 0);
    const base::LogField numbers[] = {{"code", std::optional<int>(250)}, {"none", std::optional<int>()}};
    EXPECT_THAT(render_log_line(LogFormat::logfmt, kTime, base::LogLevel::info, "tested", numbers),
                testing::EndsWith(" event=tested code=250"));
}

// Whatever a peer says, a line stays one line, with the fields we gave it, and steers no terminal.
TEST(LogLine, CannotBeForged) {
    const std::string_view evil[] = {"a\nevent=accepted",
                                     "a\r\nb",
                                     "x event=accepted",
                                     "\" event=accepted",
                                     "\\\" event=accepted",
                                     "\x1b[2Jgone",
                                     "\x7f",
                                     "\xff\xfe latin",
                                     "\xc2\x9b"
                                     "2J",
                                     "\xe2\x82\xac euro",
                                     "\",\"event\":\"x\"",
                                     "\\",
                                     "\\\\\"",
                                     std::string_view("\0", 1),
                                     "a=b",
                                     "\xc3\xa4",
                                     "\xc2",
                                     "x\xc2",
                                     "\xed\xa0\x80",
                                     "\t"};
    for (const auto text : evil) {
        for (const auto format : {LogFormat::logfmt, LogFormat::json}) {
            const auto rendered = line(format, text);
            for (const char c : rendered) EXPECT_GE(static_cast<unsigned char>(c), 0x20) << text;
            EXPECT_THAT(rendered, AllOf(Not(HasSubstr("\x7f")), Not(HasSubstr("\xc2\x9b")), Not(HasSubstr("\xff")))) << text;
        }
        boost::system::error_code error;
        const auto parsed = boost::json::parse(line(LogFormat::json, text), error);
        ASSERT_FALSE(error) << text;
        EXPECT_EQ(parsed.as_object().size(), 6) << text;
        EXPECT_EQ(parsed.at("event").as_string(), "tested") << text;
        const auto logfmt = line(LogFormat::logfmt, text);
        const auto begin = logfmt.find(" value=") + 7;
        const auto value = logfmt.substr(begin, logfmt.rfind(" count=") - begin);
        if (value.front() != '"') {
            EXPECT_EQ(value, text);
            continue;
        }
        // Between the quotes no quote stands unescaped: what readers of logfmt rely on.
        for (std::size_t at = 1; at + 1 < value.size(); ++at) {
            EXPECT_NE(value[at], '"') << text;
            if (value[at] == '\\') ++at;
        }
        EXPECT_EQ(boost::json::parse(value, error), parsed.at("value")) << text;
    }
}

TEST(LogLine, JsonGivesTheTextBack) {
    const auto parsed = boost::json::parse(line(LogFormat::json, "a \"b\"\r\n\\ \xc3\xa4"));
    EXPECT_EQ(parsed.at("value").as_string(), "a \"b\"\r\n\\ \xc3\xa4");
    EXPECT_EQ(parsed.at("count").as_int64(), -5);
}

/// A pipe that keeps what is written, and may be full.
struct Pipe {
    Pipe() { EXPECT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0); }
    ~Pipe() {
        ::close(ends[0]);
        ::close(ends[1]);
    }
    std::string drain() const {
        std::string text;
        char octets[4096];
        for (ssize_t got = 0; (got = ::read(ends[0], octets, sizeof octets)) > 0;) text.append(octets, static_cast<std::size_t>(got));
        return text;
    }
    int ends[2];
};

TEST(LogSink, WritesEveryLineInOrderBeforeItEnds) {
    const support::FakeClock clock;
    const Pipe pipe;
    {
        LogSink sink(LogFormat::logfmt, base::LogLevel::info, clock, pipe.ends[1]);
        sink.info("first", {{"number", 1}});
        sink.debug("never");
        sink.warning("second");
    }
    EXPECT_THAT(pipe.drain(), testing::MatchesRegex("time=[^ ]+ level=info event=first number=1\ntime=[^ ]+ level=warning event=second\n"));
}

TEST(LogSink, NeverWaitsForAReaderThatStallsAndSaysWhatWasLost) {
    const support::FakeClock clock;
    const Pipe pipe;
    LogSink sink(LogFormat::logfmt, base::LogLevel::info, clock, pipe.ends[1]);
    const std::string text(10'000, 'x');
    for (int line = 0; line < 5000; ++line) sink.info("long", {{"text", text}});  // 50 MB into a pipe of 64 KiB
    std::string read;
    for (int tries = 0; tries < 10'000 && read.find("event=log_lines_lost lines=") == std::string::npos; ++tries) {
        read += pipe.drain();
        sink.info("short");
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    EXPECT_THAT(read, HasSubstr("level=warning event=log_lines_lost lines="));
}

}  // namespace
}  // namespace thurn::app
