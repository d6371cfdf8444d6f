#include "directory/resolve.h"

#include "support/memory_directory.h"

#include <gtest/gtest.h>

namespace thurn::directory {
namespace {

mail::Mailbox address(std::string_view text) {
    if (text == "postmaster") return {"postmaster", {}};
    auto parsed = mail::parse_mailbox(text, mail::Charset::utf8);
    EXPECT_TRUE(parsed) << text;
    return parsed.value_or(mail::Mailbox{});
}

/// `mailbox anna@a.example (tag)`, `alias NAME -> x y`, `unknown`, `not local`.
std::string told(const base::Result<Resolution>& result) {
    if (!result) return "error: " + result.error().detail;
    if (std::holds_alternative<NotLocal>(*result)) return "not local";
    if (std::holds_alternative<UnknownUser>(*result)) return "unknown";
    if (const auto* mailbox = std::get_if<MailboxOf>(&*result))
        return "mailbox " + mail::render_mailbox(mailbox->account) + (mailbox->detail.empty() ? "" : " (" + mailbox->detail + ")");
    const auto& alias = std::get<AliasFor>(*result);
    std::string text = "alias " + alias.name + " ->";
    for (const auto& target : alias.targets) text += " " + mail::render_mailbox(target);
    return text;
}

TEST(FoldAddress, HasOneFormForAllSpellings) {
    for (const auto* text :
         {"anna@a.example", "ANNA@A.Example", R"("anna"@a.example)", R"("\a\nna"@a.example)", "anna@\xef\xbd\x81.example"})
        EXPECT_EQ(fold_address(text), "anna@a.example") << text;
    EXPECT_EQ(fold_address(R"("An na"@a.example)"), R"("an na"@a.example)");
    EXPECT_EQ(fold_address("Anna"), "anna") << "no address, but a name all the same";
    EXPECT_EQ(fold_address(""), "");
}

struct Case {
    const char* name;
    const char* asked;
    const char* meaning;
};
std::string name_of(const testing::TestParamInfo<Case>& row) { return row.param.name; }

class OrderTest : public testing::TestWithParam<Case> {
protected:
    OrderTest() {
        directory_.add_domain("a.example");
        directory_.add_domain("b.example", "Bert@a.example");
        directory_.add_account("anna@a.example");
        directory_.add_account("bert@a.example");
        directory_.add_account("anna+exact@a.example");
        directory_.add_account("both@a.example");
        directory_.add_account("cleo@b.example");
        directory_.add_account("off@a.example", "x", false);
        directory_.add_alias("both@a.example", {"anna@a.example"});
        directory_.add_alias("team@a.example", {"anna@a.example", "bert@a.example", "x@elsewhere.example"});
        directory_.add_alias("abuse@b.example", {"cleo@b.example"});
        directory_.set_postmaster("bert@a.example");
        directory_.add_literal("[192.0.2.1]");
    }
    support::MemoryDirectory directory_{"mx.a.example"};
};

TEST_P(OrderTest, GivesTheMeaningOfAnAddress) { EXPECT_EQ(told(directory_.resolve(address(GetParam().asked))), GetParam().meaning); }

INSTANTIATE_TEST_SUITE_P(
    Addresses, OrderTest,
    testing::Values(
        Case{"Account", "anna@a.example", "mailbox anna@a.example"}, Case{"AccountWithoutCase", "ANNA@A.example", "mailbox anna@a.example"},
        Case{"QuotedIsTheSameAsBare", "\"Anna\"@a.example", "mailbox anna@a.example"},
        Case{"Tag", "anna+News+x@a.example", "mailbox anna@a.example (News+x)"},
        Case{"EmptyTag", "anna+@a.example", "mailbox anna@a.example"},
        Case{"AccountWithAPlusBeatsItsTag", "anna+exact@a.example", "mailbox anna+exact@a.example"},
        Case{"OnlyATag", "+anna@a.example", "unknown"},
        Case{"AliasBeatsAccount", "both@a.example", "alias both@a.example -> anna@a.example"},
        Case{"AliasToSeveral", "Team@a.example", "alias team@a.example -> anna@a.example bert@a.example x@elsewhere.example"},
        Case{"AliasWithTag", "team+q@a.example", "alias team@a.example -> anna@a.example bert@a.example x@elsewhere.example"},
        Case{"DisabledStillGetsMail", "off@a.example", "mailbox off@a.example"}, Case{"Unknown", "nobody@a.example", "unknown"},
        Case{"UnknownWithTag", "nobody+x@a.example", "unknown"}, Case{"OtherDomain", "anna@elsewhere.example", "not local"},
        Case{"Subdomain", "anna@sub.a.example", "not local"}, Case{"AtSignInQuotes", "\"anna@a.example\"@elsewhere.example", "not local"},
        Case{"CatchAll", "whoever@b.example", "alias @b.example -> Bert@a.example"},
        Case{"CatchAllIsLast", "cleo+t@b.example", "mailbox cleo@b.example (t)"},
        Case{"Postmaster", "PostMaster@a.example", "alias postmaster@a.example -> bert@a.example"},
        Case{"PostmasterWithTag", "postmaster+x@a.example", "alias postmaster+x@a.example -> bert@a.example"},
        Case{"PostmasterBeatsCatchAll", "postmaster@b.example", "alias postmaster@b.example -> bert@a.example"},
        Case{"BarePostmaster", "postmaster", "alias postmaster -> bert@a.example"},
        Case{"Abuse", "abuse@a.example", "alias abuse@a.example -> bert@a.example"},
        Case{"AbuseWithItsOwnAlias", "abuse@b.example", "alias abuse@b.example -> cleo@b.example"},
        Case{"PostmasterAtOurHostname", "postmaster@mx.a.example", "alias postmaster@mx.a.example -> bert@a.example"},
        Case{"RootAtOurHostname", "root@mx.a.example", "alias root@mx.a.example -> bert@a.example"},
        Case{"RootElsewhereIsAUser", "root@a.example", "unknown"}, Case{"OthersAtOurHostname", "anna@mx.a.example", "unknown"},
        Case{"PostmasterAtOurAddress", "postmaster@[192.0.2.1]", "alias postmaster@[192.0.2.1] -> bert@a.example"},
        Case{"OthersAtOurAddress", "anna@[192.0.2.1]", "unknown"}, Case{"ForeignAddress", "postmaster@[192.0.2.2]", "not local"},
        Case{"PostmasterElsewhere", "postmaster@elsewhere.example", "not local"},
        // Nothing in an address is ever run or expanded.
        Case{"ShellText", "\"${run{/bin/sh}}$(id)%s\"@a.example", "unknown"}),
    name_of);

class Postmaster : public testing::Test {
protected:
    std::string ask(std::string_view text = "postmaster") { return told(directory_.resolve(address(text))); }
    support::MemoryDirectory directory_{"mx.a.example"};
};

TEST_F(Postmaster, IsKeptWhereThereIsNoAccountAtAll) {
    EXPECT_EQ(ask(), "mailbox postmaster@mx.a.example");
    EXPECT_EQ(ask("postmaster@mx.a.example"), "mailbox postmaster@mx.a.example");
    directory_.set_postmaster("postmaster@mx.a.example");
    EXPECT_EQ(ask(), "mailbox postmaster@mx.a.example");
}

TEST_F(Postmaster, GoesToTheConfiguredAddressElsewhere) {
    directory_.set_postmaster("admin@provider.example");
    EXPECT_EQ(ask(), "alias postmaster -> admin@provider.example");
}

TEST_F(Postmaster, GoesToTheFirstAccountWhenTheConfiguredAddressIsNobodys) {
    directory_.add_domain("a.example");
    directory_.add_domain("b.example");
    directory_.set_postmaster("nobody@a.example");
    directory_.add_account("off@a.example", "x", false);
    directory_.add_account("zoe@a.example");
    directory_.add_account("anna@a.example");
    directory_.add_account("bea@b.example");
    EXPECT_EQ(ask(), "alias postmaster -> zoe@a.example");
    EXPECT_EQ(ask("postmaster@a.example"), "alias postmaster@a.example -> zoe@a.example");
    EXPECT_EQ(ask("postmaster@b.example"), "alias postmaster@b.example -> bea@b.example");
}

TEST_F(Postmaster, AsTheConfiguredAddressItselfGoesToTheFirstAccount) {
    directory_.add_domain("a.example");
    directory_.set_postmaster("postmaster@a.example");
    directory_.add_account("zoe@a.example");
    EXPECT_EQ(ask("postmaster@a.example"), "alias postmaster@a.example -> zoe@a.example");
    EXPECT_EQ(ask(), "alias postmaster -> zoe@a.example");
}

TEST_F(Postmaster, IsFollowedThroughItsAlias) {
    directory_.add_domain("a.example");
    directory_.set_postmaster("admins@a.example");
    directory_.add_alias("admins@a.example", {"x@elsewhere.example"});
    EXPECT_EQ(ask(), "alias postmaster -> admins@a.example");
}

TEST_F(Postmaster, MayBeReadByACatchAll) {
    directory_.add_domain("a.example", "anna@a.example");
    directory_.add_domain("b.example");
    directory_.add_account("first@b.example");
    directory_.set_postmaster("anything@a.example");
    EXPECT_EQ(ask(), "alias postmaster -> first@b.example") << "the catch-all leads nowhere";
    directory_.add_account("anna@a.example");
    EXPECT_EQ(ask(), "alias postmaster -> anything@a.example");
}

// Whatever is configured, following postmaster must end in a mailbox or elsewhere.
TEST_F(Postmaster, NeverGoesInCircles) {
    directory_.add_domain("a.example", "postmaster@b.example");
    directory_.add_domain("b.example", "lost@a.example");
    for (const char* configured : {"postmaster@a.example", "lost@a.example", "abuse@b.example", "postmaster@mx.a.example"}) {
        directory_.set_postmaster(configured);
        for (const char* asked : {"postmaster", "postmaster@a.example", "abuse@b.example", "who@b.example"}) {
            auto at = address(asked);
            int steps = 0;
            for (; steps < 6; ++steps) {
                auto step = directory_.resolve(at);
                ASSERT_TRUE(step);
                const auto* alias = std::get_if<AliasFor>(&*step);
                if (alias == nullptr) break;
                at = alias->targets.front();
            }
            EXPECT_LT(steps, 6) << configured << " " << asked;
        }
    }
}

TEST(CatchAll, ThatIsNobodysDoesNotLeadToItself) {
    support::MemoryDirectory directory;
    directory.add_domain("a.example", "Lost@a.example");
    EXPECT_EQ(told(directory.resolve(address("lost@a.example"))), "unknown");
}

TEST(Trouble, IsNeverAnUnknownUser) {
    support::MemoryDirectory directory;
    directory.add_domain("a.example");
    directory.fail_with({base::ErrorKind::disk, "broken"});
    for (const char* asked : {"anna@a.example", "x@elsewhere.example", "postmaster", "postmaster@a.example"})
        EXPECT_EQ(told(directory.resolve(address(asked))), "error: broken") << asked;
    EXPECT_FALSE(directory.is_local_domain(address("x@a.example").domain));
}

/// Fails the nth look-up.
class FailingEntries final : public Entries {
public:
    explicit FailingEntries(int nth) : left_(nth) {}
    base::Result<std::optional<DomainEntry>> find_domain(const mail::Domain&) override {
        return answer(std::optional(DomainEntry{address("c@a.example")}));
    }
    base::Result<std::vector<mail::Mailbox>> find_targets(const mail::Mailbox&) override { return answer(std::vector<mail::Mailbox>{}); }
    base::Result<bool> has_account(const mail::Mailbox&) override { return answer(false); }
    base::Result<std::optional<mail::Mailbox>> find_first_account(const mail::Domain&) override {
        return answer(std::optional<mail::Mailbox>{});
    }

private:
    template <class T>
    base::Result<T> answer(T value) {
        if (--left_ == 0) return base::fail(base::ErrorKind::disk, "broken");
        return value;
    }
    int left_;
};

TEST(Trouble, OfAnyLookUpIsHandedOn) {
    ResolveOptions options;
    options.hostname = address("x@mx.a.example").domain;
    options.postmaster = address("who@a.example");
    for (const char* asked : {"postmaster", "anna+tag@a.example", "postmaster+tag@b.example", "abuse@mx.a.example"}) {
        int failures = 0;
        for (int nth = 1; nth <= 20; ++nth) {
            FailingEntries entries(nth);
            if (!resolve(entries, options, address(asked))) ++failures;
        }
        FailingEntries sound(1000);
        EXPECT_TRUE(resolve(sound, options, address(asked)));
        EXPECT_GE(failures, 4) << asked;
    }
}

struct OwnCase {
    const char* name;
    const char* sender;
    bool owned;
};
class OwnershipTest : public testing::TestWithParam<OwnCase> {};

TEST_P(OwnershipTest, OfAnna) {
    support::MemoryDirectory directory("mx.a.example");
    directory.add_domain("a.example", "anna@a.example");
    directory.add_account("anna@a.example");
    directory.add_account("bert@a.example");
    directory.add_account("anna+hers@a.example");
    directory.add_alias("info@a.example", {"bert@a.example", "Anna@a.example"});
    directory.add_alias("chain@a.example", {"info@a.example"});
    directory.add_alias("bert@a.example", {"x@elsewhere.example"});
    EXPECT_EQ(directory.owns("ANNA@a.example", address(GetParam().sender)), GetParam().owned);
    EXPECT_EQ(directory.owns("bert@a.example", address("bert@a.example")), true) << "an alias of the same name takes nothing away";
    EXPECT_EQ(directory.owns("ghost@a.example", address("ghost@a.example")), false);
    EXPECT_EQ(directory.owns("not an address", address("anna@a.example")), false);
}

INSTANTIATE_TEST_SUITE_P(
    Senders, OwnershipTest,
    testing::Values(OwnCase{"Own", "anna@a.example", true}, OwnCase{"OwnWithoutCase", "Anna@A.EXAMPLE", true},
                    OwnCase{"OwnTagged", "anna+x@a.example", true}, OwnCase{"AnotherAccountThatLooksTagged", "anna+hers@a.example", false},
                    OwnCase{"Alias", "info@a.example", true}, OwnCase{"AliasTagged", "info+x@a.example", true},
                    OwnCase{"AliasOfAnAlias", "chain@a.example", false}, OwnCase{"AnotherAccount", "bert@a.example", false},
                    OwnCase{"CaughtByHerCatchAll", "who@a.example", false}, OwnCase{"Elsewhere", "anna@elsewhere.example", false},
                    OwnCase{"BarePostmaster", "postmaster", false}, OwnCase{"PostmasterByFallback", "postmaster@a.example", false}),
    [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace thurn::directory
