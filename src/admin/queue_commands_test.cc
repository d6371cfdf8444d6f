#include "admin/queue_commands.h"

#include "spool/memory_spool.h"
#include "support/fake_clock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace thurn::admin {
namespace {

namespace json = boost::json;
using testing::HasSubstr;

mail::Mailbox mailbox(std::string_view text) { return mail::parse_mailbox(text, mail::Charset::ascii).value(); }

class QueueCommandsTest : public testing::Test {
protected:
    base::MessageId put(std::string_view from, const std::vector<std::string>& to, std::string_view site = {},
                        std::string_view login = {}) {
        const auto id = ids_.next();
        auto draft = spool_.draft(id);
        EXPECT_TRUE(draft->append("Subject: x\r\n\r\n"));
        spool::Envelope envelope;
        envelope.login = login;
        if (!from.empty()) envelope.sender.mailbox = mailbox(from);
        for (const auto& one : to) {
            spool::Recipient recipient;
            recipient.mailbox = mailbox(one);
            recipient.state.site = site;
            recipient.state.due = clock_.now();
            envelope.recipients.push_back(std::move(recipient));
        }
        spool_.commit(std::move(draft), std::move(envelope), [](base::Result<spool::StoredMessage> stored) { EXPECT_TRUE(stored); });
        return id;
    }
    void set(base::MessageId id, std::uint32_t index, spool::Standing standing, std::string status) {
        auto state = spool_.load(id)->envelope.recipients.at(index).state;
        state.standing = standing;
        state.last_status = std::move(status);
        ++state.attempts;
        spool_.update({{.id = id, .index = index, .state = std::move(state), .expansion = {}}}, spool::Sync::no, {});
    }
    std::vector<std::string> listed(const QueueFilter& filter) {
        const auto list = list_queue(spool_, filter, why_at_rest).value();
        std::vector<std::string> ids;
        for (const auto& message : list.as_array()) ids.emplace_back(message.at("id").as_string());
        return ids;
    }

    support::FakeClock clock_;
    base::MessageIdSource ids_{clock_, 0, {}};
    spool::MemorySpool spool_;
};

TEST_F(QueueCommandsTest, ListsWhatWaitsWithItsReason) {
    const auto id = put("anna@here.example", {"bob@there.example", "carl@there.example"});
    set(id, 0, spool::Standing::delivered, "250 ok");
    set(id, 1, spool::Standing::waiting, "451 4.7.1 greylisted");
    const auto list = list_queue(spool_, {}, why_at_rest).value();
    ASSERT_EQ(list.as_array().size(), 1);
    const auto& message = list.as_array()[0].as_object();
    EXPECT_EQ(message.at("id").as_string(), id.text());
    EXPECT_EQ(message.at("from").as_string(), "anna@here.example");
    ASSERT_EQ(message.at("recipients").as_array().size(), 1);
    const auto& recipient = message.at("recipients").as_array()[0].as_object();
    EXPECT_EQ(recipient.at("address").as_string(), "carl@there.example");
    EXPECT_EQ(recipient.at("state").as_string(), "waiting");
    EXPECT_EQ(recipient.at("reason").as_string(), "deferred: 451 4.7.1 greylisted");
    EXPECT_TRUE(recipient.contains("until"));
}

TEST_F(QueueCommandsTest, FiltersBySenderRecipientAndSite) {
    const auto first = put("anna@here.example", {"bob@there.example"}, "MX a").text();
    const auto second = put("", {"carl@other.example", "dora@there.example"}, "MX b").text();
    using testing::ElementsAre;
    EXPECT_THAT(listed({}), ElementsAre(first, second));
    EXPECT_THAT(listed({.from = "", .to = "BOB@there.example", .site = ""}), ElementsAre(first));
    EXPECT_THAT(listed({.from = "", .to = "@THERE.example", .site = ""}), ElementsAre(first, second));
    EXPECT_THAT(listed({.from = "", .to = "@ere.example", .site = ""}), ElementsAre());
    EXPECT_THAT(listed({.from = "", .to = "", .site = "MX b"}), ElementsAre(second));
    EXPECT_THAT(listed({.from = "anna@here.example", .to = "", .site = ""}), ElementsAre(first));
    EXPECT_THAT(listed({.from = "@here.example", .to = "", .site = ""}), ElementsAre(first));
    EXPECT_THAT(listed({.from = "<>", .to = "", .site = ""}), ElementsAre(second));
    EXPECT_THAT(listed({.from = "anna@here.example", .to = "@other.example", .site = ""}), ElementsAre());
    EXPECT_THAT(listed({.from = "", .to = "", .site = "", .limit = 1}), ElementsAre(first));
}

TEST_F(QueueCommandsTest, FindsASiteByOneOfItsHosts) {
    const auto both = put("anna@here.example", {"bob@there.example"}, "MX a.example, b.example").text();
    const auto tls = put("anna@here.example", {"bob@there.example"}, "MX c.example with tls=verify").text();
    const auto host = put("anna@here.example", {"bob@there.example"}, "relay.example port 587 with tls=verify").text();
    put("anna@here.example", {"bob@there.example"});
    using testing::ElementsAre;
    for (const auto* name : {"MX a.example, b.example", "a.example", "B.example"})
        EXPECT_THAT(listed({.from = "", .to = "", .site = name}), ElementsAre(both)) << name;
    EXPECT_THAT(listed({.from = "", .to = "", .site = "relay.example"}), ElementsAre(host));
    EXPECT_THAT(listed({.from = "", .to = "", .site = "c.example"}), ElementsAre(tls));
    for (const auto* word : {"mx", "port", "587", "with", "tls=verify", "there.example"})
        EXPECT_THAT(listed({.from = "", .to = "", .site = word}), ElementsAre()) << word;
    EXPECT_THAT(listed({.from = "", .to = "", .site = "example"}), ElementsAre());
}

TEST_F(QueueCommandsTest, ListsBeyondOnePage) {
    for (int k = 0; k < 1200; ++k) put("anna@here.example", {"bob@there.example"});
    EXPECT_EQ(listed({.from = "", .to = "", .site = "", .limit = 5000}).size(), 1200);
    EXPECT_EQ(listed({}).size(), 1000);
}

TEST_F(QueueCommandsTest, ListsWhatIsHeldAlone) {
    put("anna@here.example", {"bob@there.example"});
    const auto held = put("anna@here.example", {"bob@there.example", "carl@other.example"});
    set(held, 1, spool::Standing::held, "held: odd");
    const auto ids = [&](const QueueFilter& filter) {
        boost::json::object request;
        write_filter(filter, request);
        return list_queue(spool_, read_filter(request), why_at_rest)->as_array().size();
    };
    EXPECT_EQ(ids({}), 2);
    EXPECT_EQ(ids({.which = QueueFilter::Which::held}), 1);
    EXPECT_EQ(ids({.to = "@other.example", .which = QueueFilter::Which::held}), 1);
    EXPECT_EQ(ids({.to = "bob@there.example", .which = QueueFilter::Which::held}), 0) << "that recipient is not";
}

TEST_F(QueueCommandsTest, FindsWhatALoginSubmittedWhateverTheSender) {
    const auto first = put("anna@here.example", {"bob@there.example"}, "", "Anna@here.example");
    const auto held = put("", {"bob@there.example"}, "", "anna@here.example");
    put("anna@here.example", {"bob@there.example"});
    put("anna@here.example", {"bob@there.example"}, "", "carl@here.example");
    set(held, 0, spool::Standing::held, "");
    EXPECT_EQ(listed({.login = "anna@HERE.example"}), (std::vector{first.text(), held.text()}));
    EXPECT_EQ(listed({.login = "anna@here.example", .which = QueueFilter::Which::held}), std::vector{held.text()});
}

TEST_F(QueueCommandsTest, ShowsAllRecipientsOfOneMessage) {
    const auto id = put("anna@here.example", {"bob@there.example", "carl@there.example"});
    set(id, 0, spool::Standing::delivered, "250 ok");
    set(id, 1, spool::Standing::held, "");
    const auto message = show_message(spool_, id, why_at_rest).value();
    const auto& recipients = message.at("recipients").as_array();
    ASSERT_EQ(recipients.size(), 2);
    EXPECT_EQ(recipients[0].at("state").as_string(), "delivered");
    EXPECT_FALSE(recipients[0].as_object().contains("reason"));
    EXPECT_EQ(recipients[1].at("reason").as_string(), "held by the operator");
    set(id, 1, spool::Standing::held, "held: odd: score = 3");
    EXPECT_EQ(show_message(spool_, id, why_at_rest)->at("recipients").at(1).at("reason").as_string(), "held: odd: score = 3");
    EXPECT_EQ(show_message(spool_, ids_.next(), why_at_rest).error().kind, base::ErrorKind::not_found);
}

TEST_F(QueueCommandsTest, FiltersSurviveTheWayToTheServer) {
    json::object request;
    write_filter({.from = "a@b", .to = "@c", .site = "s", .limit = 7}, request);
    const auto filter = read_filter(request);
    EXPECT_EQ(filter.from, "a@b");
    EXPECT_EQ(filter.to, "@c");
    EXPECT_EQ(filter.site, "s");
    EXPECT_EQ(filter.limit, 7);
}

TEST_F(QueueCommandsTest, BadFiltersDoNotMatter) {
    for (const json::value& limit : {json::value(-1), json::value(1.5), json::value("x"), json::value(1e300), json::value(nullptr)})
        EXPECT_EQ(read_filter({{"limit", limit}, {"from", 5}}).limit, 1000) << limit;
}

TEST_F(QueueCommandsTest, NamesItsChanges) {
    EXPECT_EQ(parse_change("hold").value(), delivery::Change::hold);
    EXPECT_EQ(parse_change("delete").value(), delivery::Change::remove);
    EXPECT_THAT(parse_change("explode").error().detail, HasSubstr("explode"));
}

TEST_F(QueueCommandsTest, RendersStats) {
    put("anna@here.example", {"bob@there.example"});
    const auto stats = render_stats(spool_.stats());
    EXPECT_EQ(stats.at("messages").to_number<int>(), 1);
}

}  // namespace
}  // namespace thurn::admin
