// Nothing takes time that grows with the square of what a stranger sent (CVE-2024-23184 and CVE-2026-27859, Dovecot: a few thousand addresses or
// parameters kept a processor busy for minutes). Not shown by a clock, which a busy machine would make a liar, but by counting: the readers are
// compiled once more with a call at each basic block (-fsanitize-coverage=trace-pc-guard), and four times the input may take four times the steps
// and a little more. What libc does within one search is not counted.
#include "mail/header.h"
#include "mail/loose_parameters.h"
#include "mail/mime.h"

#include <cstdint>
#include <functional>
#include <string>

#include <gtest/gtest.h>

namespace {
std::uint64_t steps = 0;
}
extern "C" {
// NOLINTBEGIN(bugprone-reserved-identifier)
void __sanitizer_cov_trace_pc_guard_init(std::uint32_t* start, std::uint32_t* stop) {
    for (auto* guard = start; guard < stop; ++guard) *guard = 1;
}
void __sanitizer_cov_trace_pc_guard(std::uint32_t*) { ++steps; }
// NOLINTEND(bugprone-reserved-identifier)
}

namespace thurn::mail {
namespace {

std::string repeated(std::string_view text, std::size_t count) {
    std::string result;
    for (std::size_t at = 0; at < count; ++at) result += text;
    return result;
}

std::string numbered(std::string_view before, std::string_view behind, std::size_t count) {
    std::string result;
    for (std::size_t at = 0; at < count; ++at) result.append(before).append(std::to_string(100'000 + at)).append(behind);
    return result;
}

void header(const std::string& text) { static_cast<void>(parse_header(text)); }
void unfolding(const std::string& text) { static_cast<void>(unfold(text)); }
void addresses(const std::string& text) { static_cast<void>(parse_address_list(text)); }
void media_type(const std::string& text) { static_cast<void>(parse_media_type(text)); }
void parts(const std::string& text) { static_cast<void>(parse_mime(text, {.depth = 50, .parts = 1'000'000})); }
void loosely(const std::string& text) { static_cast<void>(read_loosely(text).readings("name")); }

struct StepsCase {
    const char* name;
    void (*read)(const std::string&);
    std::function<std::string(std::size_t)> make;
};
class StepsTest : public testing::TestWithParam<StepsCase> {};

TEST_P(StepsTest, GrowAsTheInputDoes) {
    const auto& [name, read, make] = GetParam();
    const auto taken = [&](std::size_t count) {
        const auto text = make(count);
        const auto before = steps;
        read(text);
        return steps - before;
    };
    constexpr std::size_t kFew = 2000;
    const auto few = taken(kFew);
    const auto many = taken(4 * kFew);
    EXPECT_GT(few, 100U) << "it is counted at all";
    EXPECT_LT(many, 5 * few) << few << " steps for " << kFew;  // n log n is below 4.8, n squared is 16
}

INSTANTIATE_TEST_SUITE_P(
    Readers, StepsTest,
    testing::Values(
        StepsCase{"Fields", header, [](std::size_t count) { return numbered("X-", ": y\r\n", count) + "\r\n"; }},
        StepsCase{"LinesOfOneField", header, [](std::size_t count) { return "X:" + repeated(" y\r\n", count) + "\r\n"; }},
        StepsCase{"LinesToUnfold", unfolding, [](std::size_t count) { return repeated(" y\r\n", count); }},
        StepsCase{"SpacesToUnfold", unfolding, [](std::size_t count) { return "x" + repeated(" \r\n\t", count) + "y"; }},
        StepsCase{"Addresses", addresses, [](std::size_t count) { return numbered("Some One <u", "@example.com>,\r\n ", count); }},
        StepsCase{"AddressesInGroups", addresses, [](std::size_t count) { return numbered("g:u", "@example.com;,", count); }},
        StepsCase{"Comments", addresses, [](std::size_t count) { return repeated("(", count) + repeated(")", count) + "x@example.com"; }},
        StepsCase{"CommentsWithoutAnEnd", addresses, [](std::size_t count) { return repeated("(", count); }},
        StepsCase{"Brackets", addresses, [](std::size_t count) { return repeated("<", count); }},
        StepsCase{"Quotes", addresses, [](std::size_t count) { return repeated("\"x\" ", count) + "<x@example.com>"; }},
        StepsCase{"WordsOfAName", addresses, [](std::size_t count) { return repeated("word ", count) + "<x@example.com>"; }},
        StepsCase{"LabelsOfADomain", addresses, [](std::size_t count) { return "x@" + repeated("a.", count) + "example"; }},
        StepsCase{"Route", addresses, [](std::size_t count) { return "<" + repeated("@a.example,", count) + ":x@example.com>"; }},
        StepsCase{"Parameters", media_type, [](std::size_t count) { return "text/plain" + numbered("; p", "=x", count); }},
        StepsCase{"CommentsOfParameters", media_type,
                  [](std::size_t count) { return "text/plain" + repeated("(x)", count) + "; boundary=b"; }},
        StepsCase{"ParametersOfAPart", parts,
                  [](std::size_t count) { return "Content-Type: text/plain" + numbered(";\r\n p", "=x", count) + "\r\n\r\nText\r\n"; }},
        StepsCase{"Parts", parts,
                  [](std::size_t count) {
                      return "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + repeated("--b\r\n\r\nText\r\n", count) + "--b--\r\n";
                  }},
        StepsCase{"LinesThatMayBeBoundaries", parts,
                  [](std::size_t count) {
                      return "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n" + repeated("--c\r\n", count) + "--b--\r\n";
                  }},
        StepsCase{"PiecesOfAName", loosely, [](std::size_t count) { return "attachment" + numbered("; name*", "=x", count); }},
        StepsCase{"LooseQuotes", loosely, [](std::size_t count) { return "attachment; name=" + repeated("\"x", count); }}),
    [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace thurn::mail
