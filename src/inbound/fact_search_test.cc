#include "inbound/fact_search.h"

#include "net/loops.h"
#include "support/conversation_fixture.h"
#include "support/dns_server.h"

#include <atomic>
#include <future>

#include <boost/asio/use_future.hpp>

namespace thurn::inbound {
namespace {

using dns::Type;
using policy::FactValue;

constexpr std::chrono::seconds kLong{600};

std::string addresses(const test::DnsServer::Query& query, std::string_view octets) {
    return test::PacketBuilder(query.id, 0, query.name, query.type).answer(query.name, query.type, 60, octets).packet();
}

bool is_about(const test::DnsServer::Query& query, Type type) { return query.type == static_cast<unsigned>(type); }

/// Tells of each answer that came.
class Watched final : public policy::Lookup {
public:
    Watched(std::unique_ptr<Lookup> watched, std::size_t& heard) : watched_(std::move(watched)), heard_(heard) {}
    [[nodiscard]] std::vector<dns::Question> questions() const override { return watched_->questions(); }
    void answer(const dns::Question& question, const dns::Answer& answer) override {
        watched_->answer(question, answer);
        ++heard_;
    }
    [[nodiscard]] FactValue take() override { return watched_->take(); }

private:
    std::unique_ptr<Lookup> watched_;
    std::size_t& heard_;
};

/// Gives up as soon as the first answer was heard.
asio::awaitable<FactValue> async_until_first_answer(net::Resolver& resolver, std::unique_ptr<policy::Lookup> lookup) {
    std::size_t heard = 0;
    std::vector<std::unique_ptr<policy::Lookup>> lookups;
    lookups.push_back(std::make_unique<Watched>(std::move(lookup), heard));
    const auto executor = co_await asio::this_coro::executor;
    FactSearch search(executor, &resolver, std::move(lookups));
    asio::steady_timer step(executor);
    while (heard == 0) {
        step.expires_after(std::chrono::milliseconds(1));
        co_await step.async_wait(asio::use_awaitable);
    }
    auto values = co_await search.async_finish(std::chrono::steady_clock::now());
    co_return std::move(values.front());
}

/// `alive` and `dead`, both in order.
void add_two_lists(policy::DnsblSet& set) {
    set.add({.name = "alive", .zone = "alive.example", .weight = 3});
    set.add({.name = "dead", .zone = "dead.example", .weight = 5});
    dns::Answer listed;
    listed.status = dns::Status::ok;
    listed.records = {std::get<dns::Ipv4>(*dns::parse_ip("127.0.0.2"))};
    dns::Answer unlisted;
    unlisted.status = dns::Status::no_name;
    for (const auto& list : set.all()) list->take_test({listed, unlisted});
}

std::unique_ptr<policy::Lookup> look_up(const char* fact, policy::Subject subject, const policy::DnsblSet& lists = {}) {
    return policy::begin_lookup({policy::find_fact_kind(fact), fact}, subject, lists);
}

/// The server answers what the handler does, and is silent about the rest.
class FactSearchTest : public testing::Test {
protected:
    explicit FactSearchTest(test::DnsServer::Handler handler = {}) : dns_(std::move(handler)) { loops_.start(); }
    ~FactSearchTest() override {
        resolver_->stop();
        loops_.halt();
        loops_.stop();
    }
    FactValue wait_for(asio::awaitable<FactValue> fact) { return asio::co_spawn(loops_.loop(0), std::move(fact), asio::use_future).get(); }
    test::DnsServer dns_;
    std::unique_ptr<net::Resolver> resolver_ = *net::Resolver::start({.servers = {dns_.address()}, .dnssec = false});
    net::Loops loops_{1};
};

class OneDeadListTest : public FactSearchTest {
protected:
    OneDeadListTest()
        : FactSearchTest([](const test::DnsServer::Query& query) -> std::optional<std::string> {
              if (query.name.ends_with("dead.example")) return std::nullopt;
              return addresses(query, {"\x7f\0\0\2", 4});
          }) {}
};

TEST_F(OneDeadListTest, TheOthersCount) {
    policy::DnsblSet lists;
    add_two_lists(lists);
    EXPECT_EQ(wait_for(async_until_first_answer(*resolver_, look_up("dnsbl_score", {.client_address = "192.0.2.7"}, lists))),
              FactValue(3.0));
}

class OnlyMxTest : public FactSearchTest {
protected:
    OnlyMxTest()
        : FactSearchTest([](const test::DnsServer::Query& query) -> std::optional<std::string> {
              if (!is_about(query, Type::mx)) return std::nullopt;
              return addresses(query, test::mx_rdata(10, "mx.mail.example"));
          }) {}
};

TEST_F(OnlyMxTest, AnMxIsEnough) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(15);
    EXPECT_EQ(wait_for(async_find_out(resolver_.get(), look_up("sender.exists", {.sender_domain = "mail.example"}), deadline)),
              FactValue(true));
}

TEST_F(OnlyMxTest, WhatNobodyAnsweredIsUnavailable) {
    const auto now = std::chrono::steady_clock::now();
    EXPECT_EQ(wait_for(async_find_out(resolver_.get(), look_up("helo.exists", {.helo = "mail.example"}), now)),
              FactValue(policy::Unavailable{"not answered in time"}));
    EXPECT_EQ(wait_for(async_find_out(nullptr, look_up("helo.exists", {.helo = "mail.example"}), now + kLong)),
              FactValue(policy::Unavailable{"there is no resolver"}));
}

/// Rules that look up something in a conversation.
class RulesThatWaitTest : public ConversationTest {
protected:
    RulesThatWaitTest() {
        add_two_lists(book_->lists);
        options_.relay_domains = {"far.example"};
    }
    ~RulesThatWaitTest() override { resolver_held_->stop(); }
    void use(const char* when) {
        EXPECT_TRUE(book_->rules.add(
            {.name = "rule" + std::to_string(++rules_), .stage = policy::Stage::rcpt, .when = when, .action = policy::Action::reject}));
    }
    std::string rcpt(const char* recipient) {
        options_.rulebook = book_;
        resolver_ = resolver_held_.get();
        start();
        auto client = greeted();
        EXPECT_THAT(client->ask("MAIL FROM:<carl@there.example>"), StartsWith("250 "));
        return client->ask(fmt::format("RCPT TO:<{}>", recipient));
    }
    test::DnsServer dns_{[](const test::DnsServer::Query& query) -> std::optional<std::string> {
        if (query.name.ends_with("dead.example")) return std::nullopt;
        return addresses(query, {"\x7f\0\0\2", 4});
    }};
    std::unique_ptr<net::Resolver> resolver_held_ = *net::Resolver::start({.servers = {dns_.address()}, .dnssec = false});
    std::shared_ptr<policy::Rulebook> book_ = std::make_shared<policy::Rulebook>();
    int rules_ = 0;
};

TEST_F(RulesThatWaitTest, AStageHasOneTimeLimitForAllOfThem) {
    book_->time_limit = std::chrono::seconds(1);
    use("dnsbl.dead > 0");
    use("dnsbl.alive unavailable");
    EXPECT_EQ(rcpt("anna@here.example"), "550 5.7.1 refused by a rule of this server (rule2)") << "the first one took all of the time";
}

/// Answers once DNS was asked, too.
asio::awaitable<base::Result<bool>> async_after_dns(const test::DnsServer& dns, std::chrono::seconds limit) {
    asio::steady_timer step(co_await asio::this_coro::executor);
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (dns.queries() == 0 && std::chrono::steady_clock::now() < deadline) {
        step.expires_after(std::chrono::milliseconds(1));
        co_await step.async_wait(asio::use_awaitable);
    }
    if (dns.queries() == 0) co_return base::fail(base::ErrorKind::timed_out, "DNS was not asked meanwhile");
    co_return true;
}

TEST_F(RulesThatWaitTest, TheNextHopAndDnsAreAskedAtTheSameTime) {
    use("recipient.exists and dnsbl.alive > 0");
    ask_next_hop_ = [this](const mail::Mailbox&, std::chrono::seconds limit) { return async_after_dns(dns_, limit); };
    EXPECT_EQ(rcpt("carla@far.example"), "550 5.7.1 refused by a rule of this server (rule1)");
}

}  // namespace
}  // namespace thurn::inbound
