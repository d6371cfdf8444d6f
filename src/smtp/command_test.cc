#include "smtp/command.h"

#include <gtest/gtest.h>

namespace thurn::smtp {
namespace {

std::expected<Command, FixedReply> parse(std::string_view line) {
    static const ServerExtensions usual;
    return parse_command(split_command(line), {.extensions = usual, .auth = AuthParameter::known});
}

template <class Wanted>
Wanted parsed(std::string_view line) {
    auto command = parse(line);
    EXPECT_TRUE(command.has_value()) << line << ": " << (command ? "" : command.error().text);
    if (!command || !std::holds_alternative<Wanted>(*command)) {
        ADD_FAILURE() << line;
        return {};
    }
    return std::get<Wanted>(*std::move(command));
}

TEST(SplitCommand, KnowsVerbsInAnyCase) {
    EXPECT_EQ(split_command("mail FROM:<a@b>").verb, Verb::mail);
    EXPECT_EQ(split_command("StartTls").verb, Verb::starttls);
    EXPECT_EQ(split_command("QUIT  ").verb, Verb::quit);
    EXPECT_EQ(split_command("MAILFROM:<a@b>").verb, Verb::unknown);
    EXPECT_EQ(split_command(" QUIT").verb, Verb::unknown);
    EXPECT_EQ(split_command("").verb, Verb::unknown);
    EXPECT_EQ(split_command("unknown").verb, Verb::unknown);
    EXPECT_EQ(split_command("NOOP \t a b \t").argument, "a b");
}

TEST(ParseMail, ReadsPathAndParameters) {
    const auto command = parsed<MailCommand>("MAIL FROM:<Joe@Example.COM> size=1000 body=8bitmime AUTH=<>");
    EXPECT_EQ(command.path.mailbox->local, "Joe");
    EXPECT_EQ(command.path.mailbox->domain.text(), "example.com");
    EXPECT_EQ(command.parameters.size, base::Octets{1000});
    EXPECT_EQ(command.parameters.body, mail::BodyType::eight_bit);
}

TEST(ParseMail, TakesWhatRealClientsSend) {
    for (const auto* line :
         {"MAIL FROM:<a@b.example>", "mail from:<a@b.example>", "MAIL FROM: <a@b.example>", "MAIL  FROM:  <a@b.example>  ",
          "MAIL FROM:<a@b.example>  SIZE=1", "MAIL FROM:<@x.example,@y.example:a@b.example>", "MAIL\tFROM:<a@b.example>"}) {
        EXPECT_EQ(mail::render_path(parsed<MailCommand>(line).path), "a@b.example") << line;
    }
    EXPECT_TRUE(parsed<MailCommand>("MAIL FROM:<>").path.is_null());
    EXPECT_TRUE(parsed<MailCommand>("MAIL FROM: <> BODY=7BIT").path.is_null());
}

TEST(ParseMail, TakesASizeLargerThanAnyLimit) {
    EXPECT_EQ(parsed<MailCommand>("MAIL FROM:<> SIZE=99999999999999999999").parameters.size, base::Octets{UINT64_MAX});
}

TEST(ParseRcpt, KnowsPostmaster) {
    EXPECT_TRUE(parsed<RcptCommand>("RCPT TO:<PostMaster>").mailbox.domain.empty());
    EXPECT_EQ(parsed<RcptCommand>("rcpt to: <\"a b\"@c.example>").mailbox.local, "a b");
}

TEST(ParseAuth, LeavesTheResponseInBase64) {
    const auto command = parsed<AuthCommand>("AUTH plain AGEAYg==");
    EXPECT_EQ(command.mechanism, "PLAIN");
    EXPECT_EQ(command.initial, "AGEAYg==");
    EXPECT_FALSE(parsed<AuthCommand>("AUTH LOGIN").initial);
}

struct RefusedLine {
    std::string line;
    int code;
    mail::EnhancedStatus status;
};

TEST(ParseCommand, GivesEachErrorItsReply) {
    const std::string long_local(65, 'a');
    const RefusedLine lines[] = {
        {"HELO", 501, {5, 5, 4}},
        {"EHLO a b", 501, {5, 5, 4}},
        {"EHLO " + std::string(256, 'a'), 501, {5, 5, 4}},
        {"EHLO m\xc3\xbcll", 501, {5, 5, 4}},
        {"MAIL", 501, {5, 5, 4}},
        {"MAIL <a@b.example>", 501, {5, 5, 4}},
        {"MAIL TO:<a@b.example>", 501, {5, 5, 4}},
        {"MAIL FROM:", 501, {5, 1, 7}},
        {"MAIL FROM:a@b.example", 501, {5, 1, 7}},
        {"MAIL FROM:<a@b.example", 501, {5, 1, 7}},
        {"MAIL FROM:<a b@c.example>", 501, {5, 1, 7}},
        {"MAIL FROM:<" + long_local + "@b.example>", 501, {5, 1, 7}},
        {"MAIL FROM:<m\xc3\xbcller@b.example>", 553, {5, 6, 7}},
        {"MAIL FROM:<a@b.example>SIZE=1", 501, {5, 5, 4}},
        {"MAIL FROM:<a@b.example> SIZE=", 501, {5, 5, 4}},
        {"MAIL FROM:<a@b.example> SIZE", 501, {5, 5, 4}},
        {"MAIL FROM:<a@b.example> SIZE=-1", 501, {5, 5, 4}},
        {"MAIL FROM:<a@b.example> SIZE=1x", 501, {5, 5, 4}},
        {"MAIL FROM:<a@b.example> SIZE=123456789012345678901", 501, {5, 5, 4}},
        {"MAIL FROM:<a@b.example> SIZE=1 SIZE=1", 501, {5, 5, 4}},
        {"MAIL FROM:<a@b.example> BODY=BINARYMIME", 504, {5, 5, 4}},
        {"MAIL FROM:<a@b.example> BODY", 504, {5, 5, 4}},
        {"MAIL FROM:<a@b.example> BODY=7BIT BODY=7BIT", 501, {5, 5, 4}},
        {"MAIL FROM:<a@b.example> AUTH=a+0", 501, {5, 5, 4}},
        {"MAIL FROM:<a@b.example> SMTPUTF8", 555, {5, 5, 4}},
        {"MAIL FROM:<a@b.example> X=1", 555, {5, 5, 4}},
        {"MAIL FROM:<a@b.example> =1", 501, {5, 5, 4}},
        {"RCPT", 501, {5, 5, 4}},
        {"RCPT TO:<>", 501, {5, 1, 3}},
        {"RCPT TO:<a>", 501, {5, 1, 3}},
        {"RCPT TO:<a@b.example> NOTIFY=NEVER", 555, {5, 5, 4}},
        {"RCPT TO:<a@b.example> ,", 501, {5, 5, 4}},
        {"RCPT TO:<m\xc3\xbcller@b.example>", 553, {5, 6, 7}},
        {"DATA now", 501, {5, 5, 4}},
        {"RSET x", 501, {5, 5, 4}},
        {"QUIT x", 501, {5, 5, 4}},
        {"STARTTLS x", 501, {5, 5, 4}},
        {"VRFY", 501, {5, 5, 4}},
        {"EXPN", 501, {5, 5, 4}},
        {"AUTH", 501, {5, 5, 4}},
        {"AUTH PLAIN a b", 501, {5, 5, 4}},
    };
    for (const auto& [line, code, status] : lines) {
        const auto command = parse(line);
        ASSERT_FALSE(command.has_value()) << line;
        EXPECT_EQ(command.error().code, code) << line;
        EXPECT_EQ(command.error().status, status) << line;
    }
}

TEST(ParseCommand, KnowsAuthOfMailOnlyWhereAnnounced) {
    const auto command = parse_command(split_command("MAIL FROM:<> AUTH=<>"), {.extensions = {}});
    ASSERT_FALSE(command.has_value());
    EXPECT_EQ(command.error().code, 555);
}

TEST(IsHttpMethod, KnowsWhatBrowsersSay) {
    EXPECT_TRUE(is_http_method("GET"));
    EXPECT_TRUE(is_http_method("post"));
    EXPECT_FALSE(is_http_method("HELP"));
    EXPECT_FALSE(is_http_method(""));
}

}  // namespace
}  // namespace thurn::smtp
