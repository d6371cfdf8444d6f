#include "policy/sender_rule.h"

#include <gtest/gtest.h>

namespace thurn::policy {
namespace {

mail::ReversePath path(std::string_view text) {
    if (text.empty()) return {};
    return {mail::parse_mailbox(text).value_or(mail::Mailbox{})};
}

struct SenderCase {
    const char* name;
    Role role;
    const char* login;
    const char* sender;
    bool owns;
    SenderScope scope;
    int code;
};
class SenderTest : public testing::TestWithParam<SenderCase> {};
TEST_P(SenderTest, IsDecided) {
    const auto& row = GetParam();
    const auto decision = decide_sender({row.role, "192.0.2.1", row.login}, path(row.sender), row.owns, row.scope);
    EXPECT_EQ(decision.code, row.code);
    EXPECT_EQ(decision.kind == Decision::Kind::accept, row.code == 250);
    EXPECT_FALSE(decision.rule.empty());
    EXPECT_FALSE(decision.reason.empty());
}
INSTANTIATE_TEST_SUITE_P(
    Mail, SenderTest,
    testing::Values(SenderCase{"FromOutside", Role::mx, "", "x@e.example", false, SenderScope::own, 250},
                    SenderCase{"BounceFromOutside", Role::mx, "", "", false, SenderScope::own, 250},
                    SenderCase{"SubmissionWithoutLogin", Role::submission, "", "x@e.example", true, SenderScope::any, 530},
                    SenderCase{"OwnAddress", Role::submission, "anna@a.example", "anna@a.example", true, SenderScope::own, 250},
                    SenderCase{"ForeignAddress", Role::submission, "anna@a.example", "boss@a.example", false, SenderScope::own, 553},
                    SenderCase{"ForeignAddressAllowed", Role::submission, "anna@a.example", "boss@a.example", false, SenderScope::any, 250},
                    SenderCase{"AnotherOfItsDomain", Role::submission, "anna@a.example", "boss@a.example", false, SenderScope::domain, 250},
                    SenderCase{"AnotherDomain", Role::submission, "anna@a.example", "boss@b.example", false, SenderScope::domain, 553},
                    SenderCase{"SubdomainOfItsDomain", Role::submission, "anna@a.example", "boss@c.a.example", false, SenderScope::domain,
                               553},
                    SenderCase{"LoginWithoutADomain", Role::submission, "anna", "boss@a.example", false, SenderScope::domain, 553},
                    SenderCase{"NullPathOfALogin", Role::submission, "anna@a.example", "", false, SenderScope::own, 250},
                    SenderCase{"LoginOnTheMxPort", Role::mx, "anna@a.example", "boss@a.example", false, SenderScope::own, 553}),
    [](const auto& row) { return std::string(row.param.name); });

struct AuthorsCase {
    const char* name;
    std::string_view header;
    std::vector<std::string> authors;
    bool readable = true;
};
class AuthorsTest : public testing::TestWithParam<AuthorsCase> {};
TEST_P(AuthorsTest, AreAllThatFromNames) {
    const auto& row = GetParam();
    const auto authors = authors_of(row.header);
    ASSERT_EQ(authors.has_value(), row.readable);
    if (!authors) {
        EXPECT_EQ(refuse_authors(authors.error()).code, 550);
        return;
    }
    std::vector<std::string> texts;
    for (const auto& author : *authors) texts.push_back(mail::render_mailbox(author));
    EXPECT_EQ(texts, row.authors);
}
INSTANTIATE_TEST_SUITE_P(
    Content, AuthorsTest,
    testing::Values(
        AuthorsCase{"One", "From: Anna <anna@a.example>\r\n\r\n", {"anna@a.example"}},
        AuthorsCase{"NameThatLooksLikeAnother", "From: \"boss@a.example\" <anna@a.example>\r\n\r\n", {"anna@a.example"}},
        AuthorsCase{"Two", "From: anna@a.example, boss@a.example\r\n\r\n", {"anna@a.example", "boss@a.example"}},
        AuthorsCase{"Folded", "From: Anna\r\n <anna@a.example>\r\n\r\n", {"anna@a.example"}}, AuthorsCase{"None", "Subject: x\r\n\r\n", {}},
        AuthorsCase{"BlankBeforeTheColon", "From : boss@a.example\r\n\r\n", {"boss@a.example"}},
        AuthorsCase{"TwoFields", "From: anna@a.example\r\nFrom: boss@a.example\r\n\r\n", {}, false},
        AuthorsCase{"BehindALineThatIsNoField", "Subject: x\r\nno field\r\nFrom: boss@a.example\r\n\r\n", {}, false},
        AuthorsCase{"AnotherBehindALineThatIsNoField", "From: anna@a.example\r\nno field\r\nfrom : boss@a.example\r\n\r\n", {}, false},
        AuthorsCase{"LineThatIsNoField", "From: anna@a.example\r\nno field\r\nX: y\r\n\r\n", {"anna@a.example"}},
        AuthorsCase{"NoDomain", "From: boss\r\n\r\n", {}, false}, AuthorsCase{"Rubbish", "From: <<boss@a.example\r\n\r\n", {}, false},
        AuthorsCase{"Empty", "From: \r\n\r\n", {}, false}, AuthorsCase{"EmptyGroup", "From: nobody:;\r\n\r\n", {}, false}),
    [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace thurn::policy
