#include "policy/replay.h"

#include "support/memory_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace thurn::policy {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr const char* kUser = "u@here.example";

struct Configuration {
    std::vector<RuleText> rules{};
    std::vector<const char*> networks{};
    std::vector<std::string> domains{};
    SenderScope senders = SenderScope::own;
    AuthenticationRules authentication{};
};

/// As it is in a server: the views need something to look at.
struct Loaded {
    explicit Loaded(Configuration said) : domains(std::move(said.domains)), senders(said.senders), authentication(said.authentication) {
        for (auto& rule : said.rules) {
            const auto added = book.rules.add(std::move(rule));
            EXPECT_TRUE(added) << added.error().detail;
        }
        for (const auto* network : said.networks) networks.push_back(parse_network(network).value());
    }
    [[nodiscard]] ReplayedConfiguration view() const {
        return {.rulebook = book,
                .hostname = "mx.here.example",
                .relay_networks = networks,
                .relay_domains = domains,
                .senders = senders,
                .authentication = authentication};
    }
    Rulebook book;
    std::vector<Network> networks;
    std::vector<std::string> domains;
    SenderScope senders;
    AuthenticationRules authentication;
};

/// A stranger's message to one of ours, taken.
PastMessage taken() {
    return {.id = {},
            .at = {},
            .accepted = true,
            .parties = {.listener = "mx",
                        .client = "192.0.2.1:1025",
                        .helo = "mail.b.example",
                        .sender = "a@b.example",
                        .recipients = {kUser},
                        .size = 2000},
            .decisions = {{"rcpt", kUser, "accept", "local-recipient", ""}, {"content", "", "accept", "authentication", ""}},
            .found = {{"", {R"(dmarc = "pass")", R"(dkim = ["b.example"])", R"(spf = "pass")"}}}};
}

/// Refused by `rule` at a stage, about `subject`; the recipients of taken() where the stage is before them.
PastMessage refused(const char* stage, const char* subject, const char* decision, const char* rule) {
    auto past = taken();
    past.accepted = false;
    const std::string at(stage);
    if (at == "content" || at == "data")
        past.decisions.back() = {stage, "", decision, rule, ""};
    else if (at == "rcpt")
        past.decisions = {{stage, subject, decision, rule, ""}};
    else
        past.decisions = {{stage, subject, decision, rule, ""}}, past.parties.recipients.clear();
    return past;
}

class ReplayTest : public testing::Test {
protected:
    ReplayTest() {
        directory_.add_domain("here.example");
        directory_.add_account(kUser);
        directory_.add_account("v@here.example");
    }
    Comparison compare(const PastMessage& past, Configuration then, Configuration now) {
        const Loaded before(std::move(then));
        const Loaded after(std::move(now));
        auto compared = Replay(before.view(), after.view(), directory_).compare(past);
        EXPECT_TRUE(compared);
        return compared ? *std::move(compared) : Comparison{};
    }
    /// `u@here.example accept -> reject listed`
    static std::vector<std::string> told(const Comparison& comparison) {
        std::vector<std::string> lines;
        for (const auto& one : comparison.recipients) {
            if (!one.differs()) continue;
            const auto fate = [](const Fate& of) { return std::string(name_of(of.action)) + (of.rule.empty() ? "" : " ") + of.rule; };
            lines.push_back(one.address + ": " + fate(one.then) + " -> " + fate(one.now));
        }
        return lines;
    }
    support::MemoryDirectory directory_;
};

RuleText listed(std::string when) {
    return {.name = "listed", .stage = Stage::rcpt, .when = std::move(when), .action = Action::reject, .origin = "n:1"};
}

TEST_F(ReplayTest, TheSameConfigurationChangesNothing) {
    const Configuration same{.rules = default_rules()};
    const auto comparison = compare(taken(), same, same);
    EXPECT_EQ(comparison.recipients.size(), 1U);
    EXPECT_THAT(told(comparison), IsEmpty());
    for (const auto* stage : {"connect", "helo", "mail", "rcpt", "data", "content"}) {
        const auto past = refused(stage, std::string(stage) == "rcpt" ? kUser : "", "reject", "some-rate");
        EXPECT_THAT(told(compare(past, {}, {})), IsEmpty()) << stage;
    }
}

struct KnownCase {
    const char* when;
    bool applies;
};

TEST_F(ReplayTest, RulesGoByWhatWasToldThen) {
    auto past = taken();
    past.found.front().facts.insert(past.found.front().facts.end(), {"dnsbl.zen = 4", R"(client.name = {"unavailable": "no answer"})"});
    past.found.push_back({kUser, {"greylist_wait = 60"}});
    for (const auto& [when, applies] : {KnownCase{"dnsbl.zen >= 4", true},
                                        {"dnsbl.zen > 4", false},
                                        {"client.address in [\"192.0.2.0/24\"]", true},
                                        {"client.stranger", true},
                                        {"client.network = \"192.0.2.1\"", true},
                                        {"helo = \"mail.b.example\" and helo.is_name", true},
                                        {"helo.ours", false},
                                        {"sender.domain = \"b.example\"", true},
                                        {"sender.ours", false},
                                        {"recipient.kind = \"account\" and recipient.exists", true},
                                        {"recipient = \"u@here.example\" and recipient_count = 0", true},
                                        {"size = 2000", true},
                                        {"greylist_wait > 0", true},
                                        {"client.name unavailable", true},
                                        {"spf = \"pass\"", true},
                                        {"authenticated", false},
                                        {"client.name = \"x\" or client.stranger", true}}) {
        const auto comparison = compare(past, {}, {.rules = {listed(when)}});
        EXPECT_THAT(comparison.unjudged, IsEmpty()) << when;
        EXPECT_EQ(comparison.recipients.front().now.action == Action::reject, applies) << when;
    }
}

TEST_F(ReplayTest, WhatIsNotKeptIsTold) {
    for (const auto* when : {"dnsbl.other > 0", "client.stranger and client.name unavailable", "not sender.exists"}) {
        const auto comparison = compare(taken(), {}, {.rules = {listed(when)}});
        EXPECT_THAT(told(comparison), IsEmpty()) << when;
        EXPECT_EQ(comparison.unjudged.size(), 1U) << when;
    }
    EXPECT_THAT(compare(taken(), {}, {.rules = {listed("dnsbl.other > 0")}}).unjudged,
                ElementsAre("rule listed (n:1) asks for dnsbl.other"));
    EXPECT_THAT(compare(taken(), {}, {.rules = {listed("authenticated and dnsbl.other > 0")}}).unjudged, IsEmpty()) << "it does not matter";
}

TEST_F(ReplayTest, TheAuthorIsKnownByDomain) {
    const auto with = [](const char* when) { return Configuration{.rules = {{.name = "author", .when = when, .action = Action::reject}}}; };
    auto past = taken();
    EXPECT_EQ(compare(past, {}, with("author.ours")).unjudged.size(), 1U) << "it was not checked";
    past.found.front().facts.push_back(R"(author.domain = "here.example")");
    EXPECT_THAT(told(compare(past, {}, with("author.ours"))), ElementsAre("u@here.example: accept -> reject author"));
    EXPECT_THAT(told(compare(past, {}, with("author.domain = \"here.example\""))), ElementsAre("u@here.example: accept -> reject author"));
    EXPECT_EQ(compare(past, {}, with("author = \"x@here.example\"")).unjudged.size(), 1U);
}

TEST_F(ReplayTest, WordsOfAReplyHoldNothingUp) {
    auto rule = listed("client.stranger");
    rule.text = "{client.name} is not liked";
    EXPECT_THAT(told(compare(taken(), {}, {.rules = {rule}})), ElementsAre("u@here.example: accept -> reject listed"));
}

TEST_F(ReplayTest, ARuleThatIsGoneRefusesNoMore) {
    const auto past = refused("rcpt", kUser, "reject", "listed");
    EXPECT_THAT(told(compare(past, {.rules = {listed("dnsbl.zen > 0")}}, {})), ElementsAre("u@here.example: reject listed -> accept"));
    const auto early = refused("mail", "a@b.example", "reject", "no-domain");
    const Configuration then{.rules = {{.name = "no-domain", .stage = Stage::mail, .when = "not sender.exists", .action = Action::reject}}};
    EXPECT_THAT(told(compare(early, then, {})), ElementsAre(": reject no-domain -> accept"));
}

const RuleText kInvoice{.name = "invoice", .stage = Stage::content, .when = "header.Subject matches \"invoice\"", .action = Action::junk};

TEST_F(ReplayTest, ARuleOverWhatIsNotKeptSaysWhatItSaid) {
    auto past = taken();
    const Configuration same{.rules = {kInvoice}};
    auto comparison = compare(past, same, same);
    EXPECT_THAT(told(comparison), IsEmpty());
    EXPECT_THAT(comparison.unjudged, IsEmpty());
    past.decisions.push_back({"content", "", "junk", "invoice", ""});
    comparison = compare(past, same, same);
    EXPECT_EQ(comparison.recipients.front().now, (Fate{Action::junk, "invoice", Stage::content}));
    EXPECT_THAT(comparison.unjudged, IsEmpty());
    auto other = kInvoice;
    other.when = "header.Subject matches \"bill\"";
    comparison = compare(past, same, {.rules = {other}});
    EXPECT_THAT(told(comparison), ElementsAre("u@here.example: junk invoice -> accept"));
    EXPECT_EQ(comparison.unjudged.size(), 1U);
}

TEST_F(ReplayTest, ARuleThatWasNotComeToIsNotKnown) {
    const RuleText first{.name = "first", .stage = Stage::content, .when = "size > 1000", .action = Action::hold};
    auto past = taken();
    past.decisions.push_back({"content", "", "hold", "first", ""});
    EXPECT_THAT(compare(past, {.rules = {first, kInvoice}}, {.rules = {kInvoice}}).unjudged.size(), 1U);
    EXPECT_THAT(compare(past, {.rules = {kInvoice, first}}, {.rules = {kInvoice}}).unjudged, IsEmpty()) << "it stood in front";
}

TEST_F(ReplayTest, WhatOthersSaidStands) {
    const auto past = refused("rcpt", kUser, "defer", "recipients-of-a-login");
    EXPECT_THAT(told(compare(past, {}, {})), IsEmpty());
    const RuleText early{.name = "early", .stage = Stage::mail, .when = "client.stranger", .action = Action::reject};
    EXPECT_THAT(told(compare(past, {}, {.rules = {early}})), ElementsAre("u@here.example: defer recipients-of-a-login -> reject early"));
    auto held = taken();
    held.decisions.push_back({"content", "", "hold", "milter.x", ""});
    EXPECT_THAT(told(compare(held, {}, {})), IsEmpty());
}

TEST_F(ReplayTest, ThoseWhoWereAskedAreNotAskedAgain) {
    const RuleText outside{.name = "outside", .stage = Stage::rcpt, .ask = "pd"};
    const auto past = refused("rcpt", kUser, "defer", "outside");
    EXPECT_THAT(told(compare(past, {.rules = {outside}}, {.rules = {outside}})), IsEmpty());
    EXPECT_THAT(compare(taken(), {}, {.rules = {outside}}).unjudged, ElementsAre("rule outside (default) asks pd"));
}

TEST_F(ReplayTest, WhatTheyLeftOnTheMessageCounts) {
    const RuleText outside{.name = "outside", .stage = Stage::mail, .ask = "pd"};
    const auto over = [](const char* limit) {
        return RuleText{.name = "over", .stage = Stage::rcpt, .when = limit, .action = Action::reject};
    };
    auto past = taken();
    past.decisions.insert(past.decisions.begin(), {"mail", "", "none", "outside", "", {"score = 2.5", "tag = \"odd\"", "no fact"}});
    EXPECT_THAT(told(compare(past, {.rules = {outside}}, {.rules = {outside, over("score > 2.5")}})), IsEmpty());
    for (const auto* limit : {"score >= 2.5", "tags = \"odd\""})
        EXPECT_THAT(told(compare(past, {.rules = {outside}}, {.rules = {outside, over(limit)}})),
                    ElementsAre(std::string(kUser) + ": accept -> reject over"));
}

TEST_F(ReplayTest, RelayingGoesByTheNewConfiguration) {
    auto past = taken();
    past.parties.recipients = {"x@far.example"};
    past.decisions.front() = {"rcpt", "x@far.example", "accept", "relay.domains", ""};
    EXPECT_THAT(told(compare(past, {.domains = {"far.example"}}, {})), ElementsAre("x@far.example: accept -> reject relay"));
    EXPECT_THAT(told(compare(past, {.domains = {"far.example"}}, {.networks = {"192.0.2.0/24"}})), IsEmpty());
    const auto stranger = refused("rcpt", "x@far.example", "reject", "relay");
    EXPECT_THAT(told(compare(stranger, {}, {.domains = {"far.example"}})), ElementsAre("x@far.example: reject relay -> accept"));
    EXPECT_THAT(told(compare(taken(), {}, {.rules = {listed("client.stranger")}, .networks = {"192.0.2.1"}})), IsEmpty());
}

TEST_F(ReplayTest, SendersGoByTheNewConfiguration) {
    auto past = refused("mail", "v@here.example", "reject", "sender-ownership");
    past.parties.listener = "submission";
    past.parties.login = kUser;
    past.parties.sender = "v@here.example";
    EXPECT_THAT(told(compare(past, {}, {})), IsEmpty());
    EXPECT_THAT(told(compare(past, {}, {.senders = SenderScope::domain})), ElementsAre(": reject sender-ownership -> accept"));
}

TEST_F(ReplayTest, AuthenticationIsDecidedAnewIfItChanged) {
    auto past = taken();
    past.decisions.back() = {"content", "", "junk", "authentication.dmarc_quarantine", ""};
    past.found.front().facts = {R"(dmarc = "fail")", R"(dmarc.policy = "quarantine")", R"(spf = "fail")"};
    EXPECT_THAT(told(compare(past, {}, {})), IsEmpty());
    AuthenticationRules strict;
    strict.quarantine = AuthenticationRules::Quarantine::reject;
    EXPECT_THAT(told(compare(past, {}, {.authentication = strict})),
                ElementsAre("u@here.example: junk authentication.dmarc_quarantine -> reject authentication.dmarc"));
    AuthenticationRules mild;
    mild.dmarc = AuthenticationRules::OnDmarcFail::mark;
    EXPECT_THAT(told(compare(past, {}, {.authentication = mild})),
                ElementsAre("u@here.example: junk authentication.dmarc_quarantine -> accept"));
    EXPECT_THAT(told(compare(taken(), {}, {.authentication = strict})), IsEmpty());
}

TEST_F(ReplayTest, EachRecipientHasItsFate) {
    auto past = taken();
    past.decisions.insert(past.decisions.begin() + 1, {{"rcpt", "v@here.example", "accept", "local-recipient", ""},
                                                       {"rcpt", "w@here.example", "reject", "local-recipient", ""}});
    const Configuration now{
        .rules = {
            {.name = "not-v", .stage = Stage::rcpt, .when = "recipient = \"v@here.example\"", .action = Action::redirect, .to = kUser},
            {.name = "two", .stage = Stage::data, .when = "recipient_count = 2", .action = Action::hold}}};
    EXPECT_THAT(told(compare(past, {}, now)), ElementsAre("u@here.example: accept -> hold two", "v@here.example: accept -> hold two"));
    const Configuration one{.rules = {now.rules.front()}};
    EXPECT_THAT(told(compare(past, {}, one)), ElementsAre("v@here.example: accept -> redirect not-v"));
}

TEST_F(ReplayTest, MarksAddUpOverTheStages) {
    const Configuration now{.rules = {{.name = "a", .stage = Stage::connect, .when = "client.stranger", .score = 2},
                                      {.name = "b", .stage = Stage::rcpt, .when = "recipient.kind = \"account\"", .score = 3},
                                      {.name = "sum", .stage = Stage::content, .when = "score >= 5", .action = Action::junk}}};
    EXPECT_THAT(told(compare(taken(), {}, now)), ElementsAre("u@here.example: accept -> junk sum"));
}

TEST_F(ReplayTest, WhatCameBeforeTheRulesComesBeforeThemAgain) {
    const Configuration same{.rules = {{.name = "size", .when = "size > 1000", .action = Action::reject}}};
    EXPECT_THAT(told(compare(refused("content", "", "reject", "milter.x"), same, same)), IsEmpty());
    auto guessed = refused("rcpt", "nobody@here.example", "disconnect", "unknown-recipients");
    EXPECT_THAT(told(compare(guessed, same, same)), IsEmpty());
}

TEST_F(ReplayTest, OneWhoWasAskedAndRedirectedDoesSoAgain) {
    const RuleText outside{.name = "outside", .stage = Stage::rcpt, .ask = "pd"};
    auto past = taken();
    past.decisions.insert(past.decisions.begin(), {"rcpt", kUser, "redirect", "outside", ""});
    EXPECT_THAT(told(compare(past, {.rules = {outside}}, {.rules = {outside}})), IsEmpty());
}

TEST_F(ReplayTest, ARefusedWayBackStaysRefused) {
    EXPECT_THAT(told(compare(refused("rcpt", "SRS0=x=y=b.example=a@here.example", "reject", "forwarding.srs"), {}, {})), IsEmpty());
}

TEST_F(ReplayTest, TheWayBackOfForwardedMailIsNoRecipient) {
    auto past = taken();
    past.decisions.front() = {"rcpt", "SRS0=x=y=b.example=a@here.example", "accept", "forwarding.srs", ""};
    EXPECT_THAT(told(compare(past, {}, {.rules = {listed("client.stranger")}})), IsEmpty());
}

}  // namespace
}  // namespace thurn::policy
