#include "mailauth/authentication_results.h"

#include <gtest/gtest.h>

namespace thurn::mailauth {
namespace {

using Property = AuthenticationProperty;

TEST(AuthenticationResults, ReadsTheExamplesOfRfc8601AppendixB) {
    const auto none = parse_authentication_results(" example.org 1; none");
    ASSERT_TRUE(none) << none.error().detail;
    EXPECT_EQ(*none, (AuthenticationResults{.authserv_id = "example.org"}));

    const auto two = parse_authentication_results(
        " example.com;\r\n          auth=pass (cram-md5) smtp.auth=sender@example.net;\r\n          spf=pass smtp.mailfrom=example.net");
    ASSERT_TRUE(two) << two.error().detail;
    EXPECT_EQ(two->results, (std::vector<AuthenticationResult>{
                                {.method = "auth", .result = "pass", .properties = {Property{"smtp", "auth", "sender@example.net"}}},
                                {.method = "spf", .result = "pass", .properties = {Property{"smtp", "mailfrom", "example.net"}}}}));

    const auto comments = parse_authentication_results(
        " foo.example.net (foobar) 1 (baz);\r\n    dkim (Because I like it) / 1 (One yay) = (wait for it) fail\r\n"
        "      policy (A dot can go here) . (like that) expired\r\n      (this surprised me) = (as I wasn't expecting it) 1362471462");
    ASSERT_TRUE(comments) << comments.error().detail;
    EXPECT_EQ(comments->authserv_id, "foo.example.net");
    EXPECT_EQ(comments->results, (std::vector<AuthenticationResult>{
                                     {.method = "dkim", .result = "fail", .properties = {Property{"policy", "expired", "1362471462"}}}}));

    const auto reason = parse_authentication_results(
        " example.com; dkim=pass reason=\"good \\\"signature\\\"\" header.i=@mail-router.example.net; dkim=fail reason=bad "
        "header.b=\"a/b+c=\"");
    ASSERT_TRUE(reason) << reason.error().detail;
    EXPECT_EQ(reason->results.at(0).reason, "good \"signature\"");
    EXPECT_EQ(reason->results.at(0).properties, (std::vector{Property{"header", "i", "@mail-router.example.net"}}));
    EXPECT_EQ(reason->results.at(1).properties, (std::vector{Property{"header", "b", "a/b+c="}}));
}

TEST(AuthenticationResults, TakesWhatIsWrittenInPractice) {
    for (const char* value :
         {" mx.google.com;\r\n       dkim=pass header.i=@a.example header.s=20 header.b=\"Ab/1+xyz\";\r\n       spf=pass (google.com: "
          "domain of x@a.example designates 192.0.2.1 as permitted sender) smtp.mailfrom=x@a.example;",
          "a.example; iprev=pass policy.iprev=2001:db8::1", "a.example; spf=none smtp.mailfrom=\"two words\"@b.example",
          "\"quoted id\"; auth=none"})
        EXPECT_TRUE(parse_authentication_results(value)) << value;
}

TEST(AuthenticationResults, RefusesWhatIsNone) {
    for (const char* value : {"",
                              " ",
                              ";",
                              "a.example",
                              "a.example;",
                              "a.example 1",
                              "a.example; none; none",
                              "a.example; none x",
                              "a.example; spf",
                              "a.example; spf=",
                              "a.example; =pass",
                              "a.example; spf=pass smtp",
                              "a.example; spf=pass smtp.=x",
                              "a.example; spf=pass smtp.mailfrom=",
                              "a.example; spf=pass smtp.mailfrom=\"x",
                              "a.example; spf=pass (never ends",
                              "a.example; spf/x=pass",
                              "a.example; spf=pass <",
                              "a.example x; spf=pass",
                              "a.example; spf=pass reason=",
                              "(a.example; spf=pass)"})
        EXPECT_FALSE(parse_authentication_results(value)) << value;
    const auto version = parse_authentication_results("a.example 2; spf=pass");
    ASSERT_FALSE(version);
    EXPECT_EQ(version.error().kind, base::ErrorKind::invalid);
}

TEST(AuthenticationResults, AreBounded) {
    std::string value = "a.example";
    for (int i = 0; i < 101; ++i) value += "; spf=pass";
    EXPECT_EQ(parse_authentication_results(value).error().kind, base::ErrorKind::too_long);
    value = "a.example; spf=pass";
    for (int i = 0; i < 101; ++i) value += " smtp.helo=x";
    EXPECT_EQ(parse_authentication_results(value).error().kind, base::ErrorKind::too_long);
}

TEST(AuthenticationResults, AreFoldedAndQuoted) {
    const AuthenticationResults results{
        .authserv_id = "mx.a.example",
        .results = {{.method = "dkim",
                     .result = "fail",
                     .comment = "a (nested) \\ one",
                     .reason = "body hash did not verify",
                     .properties = {{"header", "d", "b.example"}, {"header", "i", "@b.example"}, {"header", "b", "a/b+c=de"}}},
                    {.method = "spf",
                     .version = 2,
                     .result = "pass",
                     .properties = {{"smtp", "mailfrom", "anna@b.example"}, {"smtp", "helo", ""}}}}};
    EXPECT_EQ(render_authentication_results(results),
              "mx.a.example;\r\n\tdkim=fail (a \\(nested\\) \\\\ one) reason=\"body hash did not verify\"\r\n\theader.d=b.example "
              "header.i=@b.example "
              "header.b=\"a/b+c=de\";\r\n\tspf/2=pass smtp.mailfrom=anna@b.example smtp.helo=\"\"");
    EXPECT_EQ(render_authentication_results({.authserv_id = "mx.a.example"}), "mx.a.example; none");
    auto read = parse_authentication_results(render_authentication_results(results));
    ASSERT_TRUE(read) << read.error().detail;
    read->results[0].comment = results.results[0].comment;
    EXPECT_EQ(*read, results);
}

TEST(AuthenticationResults, LetNobodyWriteAFieldOfTheirOwn) {
    const auto text = render_authentication_results({.authserv_id = "mx",
                                                     .results = {{.method = "spf",
                                                                  .result = "fail",
                                                                  .comment = "x)\r\nBcc: y",
                                                                  .reason = "a\r\nb",
                                                                  .properties = {{"smtp", "mailfrom", "a\r\nTo: z@b.example"}}}}});
    std::size_t at = 0;
    while ((at = text.find('\n', at)) != std::string::npos) EXPECT_EQ(text.at(++at), '\t') << text;
    EXPECT_TRUE(parse_authentication_results(text)) << text;
}

TEST(AuthenticationResults, OfOursAreForgedWhenTheyArrive) {
    const auto ours = [](std::string_view name, std::string_view value) { return claims_to_be_ours({name, value}, "mx.a.example"); };
    EXPECT_TRUE(ours("authentication-results", " MX.a.Example; spf=pass"));
    EXPECT_TRUE(ours("Authentication-Results", "\r\n (x) mx.a.example 1; garbage = = ="));
    EXPECT_TRUE(ours("Authentication-Results", " \"mx.a.example\"; spf=pass"));
    EXPECT_TRUE(ours("Authentication-Results", " mx.a.example/1; spf=pass"));
    EXPECT_TRUE(ours("Authentication-Results", " mx.a.example.; spf=pass")) << "the same name with the root's dot";
    EXPECT_TRUE(ours("Authentication-Results", " ;mx.a.example; spf=pass")) << "unreadable, and with our name in it";
    EXPECT_TRUE(ours("Authentication-Results", " (mx.a.example; spf=pass"));
    EXPECT_FALSE(ours("Authentication-Results", " mx.b.example; spf=pass header.from=mx.a.example"));
    EXPECT_FALSE(ours("Authentication-Results", " xmx.a.example; spf=pass"));
    EXPECT_TRUE(claims_to_be_ours({"Authentication-Results", "mx.a.example; none"}, "mx.a.example.")) << "whoever wrote it so";
    EXPECT_FALSE(ours("ARC-Authentication-Results", " mx.a.example; spf=pass"));
    EXPECT_FALSE(ours("Authentication-Results", ""));
}

}  // namespace
}  // namespace thurn::mailauth
