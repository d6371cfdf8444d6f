#include "mailauth/sender_rewriting.h"

#include <gtest/gtest.h>

namespace thurn::mailauth {
namespace {

const base::Time kNow = base::Time(std::chrono::days(20000));

mail::Mailbox box(std::string_view text) { return mail::parse_mailbox(text).value(); }
mail::Domain domain(std::string_view text) { return mail::parse_domain(text).value(); }

const SenderRewriting kRewriting({"a secret"}, std::chrono::days(21));

TEST(SenderRewriting, RewritesInTheForwardersNameAndFindsTheWayBack) {
    const auto rewritten = kRewriting.rewrite(box("anna@them.example"), domain("us.example"), kNow);
    ASSERT_TRUE(rewritten);
    EXPECT_EQ(rewritten->domain, domain("us.example"));
    EXPECT_TRUE(kRewriting.is_rewritten(*rewritten));
    EXPECT_EQ(kRewriting.restore(*rewritten, kNow), box("anna@them.example"));
}

/// Mail comes for us at our addresses too, and what it is for need not have been rewritten there.
TEST(SenderRewriting, DoesNothingForAddressLiterals) {
    for (const auto* literal : {"[192.0.2.1]", "[IPv6:2001:db8::1]"}) {
        for (const auto* local : {"postmaster", "SRS0=abcd=XY=them.example=anna", "SRS1=abcd=them.example==ab=XY=other.example=anna"}) {
            const mail::Mailbox recipient{local, domain(literal)};
            EXPECT_FALSE(kRewriting.is_rewritten(recipient)) << local << literal;
            EXPECT_FALSE(kRewriting.restore(recipient, kNow)) << local << literal;
        }
        EXPECT_FALSE(kRewriting.rewrite(box("anna@them.example"), domain(literal), kNow)) << literal;
    }
    EXPECT_FALSE(kRewriting.is_rewritten({"postmaster", {}})) << "RCPT TO:<postmaster>";
}

}  // namespace
}  // namespace thurn::mailauth
