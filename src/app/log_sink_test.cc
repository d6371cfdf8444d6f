#include "app/log_sink.h"

#include <boost/json/parse.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
    EXPECT_THAT(line(LogFormat::logfmt, ""), HasSubstr(" value=\"\" "));
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

}  // namespace
}  // namespace thurn::app
