#include "mail/date.h"

#include <array>
#include <string_view>

#include <fmt/format.h>

namespace thurn::mail {
namespace {

// Not strftime: its names follow the locale, and RFC 5322 §3.3 knows only these.
constexpr std::array<std::string_view, 7> kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

struct CivilTime {
    std::chrono::year_month_day date;
    std::chrono::weekday weekday;
    std::chrono::hh_mm_ss<base::Duration> clock;
};

CivilTime civil_time(base::Time time) {
    const auto day = std::chrono::floor<std::chrono::days>(time);
    return {.date = day, .weekday = day, .clock = std::chrono::hh_mm_ss(time - day)};
}

}  // namespace

std::string render_date(base::Time time) {
    const auto [date, weekday, clock] = civil_time(time);
    return fmt::format("{}, {} {} {:04} {:02}:{:02}:{:02} +0000", kDays[weekday.c_encoding()], static_cast<unsigned>(date.day()),
                       kMonths[static_cast<unsigned>(date.month()) - 1], static_cast<int>(date.year()), clock.hours().count(),
                       clock.minutes().count(), clock.seconds().count());
}

std::string render_timestamp(base::Time time) {
    const auto [date, weekday, clock] = civil_time(time);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                       static_cast<unsigned>(date.day()), clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                       clock.subseconds().count());
}

}  // namespace thurn::mail
