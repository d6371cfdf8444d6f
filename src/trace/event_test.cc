#include "trace/event.h"

#include "trace/encoding.h"

#include <boost/json.hpp>
#include <gtest/gtest.h>

namespace thurn::trace {
namespace {

using namespace std::chrono_literals;

const base::Time kNoon = base::Time(std::chrono::sys_days{std::chrono::year{2026} / 11 / 22}) + 12h;
const base::MessageId kId{static_cast<std::uint64_t>(kNoon.time_since_epoch().count()) << 22 | 5};

Accepted accepted() {
    return {{.listener = "mx",
             .client = "[192.0.2.1]:51234",
             .client_name = "mail.example",
             .helo = "mail.example",
             .tls = "TLSv1.3 TLS_AES_256_GCM_SHA384",
             .login = "",
             .sender = "a@b",
             .recipients = {"c@d"},
             .size = 10240}};
}

struct LineCase {
    const char* name;
    Body body;
    const char* line;
};

std::vector<LineCase> lines() {
    Accepted here;
    here.listener = "dsn";
    here.recipients = {"a@b", "c@d", "e@f", "g@h", "i@j"};
    here.size = 1234567;
    return {
        {"Accepted", accepted(),
         "accepted   from mail.example [192.0.2.1]:51234 (helo mail.example) by mx, TLSv1.3 TLS_AES_256_GCM_SHA384, 10,240 octets, from "
         "<a@b> to <c@d>"},
        {"MadeHere", here, "accepted   made here by dsn, 1,234,567 octets, from <> to <a@b>, <c@d>, <e@f> and 2 more"},
        {"Decided", Decided{"rcpt", "c@d", "accept", "local-recipient", "d is ours and has c"},
         "decided    rcpt c@d: accept by local-recipient: d is ours and has c"},
        {"DecidedAndLeft", Decided{"rcpt", "c@d", "none", "listed", "on zen", {"score = 2", "tag = \"zen\""}},
         "decided    rcpt c@d: none by listed (score = 2, tag = \"zen\"): on zen"},
        {"Routed", Routed{"c@d", "MX mx1.d", "MX 10 mx1.d"}, "routed     c@d to MX mx1.d: MX 10 mx1.d"},
        {"Attempted", Attempted{{"c@d"}, "mx1.d [198.51.100.7]:25", "TLSv1.3", "deferred", {"451 4.7.1 greylisted"}, 12},
         "attempted  mx1.d [198.51.100.7]:25 TLSv1.3 for <c@d>: deferred in 12 ms; said: 451 4.7.1 greylisted"},
        {"Deferred", Settled{"c@d", "deferred", "451 4.7.1 greylisted", kNoon + 5min},
         "settled    c@d deferred until 12:05:00: 451 4.7.1 greylisted"},
        {"DeferredPastMidnight", Settled{"c@d", "deferred", "", kNoon + 13h}, "settled    c@d deferred until 2026-11-23 01:00:00"},
        {"Delivered", Settled{"c@d", "delivered", "250 2.0.0 ok", {}}, "settled    c@d delivered: 250 2.0.0 ok"},
        {"Refused", Refused{accepted()},
         "refused    from mail.example [192.0.2.1]:51234 (helo mail.example) by mx, TLSv1.3 TLS_AES_256_GCM_SHA384, 10,240 octets, from "
         "<a@b> to <c@d>"},
        {"RefusedAtMail", Refused{{.listener = "mx", .client = "192.0.2.1:9", .sender = "a@b"}},
         "refused    from 192.0.2.1:9 by mx, from <a@b>"},
        {"RefusedAtConnect", Refused{{.listener = "mx", .client = "192.0.2.1:9"}}, "refused    from 192.0.2.1:9 by mx"},
        {"Found", Found{"", {"spf = \"pass\"", "dnsbl_score = 3"}}, "found      spf = \"pass\", dnsbl_score = 3"},
        {"FoundOfOne", Found{"c@d", {"greylist_wait = 60"}}, "found      for c@d: greylist_wait = 60"},
        {"Noted", Noted{"recovered", ""}, "noted      recovered"},
        {"Hostile", Noted{"a\r\nb\x1b[2J", "\xc2\x9b \xff \xc3\xa9\x7f"}, "noted      a??b?[2J: ?? ? \xc3\xa9?"},
    };
}

TEST(TraceText, TellsEachStepInOneLine) {
    for (const LineCase& row : lines()) {
        EXPECT_EQ(render_text({.id = kId, .at = kNoon + 1123ms, .body = row.body}), std::string("12:00:01.123  ") + row.line) << row.name;
    }
}

TEST(TraceText, StoryHasAHeadingAndTheDateWhereTheDayChanges) {
    const std::vector<Event> events{{kId, kNoon, accepted()}, {kId, kNoon + 24h, Noted{"bounced", "written as X"}}};
    EXPECT_EQ(render_story(events), "message " + kId.text() +
                                        " of Sun, 22 Nov 2026 12:00:00 +0000 from <a@b> to <c@d>\n"
                                        "12:00:00.000  accepted   from mail.example [192.0.2.1]:51234 (helo mail.example) by mx, TLSv1.3 "
                                        "TLS_AES_256_GCM_SHA384, 10,240 octets, "
                                        "from <a@b> to <c@d>\n"
                                        "2026-11-23\n"
                                        "12:00:00.000  noted      bounced: written as X\n");
    EXPECT_EQ(render_story({}), "");
}

TEST(TraceJson, HoldsEveryFieldByName) {
    EXPECT_EQ(render_json({.id = kId, .at = kNoon + 1ms, .body = Settled{"c@d", "deferred", "4\"5\n1", kNoon + 5min}}),
              R"({"id":")" + kId.text() +
                  R"(","at":"2026-11-22T12:00:00.001Z","event":"settled","recipient":"c@d","outcome":"deferred","status":"4\"5?1",)"
                  R"("next_attempt":"2026-11-22T12:05:00.000Z"})");
    EXPECT_TRUE(render_json({.id = kId, .at = kNoon, .body = Settled{}}).ends_with(R"("next_attempt":null})"));
    const auto parsed = boost::json::parse(render_json({.id = kId, .at = kNoon, .body = accepted()})).as_object();
    EXPECT_EQ(parsed.at("recipients").as_array().size(), 1U);
    EXPECT_EQ(parsed.at("size").as_int64(), 10240);
    EXPECT_EQ(parsed.size(), 12U);
}

TEST(TraceJson, StaysValidWhateverTheTexts) {
    const std::string json = render_json({.id = kId, .at = base::Time::max(), .body = Noted{"\xff\xc0\x80", std::string("\0\x1f", 2)}});
    EXPECT_EQ(json, R"({"id":")" + kId.text() + R"(","at":null,"event":"noted","what":"???","detail":"??"})");
}

TEST(TraceEncoding, GivesBackWhatWentIn) {
    for (const LineCase& row : lines()) {
        if (std::string_view(row.name) == "Hostile") continue;
        const Event event{.id = kId, .at = kNoon + 1123ms, .body = row.body};
        std::string octets;
        append_event(octets, event);
        const auto back = decode_event(octets);
        ASSERT_TRUE(back) << row.name;
        EXPECT_EQ(render_json(*back), render_json(event));
        EXPECT_EQ(back->id, event.id);
        EXPECT_EQ(decode_head(octets)->at, event.at);
    }
}

TEST(TraceEncoding, EveryCutIsAnErrorOrLeavesFieldsOut) {
    std::string octets;
    append_event(octets, {.id = kId, .at = kNoon, .body = accepted()});
    for (std::size_t cut = 0; cut < octets.size(); ++cut) {
        const auto event = decode_event(std::string_view(octets).substr(0, cut));
        if (cut < kEventHeadSize) {
            EXPECT_FALSE(event) << cut;
        }
        if (event) {
            EXPECT_EQ(std::get<Accepted>(event->body).size, 0U) << cut;
        }
    }
}

TEST(TraceEncoding, PassesOverFieldsOfANewerVersion) {
    std::string octets;
    append_event(octets, {.id = kId, .at = kNoon, .body = Noted{"a", "b"}});
    const auto event = decode_event(octets + "\x03new");
    ASSERT_TRUE(event);
    EXPECT_EQ(std::get<Noted>(event->body).detail, "b");
}

TEST(TraceEncoding, RefusesUnknownKindsAndForgedCounts) {
    std::string octets;
    append_event(octets, {.id = kId, .at = kNoon, .body = Attempted{}});
    EXPECT_FALSE(decode_event(octets.substr(0, kEventHeadSize - 1) + "\x20"));
    EXPECT_FALSE(decode_event(octets.substr(0, kEventHeadSize) + "\xff\xff\xff\xff\xff\xff\xff\xff\x7f"));
    EXPECT_FALSE(decode_event(octets.substr(0, kEventHeadSize) + "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"));
}

TEST(TraceEncoding, ReplacesControlOctetsAndKeepsItsLimits) {
    Attempted attempt;
    attempt.host = std::string(100'000, 'x');
    attempt.replies.assign(100'000, "250 a\r\n" + std::string(100, 'y'));
    std::string octets;
    append_event(octets, {.id = kId, .at = kNoon, .body = attempt});
    EXPECT_LE(octets.size(), kMaxEventSize);
    const auto back = decode_event(octets);
    ASSERT_TRUE(back);
    EXPECT_EQ(std::get<Attempted>(back->body).host.size(), kMaxEventText);
    EXPECT_TRUE(std::get<Attempted>(back->body).replies.front().starts_with("250 a??y"));
}

}  // namespace
}  // namespace thurn::trace
