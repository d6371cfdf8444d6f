#include "report/dsn.h"

#include "mail/header.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace thurn::report {
namespace {

using namespace std::chrono_literals;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

const base::Time kNoon = base::Time(std::chrono::sys_days{std::chrono::year{2026} / 11 / 22}) + 12h;
constexpr std::string_view kHeader = "From: a@b\r\nTo: c@d\r\nSubject: Hello\r\nMessage-ID: <1@b>\r\n\r\n";

DsnRecipient refused() {
    return {.final_recipient = "c@d.example",
            .original_recipient = "alias@ours.example",
            .action = DsnAction::failed,
            .status = "5.1.1",
            .remote_host = "mx1.d.example [192.0.2.1]:25",
            .diagnostic = "550 5.1.1 no such user here",
            .explanation = "",
            .last_attempt = kNoon - 1min};
}

DsnOptions options(std::vector<DsnRecipient> recipients = {refused()}) {
    return {.reporting_host = "mx.ours.example",
            .message_id = "0ABCDEFGHJKMN",
            .queue_id = "0ZZZZZZZZZZZZ",
            .to = *mail::parse_mailbox("a@b.example"),
            .from = "postmaster@ours.example",
            .arrived = kNoon - 1h,
            .now = kNoon,
            .recipients = std::move(recipients),
            .original_header = kHeader};
}

/// What a MIME parser sees: the parts between the boundary lines.
struct Parsed {
    mail::Header header;
    std::vector<std::string> parts;
};
Parsed parse(const std::string& message) {
    Parsed parsed{.header = mail::parse_header(message), .parts = {}};
    const std::string type = mail::unfold(parsed.header.find("Content-Type")->value);
    const std::size_t from = type.find("boundary=\"") + 10;
    const std::string mark = "\r\n--" + type.substr(from, type.find('"', from) - from);
    std::string_view rest = std::string_view(message).substr(parsed.header.size);
    rest.remove_prefix(rest.find(mark));
    while (!rest.starts_with(mark + "--\r\n")) {
        rest.remove_prefix(mark.size() + 2);
        const std::size_t end = rest.find(mark);
        if (end == std::string_view::npos) {
            ADD_FAILURE() << "no closing boundary";
            break;
        }
        parsed.parts.emplace_back(rest.substr(0, end));
        rest.remove_prefix(end);
    }
    return parsed;
}

void expect_well_formed(const std::string& message) {
    std::size_t line = 0;
    for (std::size_t i = 0; i < message.size(); ++i) {
        const char c = message[i];
        ASSERT_TRUE((c >= 0x20 && c < 0x7f) || c == '\t' || c == '\r' || c == '\n') << "octet " << int(c) << " at " << i;
        ASSERT_EQ(c == '\n', i > 0 && message[i - 1] == '\r') << "stray line end at " << i;
        line = c == '\n' ? 0 : line + 1;
        ASSERT_LE(line, 999U) << "with its CR";
    }
    const Parsed parsed = parse(message);
    ASSERT_EQ(parsed.parts.size(), 3U);
    EXPECT_TRUE(parsed.parts[0].starts_with("Content-Type: text/plain"));
    EXPECT_TRUE(parsed.parts[1].starts_with("Content-Type: message/delivery-status\r\n\r\n"));
    EXPECT_TRUE(parsed.parts[2].starts_with("Content-Type: text/rfc822-headers\r\n"));
}

TEST(Dsn, HeaderSaysWhatItIs) {
    const std::string message = render_dsn(options());
    expect_well_formed(message);
    const mail::Header header = mail::parse_header(message);
    const auto value = [&header](const char* name) { return mail::unfold(header.find(name)->value); };
    EXPECT_EQ(value("From"), "Mail Delivery System <postmaster@ours.example>");
    EXPECT_EQ(value("To"), "a@b.example");
    EXPECT_EQ(value("Subject"), "Your message could not be delivered");
    EXPECT_EQ(value("Date"), "Sun, 22 Nov 2026 12:00:00 +0000");
    EXPECT_EQ(value("Message-ID"), "<0ABCDEFGHJKMN@mx.ours.example>");
    EXPECT_EQ(value("References"), "<1@b>");
    EXPECT_EQ(value("Auto-Submitted"), "auto-replied");
    EXPECT_EQ(value("MIME-Version"), "1.0");
    EXPECT_EQ(value("Content-Type"), "multipart/report; report-type=delivery-status; boundary=\"=_thurn_0ABCDEFGHJKMN\"");
}

TEST(Dsn, StatusPartFollowsRfc3464) {
    EXPECT_EQ(parse(render_dsn(options())).parts[1],
              "Content-Type: message/delivery-status\r\n"
              "\r\n"
              "Reporting-MTA: dns; mx.ours.example\r\n"
              "X-Thurn-Queue-ID: 0ZZZZZZZZZZZZ\r\n"
              "Arrival-Date: Sun, 22 Nov 2026 11:00:00 +0000\r\n"
              "\r\n"
              "Original-Recipient: rfc822; alias@ours.example\r\n"
              "Final-Recipient: rfc822; c@d.example\r\n"
              "Action: failed\r\n"
              "Status: 5.1.1\r\n"
              "Remote-MTA: dns; mx1.d.example ([192.0.2.1]:25)\r\n"
              "Diagnostic-Code: smtp; 550 5.1.1 no such user here\r\n"
              "Last-Attempt-Date: Sun, 22 Nov 2026 11:59:00 +0000\r\n");
}

TEST(Dsn, TellsPeopleWhoWhatWhyAndWhatToDo) {
    const std::string text = parse(render_dsn(options())).parts[0];
    EXPECT_THAT(text, HasSubstr("<c@d.example>, written to as <alias@ours.example>, was refused."));
    EXPECT_THAT(text, HasSubstr("mx1.d.example [192.0.2.1]:25 said:\r\n    550 5.1.1 no such user here\r\n"));
    EXPECT_THAT(text, HasSubstr("Check the address for typing errors."));
    EXPECT_THAT(text, HasSubstr("0ZZZZZZZZZZZZ"));
}

TEST(Dsn, ReturnsTheHeader) {
    EXPECT_THAT(parse(render_dsn(options())).parts[2], EndsWith("\r\n\r\nFrom: a@b\r\nTo: c@d\r\nSubject: Hello\r\nMessage-ID: <1@b>\r\n"));
}

TEST(Dsn, DelayNoticePromisesToGoOn) {
    DsnRecipient delayed = refused();
    delayed.action = DsnAction::delayed;
    delayed.status = "4.7.1";
    delayed.diagnostic = "451 4.7.1 greylisted";
    delayed.retry_until = kNoon + 24h;
    const std::string message = render_dsn(options({delayed}));
    expect_well_formed(message);
    EXPECT_THAT(message, HasSubstr("Subject: Your message is delayed\r\n"));
    EXPECT_THAT(message, HasSubstr("Action: delayed\r\nStatus: 4.7.1\r\n"));
    EXPECT_THAT(message, HasSubstr("Will-Retry-Until: Mon, 23 Nov 2026 12:00:00 +0000\r\n"));
    EXPECT_THAT(message, HasSubstr("we go on trying"));
    EXPECT_THAT(message, Not(HasSubstr("Check the address")));
}

TEST(Dsn, OurOwnReasonIsNoDiagnosticCode) {
    DsnRecipient recipient = refused();
    recipient.remote_host = recipient.diagnostic = recipient.original_recipient = "";
    recipient.explanation = "There is no mailbox of that name here.";
    const std::string message = render_dsn(options({recipient}));
    expect_well_formed(message);
    for (const char* absent : {"Diagnostic-Code", "Remote-MTA", "Original-Recipient", "written to as"})
        EXPECT_THAT(message, Not(HasSubstr(absent)));
    EXPECT_THAT(message, HasSubstr("There is no mailbox of that name here."));
}

TEST(Dsn, StatusIsAlwaysThere) {
    DsnRecipient recipient = refused();
    recipient.status = "nonsense";
    EXPECT_THAT(render_dsn(options({recipient})), HasSubstr("\r\nStatus: 5.0.0\r\n"));
    recipient.action = DsnAction::relayed;
    recipient.status = "";
    EXPECT_THAT(render_dsn(options({recipient})), HasSubstr("\r\nStatus: 2.0.0\r\n"));
}

TEST(Dsn, HostileRemoteTextStaysInItsPlace) {
    const std::string boundary = "=_thurn_0ABCDEFGHJKMN";
    const std::vector<std::string> texts{
        "550 a\r\n\r\n--" + boundary + "--\r\nAction: delivered",
        "550 \n--" + boundary + "\nContent-Type: text/html",
        std::string(5000, 'x'),
        std::string(5000, ' '),
        "550 " + std::string(1, '\0') + "\x1b[2J \xff\xfe \xc2\x9b",
        "\xc3\xa9t\xc3\xa9 --" + boundary,
        "--" + boundary,
        "",
    };
    for (const std::string& text : texts) {
        DsnRecipient recipient{.final_recipient = text,
                               .original_recipient = text,
                               .action = DsnAction::failed,
                               .status = text,
                               .remote_host = text,
                               .diagnostic = text,
                               .explanation = text,
                               .last_attempt = kNoon};
        DsnOptions hostile = options({recipient});
        hostile.queue_id = text;
        const std::string message = render_dsn(hostile);
        expect_well_formed(message);
        EXPECT_THAT(message, Not(HasSubstr("\nAction: delivered")));
        EXPECT_THAT(message, Not(HasSubstr("\nContent-Type: text/html")));
    }
}

TEST(Dsn, HostileHeaderIsEncoded) {
    const std::vector<std::string> headers{
        "Subject: \xc3\xa9\r\n\r\n",
        "Subject: a\rb\nc\r\n\r\n",
        "Subject: " + std::string(2000, 'x') + "\r\n\r\n",
        "Subject: x\r\n--=_thurn_0ABCDEFGHJKMN--\r\nX: y\r\n\r\n",
        std::string("X: \0", 4) + "\r\n\r\n",
        std::string(200'000, '\n'),
        "",
        "\r\n",
    };
    for (const std::string& header : headers) {
        DsnOptions hostile = options();
        hostile.original_header = header;
        expect_well_formed(render_dsn(hostile));
    }
    DsnOptions hostile = options();
    hostile.original_header = headers[0];
    EXPECT_THAT(parse(render_dsn(hostile)).parts[2], EndsWith("quoted-printable\r\n\r\nSubject: =C3=A9\r\n"));
}

TEST(Dsn, LongHeaderIsCutAtALine) {
    std::string header;
    for (int line = 0; line < 10'000; ++line) header += "X-Line: " + std::to_string(line) + "\r\n";
    DsnOptions large = options();
    large.original_header = header;
    const std::string message = render_dsn(large);
    expect_well_formed(message);
    EXPECT_LT(message.size(), 70'000U);
}

TEST(Dsn, AddressBeyondAsciiHasItsOwnForm) {
    DsnRecipient recipient = refused();
    recipient.final_recipient = "d\xc3\xb6rte@d.example";
    const std::string message = render_dsn(options({recipient}));
    expect_well_formed(message);
    EXPECT_THAT(message, HasSubstr("Final-Recipient: utf-8; d\\x{F6}rte@d.example\r\n"));
    EXPECT_THAT(parse(message).parts[0], HasSubstr("d=C3=B6rte@d.example"));
}

TEST(Dsn, OnlyAHarmlessMessageIdIsReferredTo) {
    for (const char* id : {"<a b@c>", "<a@b> <c@d>", "a@b", "<>", "<a@\xc3\xa9>", "<a<b@c>"}) {
        const std::string header = std::string("Message-ID: ") + id + "\r\n\r\n";
        DsnOptions odd = options();
        odd.original_header = header;
        EXPECT_THAT(render_dsn(odd), Not(HasSubstr("References:"))) << id;
    }
}

TEST(Dsn, AHeaderInUtf8IsNamedSoWhereItWasAgreedOn) {
    DsnOptions given = options();
    given.original_header = "Subject: gr\xc3\xbc\xc3\x9f\r\n\r\n";
    given.smtputf8 = true;
    EXPECT_THAT(
        parse(render_dsn(given)).parts[2],
        HasSubstr("Content-Type: message/global-headers\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nSubject: gr=C3=BC=C3=9F"));
    given.original_header = "Subject: plain\r\n\r\n";
    EXPECT_THAT(parse(render_dsn(given)).parts[2], HasSubstr("text/rfc822-headers"));
}

TEST(Dsn, NamesWhatTheSenderCalledItByInItsEnvelope) {
    auto recipient = refused();
    recipient.original_recipient = "ann@list.example";
    recipient.original_type = "rfc822";
    auto given = options({recipient});
    given.envelope_id = "QQ314159";
    const auto status = parse(render_dsn(given)).parts[1];
    EXPECT_THAT(status, HasSubstr("\r\n\r\nOriginal-Envelope-Id: QQ314159\r\nReporting-MTA:"));
    EXPECT_THAT(status, HasSubstr("Original-Recipient: rfc822; ann@list.example\r\n"));
    recipient.original_recipient = "c=us;a=x";
    recipient.original_type = "x400";
    EXPECT_THAT(render_dsn(options({recipient})), HasSubstr("Original-Recipient: x400; c=us;a=x\r\n"));
}

TEST(Dsn, ReturnsTheWholeMessageWhereItWasAskedFor) {
    const std::string content = std::string(kHeader) + "Hello\r\n.\r\n--dashes";
    auto asked = options();
    asked.original_content = content;
    EXPECT_EQ(parse(render_dsn(asked)).parts[2], "Content-Type: message/rfc822\r\n\r\n" + content + "\r\n");
}

TEST(Dsn, ReturnsTheHeaderOfWhatWouldBreakTheReport) {
    for (const std::string& body :
         {std::string("\r\n--=_thurn_0ABCDEFGHJKMN--\r\n"), std::string("bare\nline feed"), std::string("bare\rreturn"),
          std::string("Gr\xC3\xBC\xC3\x9F\x65"), std::string("nul\0", 4), std::string(999, 'x')}) {
        const std::string content = std::string(kHeader) + body;
        auto asked = options();
        asked.original_content = content;
        expect_well_formed(render_dsn(asked));
    }
}

}  // namespace
}  // namespace thurn::report
