#include "mail/date.h"

#include "base/ascii.h"

#include <algorithm>
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

/// `NNNN-NN-NNTNN:NN:NN`: the places of digits, and what else stands where.
constexpr std::string_view kTimestampShape = "dddd-dd-ddTdd:dd:dd";

bool has_shape(std::string_view text) {
    return std::ranges::equal(text.substr(0, kTimestampShape.size()), kTimestampShape, [](char c, char shape) {
        if (shape == 'd') return base::is_digit(c);
        return shape == 'T' ? c == 'T' || c == 't' : c == shape;  // RFC 3339 §5.6
    });
}

int number_at(std::string_view text, std::size_t place, std::size_t digits) {
    int number = 0;
    for (const char c : text.substr(place, digits)) number = number * 10 + (c - '0');
    return number;
}

/// `.123456` to milliseconds, or nothing at all; what is behind it stays in `text`.
base::Result<base::Duration> take_fraction(std::string_view& text) {
    base::Duration fraction{};
    if (!text.starts_with('.')) return fraction;
    text.remove_prefix(1);
    const auto digits = static_cast<std::size_t>(std::ranges::find_if_not(text, base::is_digit) - text.begin());
    if (digits == 0) return base::fail(base::ErrorKind::syntax, "a timestamp with a point and no fraction");
    for (std::size_t place = 0; place < 3; ++place) fraction = fraction * 10 + base::Duration(place < digits ? text[place] - '0' : 0);
    text.remove_prefix(digits);
    return fraction;
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

base::Result<base::Time> parse_timestamp(std::string_view text) {
    if (!has_shape(text)) return base::fail(base::ErrorKind::syntax, "not a timestamp such as 2026-11-22T01:37:22Z");
    std::string_view rest = text.substr(kTimestampShape.size());
    const auto fraction = take_fraction(rest);
    if (!fraction || !(rest == "Z" || rest == "z")) return base::fail(base::ErrorKind::syntax, "a timestamp that does not end with Z");
    const auto date = std::chrono::year(number_at(text, 0, 4)) / number_at(text, 5, 2) / number_at(text, 8, 2);
    const std::chrono::hours hour(number_at(text, 11, 2));
    const std::chrono::minutes minute(number_at(text, 14, 2));
    const std::chrono::seconds second(number_at(text, 17, 2));
    if (!date.ok() || hour.count() > 23 || minute.count() > 59 || second.count() > 60)
        return base::fail(base::ErrorKind::invalid, "a timestamp with no such day or hour");
    return std::chrono::sys_days(date) + hour + minute + second + *fraction;
}

}  // namespace thurn::mail
