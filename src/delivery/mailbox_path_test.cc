#include "delivery/mailbox_path.h"

#include <gtest/gtest.h>

namespace thurn::delivery {
namespace {

using namespace std::string_view_literals;

mail::Mailbox account(std::string local, std::string_view domain) { return {std::move(local), mail::parse_domain(domain).value()}; }

TEST(MailboxPath, FillsInTheNames) {
    EXPECT_EQ(render_mailbox_path("/m/{domain}/{local}", account("bob", "example.com")), "/m/example.com/bob");
    EXPECT_EQ(render_mailbox_path("/m/{address}/{x}{", account("bob", "example.com")), "/m/bob@example.com/{x}{");
}

TEST(MailboxPath, AccountsCannotNameTemplateFields) {
    EXPECT_EQ(render_mailbox_path("{local}", account("{domain}", "example.com")), "%7Bdomain%7D");
}

struct NameCase {
    std::string_view octets;
    std::string_view name;
};
class PathNameTest : public testing::TestWithParam<NameCase> {};

TEST_P(PathNameTest, IsOneVisibleName) { EXPECT_EQ(encode_path_name(GetParam().octets), GetParam().name); }

INSTANTIATE_TEST_SUITE_P(Hostile, PathNameTest,
                         testing::Values(NameCase{"bob.jones+tag", "bob.jones+tag"}, NameCase{"../x", "%2E.%2Fx"}, NameCase{"/", "%2F"},
                                         NameCase{"a\0b"sv, "a%00b"}, NameCase{".", "%2E"}, NameCase{"..", "%2E."},
                                         NameCase{".hidden", "%2Ehidden"}, NameCase{"a@b", "a%40b"}, NameCase{"100%", "100%25"},
                                         NameCase{"ü", "%C3%BC"}, NameCase{"a b:c\\", "a%20b%3Ac%5C"}, NameCase{"", "%"}));

TEST(MailboxPath, DifferentAccountsHaveDifferentFolders) {
    EXPECT_NE(encode_path_name("a%2Fb"), encode_path_name("a/b"));
    EXPECT_NE(encode_path_name("%"), encode_path_name(""));
}

}  // namespace
}  // namespace thurn::delivery
