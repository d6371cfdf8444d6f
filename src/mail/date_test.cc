#include "mail/date.h"

#include <clocale>
#include <cstdint>
#include <string_view>

#include <gtest/gtest.h>

namespace thurn::mail {
namespace {

base::Time at(std::int64_t milliseconds) { return base::Time(std::chrono::milliseconds(milliseconds)); }

struct DateCase {
    std::int64_t milliseconds;
    std::string_view date;
    std::string_view timestamp;
};

TEST(Dates, AreRightAtTheEdgesOfCalendarsAndIntegers) {
    const DateCase cases[] = {
        {0, "Thu, 1 Jan 1970 00:00:00 +0000", "1970-01-01T00:00:00.000Z"},
        {-1, "Wed, 31 Dec 1969 23:59:59 +0000", "1969-12-31T23:59:59.999Z"},
        {1'795'311'442'123, "Sun, 22 Nov 2026 01:37:22 +0000", "2026-11-22T01:37:22.123Z"},
        {951'782'400'000, "Tue, 29 Feb 2000 00:00:00 +0000", "2000-02-29T00:00:00.000Z"},
        {1'709'164'800'999, "Thu, 29 Feb 2024 00:00:00 +0000", "2024-02-29T00:00:00.999Z"},
        {1'735'689'599'000, "Tue, 31 Dec 2024 23:59:59 +0000", "2024-12-31T23:59:59.000Z"},
        {1'640'995'200'000, "Sat, 1 Jan 2022 00:00:00 +0000", "2022-01-01T00:00:00.000Z"},
        {2'147'483'647'000, "Tue, 19 Jan 2038 03:14:07 +0000", "2038-01-19T03:14:07.000Z"},
        {2'147'483'648'000, "Tue, 19 Jan 2038 03:14:08 +0000", "2038-01-19T03:14:08.000Z"},
        {4'107'542'400'000, "Mon, 1 Mar 2100 00:00:00 +0000", "2100-03-01T00:00:00.000Z"},
        {4'107'542'399'000, "Sun, 28 Feb 2100 23:59:59 +0000", "2100-02-28T23:59:59.000Z"},
        {4'294'967'295'000, "Sun, 7 Feb 2106 06:28:15 +0000", "2106-02-07T06:28:15.000Z"},
        {4'294'967'296'000, "Sun, 7 Feb 2106 06:28:16 +0000", "2106-02-07T06:28:16.000Z"},
        {253'402'300'799'999, "Fri, 31 Dec 9999 23:59:59 +0000", "9999-12-31T23:59:59.999Z"},
    };
    for (const auto& [milliseconds, date, timestamp] : cases) {
        EXPECT_EQ(render_date(at(milliseconds)), date);
        EXPECT_EQ(render_timestamp(at(milliseconds)), timestamp);
    }
}

TEST(Dates, DoNotFollowTheLocale) {
    for (const auto* name : {"de_DE.UTF-8", "fr_FR.UTF-8", "C.UTF-8"}) {
        (void)std::setlocale(LC_ALL, name);
        EXPECT_EQ(render_date(at(1'795'311'442'000)), "Sun, 22 Nov 2026 01:37:22 +0000");
    }
    (void)std::setlocale(LC_ALL, "C");
}

TEST(ParseTimestamp, ReadsWhatIsRendered) {
    for (const std::int64_t count : {0LL, 1795311442123LL, 951782400000LL, 253402300799999LL, 4102444800001LL}) {
        const base::Time time{base::Duration(count)};
        EXPECT_EQ(parse_timestamp(render_timestamp(time)), time) << count;
    }
}

TEST(ParseTimestamp, ReadsTheFormsOfRfc3339InUtc) {
    const base::Time noon = std::chrono::sys_days(std::chrono::year(2026) / 11 / 22) + std::chrono::hours(12);
    using std::chrono::milliseconds;
    EXPECT_EQ(parse_timestamp("2026-11-22T12:00:00Z"), noon);
    EXPECT_EQ(parse_timestamp("2026-11-22t12:00:00z"), noon);
    EXPECT_EQ(parse_timestamp("2026-11-22T12:00:00.5Z"), noon + milliseconds(500));
    EXPECT_EQ(parse_timestamp("2026-11-22T12:00:00.1239999Z"), noon + milliseconds(123));
    EXPECT_EQ(parse_timestamp("2026-11-22T11:59:60Z"), noon);
}

TEST(ParseTimestamp, RefusesEverythingElse) {
    for (const char* text :
         {"", "Z", "2026-11-22", "2026-11-22T12:00:00", "2026-11-22 12:00:00Z", "2026-11-22T12:00:00+00:00", "2026-11-22T12:00Z",
          "2026-11-22T12:00:00.Z", "2026-11-22T12:00:00ZZ", "2026-13-22T12:00:00Z", "2026-02-29T12:00:00Z", "2026-11-22T24:00:00Z",
          "2026-11-22T12:60:00Z", "2026-11-22T12:00:61Z", "26-11-22T12:00:00Z", "2026-1-22T12:00:000Z", "-026-11-22T12:00:00Z"})
        EXPECT_FALSE(parse_timestamp(text)) << text;
}

}  // namespace
}  // namespace thurn::mail
