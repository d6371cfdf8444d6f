#include "mailauth/srs.h"

#include "support/fake_clock.h"

#include <string>

#include <gtest/gtest.h>

namespace thurn::mailauth {
namespace {

using std::chrono::days;
constexpr base::Time kNow = support::FakeClock::kStart;

mail::Mailbox box(const char* text) { return mail::parse_mailbox(text, mail::Charset::utf8).value(); }
Srs srs_of(const char* domain, std::vector<std::string> keys = {"a secret"}) {
    return Srs::make({.domain = mail::parse_domain(domain).value(), .keys = std::move(keys)}).value();
}
std::string restored(const Srs& srs, const mail::Mailbox& address, base::Time now = kNow) {
    const auto mailbox = srs.restore(address, now);
    return mailbox ? mail::render_mailbox(*mailbox) : mailbox.error().detail;
}

TEST(Srs, RewritesAndFindsTheWayBack) {
    const auto srs = srs_of("us.example");
    for (const char* sender :
         {"anna@a.example", "a=b+c@a.example", "\"two words\"@a.example", "x@xn--4ca.example", "j\u00f6rg@a.example", "SRS1=x@a.example"}) {
        const auto rewritten = srs.rewrite(box(sender), kNow);
        ASSERT_TRUE(rewritten) << sender;
        EXPECT_EQ(rewritten->domain.text(), "us.example");
        EXPECT_TRUE(rewritten->local.starts_with("SRS0=")) << rewritten->local;
        EXPECT_TRUE(srs.is_ours(*rewritten));
        EXPECT_TRUE(mail::parse_mailbox(mail::render_mailbox(*rewritten), mail::Charset::utf8)) << "an address that others take";
        EXPECT_EQ(restored(srs, *rewritten), sender);
    }
}

TEST(Srs, KeepsItsForm) {
    // Addresses written by one release must be read by the next: this is what is in other hosts' queues.
    EXPECT_EQ(mail::render_mailbox(srs_of("us.example").rewrite(box("anna@a.example"), kNow).value()),
              "SRS0=2uqsxwo5=jl=a.example=anna@us.example");
}

TEST(Srs, LeavesOwnSendersAlone) { EXPECT_EQ(srs_of("us.example").rewrite(box("anna@us.example"), kNow), box("anna@us.example")); }

TEST(Srs, NamesOnlyTheFirstForwarder) {
    const auto first = srs_of("first.example", {"1"});
    const auto second = srs_of("second.example", {"2"});
    const auto third = srs_of("third.example", {"3"});
    const auto one = first.rewrite(box("anna@a.example"), kNow).value();
    const auto two = second.rewrite(one, kNow).value();
    const auto three = third.rewrite(two, kNow).value();
    EXPECT_TRUE(two.local.starts_with("SRS1=")) << two.local;
    EXPECT_TRUE(three.local.starts_with("SRS1=")) << three.local;
    EXPECT_EQ(two.local.size(), three.local.size());
    EXPECT_EQ(third.restore(three, kNow), one) << "straight to the first, not by the second";
    EXPECT_EQ(second.restore(two, kNow), one);
    EXPECT_EQ(restored(first, one), "anna@a.example");
}

TEST(Srs, KeepsTheSeparatorOfOthers) {
    const auto us = srs_of("us.example");
    const auto theirs = box("SRS0+abcd=ef=a.example=anna@first.example");
    EXPECT_EQ(us.restore(us.rewrite(theirs, kNow).value(), kNow), theirs);
}

TEST(Srs, IsReadInAnyCase) {
    const auto srs = srs_of("us.example");
    auto rewritten = srs.rewrite(box("anna@a.example"), kNow).value();
    for (char& c : rewritten.local)
        if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
    EXPECT_EQ(restored(srs, rewritten), "ANNA@a.example");
}

TEST(Srs, RefusesWhatItDidNotSign) {
    const auto srs = srs_of("us.example");
    const auto good = srs.rewrite(box("anna@a.example"), kNow).value();
    for (std::size_t at = 5; at < good.local.size(); ++at) {
        auto bad = good;
        bad.local[at] = bad.local[at] == 'b' ? 'c' : 'b';
        EXPECT_FALSE(srs.restore(bad, kNow)) << bad.local;
    }
    EXPECT_FALSE(srs_of("us.example", {"another"}).restore(good, kNow));
    for (const char* text : {"SRS0=@us.example", "SRS0=x@us.example", "SRS0=abcdefgh=@us.example", "SRS0==aa=a.example=anna@us.example",
                             "SRS1=abcdefgh=first.example==x@us.example", "SRS1=@us.example", "SRS1===@us.example"}) {
        const auto refused = srs.restore(box(text), kNow);
        ASSERT_FALSE(refused) << text;
        EXPECT_EQ(refused.error().kind, base::ErrorKind::invalid);
    }
}

TEST(Srs, IsNotConcernedWithOtherAddresses) {
    const auto srs = srs_of("us.example");
    for (const char* text : {"anna@us.example", "SRS0=x@other.example", "SRS2=x@us.example", "srs0@us.example"}) {
        EXPECT_FALSE(srs.is_ours(box(text))) << text;
        EXPECT_EQ(srs.restore(box(text), kNow).error().kind, base::ErrorKind::not_found);
    }
}

TEST(Srs, HoldsForItsLifetime) {
    const auto srs = srs_of("us.example");
    for (const auto start : {kNow, base::Time(days(1023)), base::Time(days(1024 * 20 - 1))}) {
        const auto rewritten = srs.rewrite(box("anna@a.example"), start).value();
        for (const int age : {-1, 0, 1, 21}) EXPECT_EQ(restored(srs, rewritten, start + days(age)), "anna@a.example") << age;
        for (const int age : {-2, 22, 500, 1000})
            EXPECT_EQ(restored(srs, rewritten, start + days(age)), "a rewritten sender that is too old") << age;
    }
}

TEST(Srs, KeysRotate) {
    const auto before = srs_of("us.example", {"old"});
    const auto between = srs_of("us.example", {"new", "old"});
    const auto after = srs_of("us.example", {"new"});
    const auto old_address = before.rewrite(box("anna@a.example"), kNow).value();
    EXPECT_EQ(restored(between, old_address), "anna@a.example");
    EXPECT_EQ(restored(after, between.rewrite(box("anna@a.example"), kNow).value()), "anna@a.example");
    EXPECT_FALSE(after.restore(old_address, kNow));
}

TEST(Srs, DoesNotMakeAddressesThatAreTooLong) {
    const auto srs = srs_of("us.example");
    const auto sender = [](std::size_t size) { return mail::Mailbox{std::string(size, 'a'), mail::parse_domain("a.example").value()}; };
    EXPECT_TRUE(srs.rewrite(sender(37), kNow));
    const auto refused = srs.rewrite(sender(38), kNow);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, base::ErrorKind::too_long);
}

TEST(Srs, NeedsADomainAndKeys) {
    const auto domain = mail::parse_domain("us.example").value();
    EXPECT_FALSE(Srs::make({.domain = {}, .keys = {"k"}}));
    EXPECT_FALSE(Srs::make({.domain = domain, .keys = {}}));
    EXPECT_FALSE(Srs::make({.domain = domain, .keys = {"k", ""}}));
    EXPECT_FALSE(Srs::make({.domain = domain, .keys = {"k"}, .lifetime = days(0)}));
    EXPECT_FALSE(Srs::make({.domain = domain, .keys = {"k"}, .lifetime = days(1000)}));
}

}  // namespace
}  // namespace thurn::mailauth
