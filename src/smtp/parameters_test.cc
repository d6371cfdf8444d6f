#include "smtp/parameters.h"

#include "mail/date.h"
#include "smtp/command.h"

#include <gtest/gtest.h>

namespace thurn::smtp {
namespace {

const base::Time kLatest = *mail::parse_timestamp("2027-01-01T00:00:00Z");

const ServerExtensions kAll{.chunking = true,
                            .binary_mime = true,
                            .smtputf8 = true,
                            .limits = true,
                            .dsn = true,
                            .require_tls = true,
                            .future_release = FutureRelease{.interval = std::chrono::seconds(604800), .until = kLatest},
                            .deliver_by = std::chrono::seconds(60),
                            .mt_priority = "MIXER"};
const ServerExtensions kNone{.size = false, .eight_bit_mime = false};

ParameterRules everything(Utf8 utf8 = Utf8::refused) {
    return {.extensions = kAll, .auth = AuthParameter::known, .transport = Transport::tls, .utf8 = utf8};
}

MailParameters mail_given(std::string_view text) {
    auto given = parse_mail_parameters(text, everything());
    EXPECT_TRUE(given.has_value()) << text << ": " << (given ? "" : given.error().text);
    return given.value_or(MailParameters{});
}
RcptParameters rcpt_given(std::string_view text, Utf8 utf8 = Utf8::refused) {
    auto given = parse_rcpt_parameters(text, everything(utf8));
    EXPECT_TRUE(given.has_value()) << text << ": " << (given ? "" : given.error().text);
    return given.value_or(RcptParameters{});
}

TEST(MailParameters, AreNoneWhenNoneAreGiven) { EXPECT_EQ(mail_given(""), MailParameters{}); }

TEST(MailParameters, AreReadTogetherInAnyOrderAndCase) {
    const auto given = mail_given(
        " smtputf8 BY=120;rt MT-PRIORITY=-3  holdfor=86400\tREQUIRETLS ENVID=QQ314159 ret=hdrs AUTH=e+3Dmc2@example.com body=8bitmime "
        "SIZE=1000");
    EXPECT_EQ(given.size, base::Octets{1000});
    EXPECT_EQ(given.body, mail::BodyType::eight_bit);
    EXPECT_EQ(given.ret, mail::ReturnContent::headers);
    EXPECT_TRUE(given.smtputf8);
    EXPECT_TRUE(given.require_tls);
    EXPECT_EQ(given.priority, -3);
    EXPECT_EQ(given.envid, "QQ314159");
    EXPECT_EQ(given.hold_for, std::chrono::seconds(86400));
    EXPECT_EQ(given.hold_until, std::nullopt);
    EXPECT_EQ(given.deliver_by, (DeliverBy{std::chrono::seconds(120), ByMode::return_message, true}));
    ASSERT_TRUE(given.auth && given.auth->mailbox);
    EXPECT_EQ(mail::render_path(*given.auth), "e=mc2@example.com");
}

TEST(MailParameters, DecodeTheirValues) {
    EXPECT_EQ(mail_given(" ENVID=a+2Bb+20c").envid, "a+b c");
    EXPECT_EQ(mail_given(" ENVID=" + std::string(100, 'x')).envid, std::string(100, 'x'));
    EXPECT_EQ(mail_given(" BODY=binarymime").body, mail::BodyType::binary);
    EXPECT_EQ(mail_given(" RET=FULL").ret, mail::ReturnContent::full);
    EXPECT_TRUE(mail_given(" AUTH=<>").auth->is_null());
    EXPECT_TRUE(mail_given(" AUTH=+3C+3E").auth->is_null());
    EXPECT_EQ(mail_given(" HOLDUNTIL=2026-12-24T18:00:00Z").hold_until, mail::parse_timestamp("2026-12-24T18:00:00Z").value());
    EXPECT_EQ(mail_given(" HOLDUNTIL=2027-01-01T00:00:00Z").hold_until, kLatest);
    EXPECT_EQ(mail_given(" HOLDFOR=604800").hold_for, std::chrono::seconds(604800));
    EXPECT_EQ(mail_given(" BY=-999999999;N").deliver_by, (DeliverBy{std::chrono::seconds(-999999999), ByMode::notify, false}));
    EXPECT_EQ(mail_given(" BY=0;nT").deliver_by, (DeliverBy{std::chrono::seconds(0), ByMode::notify, true}));
    EXPECT_EQ(mail_given(" BY=+60;R").deliver_by, (DeliverBy{std::chrono::seconds(60), ByMode::return_message, false}));
    EXPECT_EQ(mail_given(" BY=1;N").deliver_by->within, std::chrono::seconds(1)) << "the least is for R alone";
    for (int priority = -9; priority <= 9; ++priority) EXPECT_EQ(mail_given(" MT-PRIORITY=" + std::to_string(priority)).priority, priority);
}

struct RefusedText {
    const char* text;
    int code;
};

TEST(MailParameters, RefuseWhatTheirGrammarHasNot) {
    const std::string long_envid = " ENVID=" + std::string(101, 'x');
    const RefusedText refused[] = {
        {"SIZE=1", 501},
        {" =1", 501},
        {" SIZE=", 501},
        {" -X=1", 501},
        {" SIZE=1 SIZE=1", 501},
        {" SIZE=1;", 501},
        {" BODY=BINARY", 504},
        {" BODY=8BITMIME body=7bit", 501},
        {" SMTPUTF8=1", 501},
        {" SMTPUTF8 SMTPUTF8", 501},
        {" RET", 501},
        {" RET=ALL", 501},
        {" RET=FULL RET=FULL", 501},
        {" ENVID", 501},
        {" ENVID=a+2bc", 501},
        {" ENVID=a=b", 501},
        {" ENVID=+0D+0A", 501},
        {" ENVID=+E4", 501},
        {" ENVID=\xc3\xa4", 501},
        {long_envid.c_str(), 501},
        {" REQUIRETLS=1", 501},
        {" REQUIRETLS REQUIRETLS", 501},
        {" HOLDFOR", 501},
        {" HOLDFOR=0", 501},
        {" HOLDFOR=010", 501},
        {" HOLDFOR=-1", 501},
        {" HOLDFOR=1234567890", 501},
        {" HOLDFOR=604801", 501},
        {" HOLDUNTIL", 501},
        {" HOLDUNTIL=tomorrow", 501},
        {" HOLDUNTIL=2026-12-24T18:00:00+00:00", 501},
        {" HOLDUNTIL=2027-01-01T00:00:01Z", 501},
        {" HOLDFOR=1 HOLDUNTIL=2026-12-24T18:00:00Z", 501},
        {" HOLDUNTIL=2026-12-24T18:00:00Z HOLDFOR=1", 501},
        {" BY", 501},
        {" BY=60", 501},
        {" BY=;N", 501},
        {" BY=60;", 501},
        {" BY=60;X", 501},
        {" BY=60;T", 501},
        {" BY=60;TR", 501},
        {" BY=60;RTT", 501},
        {" BY=60;R;T", 501},
        {" BY=--60;N", 501},
        {" BY=1234567890;N", 501},
        {" BY=0;R", 501},
        {" BY=-60;R", 501},
        {" BY=59;R", 501},
        {" MT-PRIORITY", 501},
        {" MT-PRIORITY=10", 501},
        {" MT-PRIORITY=+3", 501},
        {" MT-PRIORITY=-0", 501},
        {" MT-PRIORITY=-", 501},
        {" MT-PRIORITY=x", 501},
        {" AUTH", 501},
        {" AUTH=nobody", 501},
        {" AUTH=a@b@c", 501},
        {" AUTH=a+0", 501},
        {" NOTIFY=NEVER", 555},
        {" X", 555},
        {" XSIZE=1", 555},
    };
    for (const auto& [text, code] : refused) {
        const auto given = parse_mail_parameters(text, everything());
        ASSERT_FALSE(given.has_value()) << text;
        EXPECT_EQ(given.error().code, code) << text;
        EXPECT_EQ(given.error().status, (mail::EnhancedStatus{5, 5, 4})) << text;
    }
}

TEST(MailParameters, AreUnknownWhereTheyAreNotAnnounced) {
    for (const char* text : {" SIZE=1", " BODY=7BIT", " SMTPUTF8", " RET=FULL", " ENVID=x", " REQUIRETLS", " HOLDFOR=1",
                             " HOLDUNTIL=2026-12-24T18:00:00Z", " BY=60;N", " MT-PRIORITY=1", " AUTH=<>"}) {
        const auto given = parse_mail_parameters(text, {.extensions = kNone});
        ASSERT_FALSE(given.has_value()) << text;
        EXPECT_EQ(given.error().code, 555) << text;
        EXPECT_EQ(given.error().status, (mail::EnhancedStatus{5, 5, 4})) << text;
    }
    EXPECT_FALSE(parse_rcpt_parameters(" NOTIFY=NEVER", {.extensions = kNone}));
    EXPECT_EQ(parse_rcpt_parameters(" ORCPT=rfc822;a", {.extensions = kNone}).error().code, 555);
}

TEST(MailParameters, KnowBinaryContentOnlyWhereChunksAreTaken) {
    for (const ServerExtensions& extensions :
         {ServerExtensions{}, ServerExtensions{.chunking = true}, ServerExtensions{.binary_mime = true}})
        EXPECT_EQ(parse_mail_parameters(" BODY=BINARYMIME", {.extensions = extensions}).error().code, 504);
}

TEST(MailParameters, DemandTlsForRequireTls) {
    const auto given = parse_mail_parameters(" REQUIRETLS", {.extensions = kAll});
    ASSERT_FALSE(given.has_value());
    EXPECT_EQ(given.error().code, 530);
    EXPECT_EQ(given.error().status, (mail::EnhancedStatus{5, 7, 0}));
}

TEST(RcptParameters, ReadNotify) {
    EXPECT_EQ(rcpt_given("").notify, mail::Notify{});
    EXPECT_EQ(rcpt_given(" NOTIFY=never").notify, (mail::Notify{.given = true}));
    EXPECT_EQ(rcpt_given(" NOTIFY=SUCCESS").notify, (mail::Notify{.given = true, .success = true}));
    EXPECT_EQ(rcpt_given(" notify=Delay,FAILURE").notify, (mail::Notify{.given = true, .failure = true, .delay = true}));
    EXPECT_EQ(rcpt_given(" NOTIFY=FAILURE,DELAY,SUCCESS").notify,
              (mail::Notify{.given = true, .success = true, .failure = true, .delay = true}));
}

TEST(RcptParameters, ReadTheOriginalRecipient) {
    struct Case {
        std::string_view text;
        Utf8 utf8;
        OriginalRecipient wanted;
    };
    const Case cases[] = {
        {" ORCPT=rfc822;Bob@Example.COM", Utf8::refused, {"rfc822", "Bob@Example.COM"}},
        {" orcpt=RFC822;a+2Bb+3D@example", Utf8::refused, {"rfc822", "a+b=@example"}},
        {" ORCPT=x400;/c=us", Utf8::refused, {"x400", ""}},
        {" ORCPT=x-other;any+20thing;else", Utf8::refused, {"x-other", "any thing;else"}},
        {R"( ORCPT=utf-8;m\x{FC}ller@example)", Utf8::refused, {"utf-8", "m\xc3\xbcller@example"}},
        {" ORCPT=utf-8;m\xc3\xbcller@example", Utf8::allowed, {"utf-8", "m\xc3\xbcller@example"}},
        {" ORCPT=rfc822;m+C3+BCller@example", Utf8::allowed, {"utf-8", "m\xc3\xbcller@example"}},  // Postfix
        {" ORCPT=RFC822;m+C3+BCller@example", Utf8::refused, {"utf-8", "m\xc3\xbcller@example"}},
    };
    for (const auto& [text, utf8, wanted] : cases) {
        if (wanted.address.empty()) {  // '=' must be encoded
            EXPECT_FALSE(parse_rcpt_parameters(text, everything(utf8)));
            continue;
        }
        EXPECT_EQ(rcpt_given(text, utf8).original_recipient, wanted) << text;
    }
}

TEST(RcptParameters, RefuseWhatTheirGrammarHasNot) {
    const std::string too_long = " ORCPT=rfc822;" + std::string(500, 'x');
    const RefusedText refused[] = {
        {" NOTIFY", 501},
        {" NOTIFY=", 501},
        {" NOTIFY=ALWAYS", 501},
        {" NOTIFY=NEVER,SUCCESS", 501},
        {" NOTIFY=SUCCESS,NEVER", 501},
        {" NOTIFY=SUCCESS,", 501},
        {" NOTIFY=,SUCCESS", 501},
        {" NOTIFY=SUCCESS,,DELAY", 501},
        {" NOTIFY=NEVER NOTIFY=NEVER", 501},
        {" ORCPT", 501},
        {" ORCPT=bob@example.com", 501},
        {" ORCPT=;bob@example.com", 501},
        {" ORCPT=rfc822;", 501},
        {" ORCPT=rf(c;bob@example.com", 501},
        {" ORCPT=rfc822;a+0D+0AX:y", 501},
        {" ORCPT=rfc822;a+00", 501},
        {" ORCPT=rfc822;+C3", 501},
        {" ORCPT=rfc822;+C3+A4+0A", 501},
        {" ORCPT=x-other;+C3+A4", 501},
        {" ORCPT=rfc822;+ED+A0+80", 501},
        {" ORCPT=rfc822;m\xc3\xbcller", 501},
        {" ORCPT=utf-8;m\xc3\xbcller", 501},
        {" ORCPT=utf-8;a+2Bb", 501},
        {R"( ORCPT=utf-8;a\x{0A}b)", 501},
        {" ORCPT=rfc822;a ORCPT=rfc822;a", 501},
        {too_long.c_str(), 501},
        {" SIZE=1", 555},
    };
    for (const auto& [text, code] : refused) {
        const auto given = parse_rcpt_parameters(text, everything());
        ASSERT_FALSE(given.has_value()) << text;
        EXPECT_EQ(given.error().code, code) << text;
    }
    EXPECT_FALSE(parse_rcpt_parameters(" ORCPT=rfc822;m\xc3\xbcller", everything(Utf8::allowed)));
    EXPECT_FALSE(parse_rcpt_parameters(" ORCPT=utf-8;m\xc3", everything(Utf8::allowed)));
}

// ---- SMTPUTF8 addresses (RFC 6531 §3.3)

int code_of(std::string_view line, const ParameterRules& rules) {
    const auto command = parse_command(split_command(line), rules);
    return command ? 250 : command.error().code;
}

TEST(SmtpUtf8, IsNeededForAddressesBeyondAscii) {
    const auto announced = everything();
    EXPECT_EQ(code_of("MAIL FROM:<m\xc3\xbcller@m\xc3\xbcller.example> SMTPUTF8", announced), 250);
    EXPECT_EQ(code_of("MAIL FROM:<a@m\xc3\xbcller.example> SIZE=1 SMTPUTF8", announced), 250);
    EXPECT_EQ(code_of("MAIL FROM:<m\xc3\xbcller@b.example>", announced), 553);
    EXPECT_EQ(code_of("MAIL FROM:<a@m\xc3\xbcller.example> SIZE=1", announced), 553);
    EXPECT_EQ(code_of("MAIL FROM:<\xc3@b.example> SMTPUTF8", announced), 501);
    EXPECT_EQ(code_of("MAIL FROM:<m\xc3\xbcller@b.example> SMTPUTF8", {.extensions = kNone}), 553);
    EXPECT_EQ(code_of("MAIL FROM:<a@b.example> SMTPUTF8", {.extensions = kNone}), 555);
    EXPECT_EQ(code_of("RCPT TO:<m\xc3\xbcller@b.example>", announced), 553);
    EXPECT_EQ(code_of("RCPT TO:<m\xc3\xbcller@b.example>", everything(Utf8::allowed)), 250);
    EXPECT_EQ(code_of("RCPT TO:<m\xc3@b.example>", everything(Utf8::allowed)), 501);
    EXPECT_EQ(code_of("RCPT TO:<m\xc3\xbcller@b.example>", {.extensions = kNone}), 553);
}

TEST(SmtpUtf8, TurnsDomainsIntoALabels) {
    const auto command = parse_command(split_command("MAIL FROM:<m\xc3\xbcller@m\xc3\xbcller.example> SMTPUTF8"), everything());
    ASSERT_TRUE(command.has_value());
    EXPECT_EQ(mail::render_path(std::get<MailCommand>(*command).path), "m\xc3\xbcller@xn--mller-kva.example");
}

// ---- What EHLO lists

TEST(AppendExtensions, ListsWhatIsOnAndNothingElse) {
    const auto lines_of = [](const ServerExtensions& extensions, Transport transport) {
        std::vector<std::string> lines;
        append_extensions(extensions, {.message_size = {1000}, .recipients = 50, .messages = 20}, transport, lines);
        return lines;
    };
    using Lines = std::vector<std::string>;
    EXPECT_EQ(lines_of(kNone, Transport::tls), Lines{"PIPELINING"});
    EXPECT_EQ(lines_of({}, Transport::tls), (Lines{"PIPELINING", "SIZE 1000", "8BITMIME"}));
    EXPECT_EQ(lines_of(kAll, Transport::tls),
              (Lines{"PIPELINING", "SIZE 1000", "8BITMIME", "CHUNKING", "BINARYMIME", "SMTPUTF8", "LIMITS MAILMAX=20 RCPTMAX=50", "DSN",
                     "REQUIRETLS", "FUTURERELEASE 604800 2027-01-01T00:00:00Z", "DELIVERBY 60", "MT-PRIORITY MIXER"}));
    EXPECT_EQ(lines_of({.pipelining = false,
                        .size = false,
                        .eight_bit_mime = false,
                        .require_tls = true,
                        .deliver_by = std::chrono::seconds(0),
                        .mt_priority = ""},
                       Transport::clear),
              (Lines{"DELIVERBY", "MT-PRIORITY"}));
}

}  // namespace
}  // namespace thurn::smtp
