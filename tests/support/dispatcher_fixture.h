#pragma once

#include "delivery/dispatcher.h"
#include "mail/mailbox.h"
#include "net/resolver.h"
#include "spool/memory_spool.h"
#include "support/fake_clock.h"
#include "support/fake_random.h"
#include "support/memory_directory.h"
#include "support/memory_journal.h"
#include "support/scripted_peer.h"

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

// What the tests of the dispatcher share: a whole one over a spool in memory that fails when told, and the steps of a ScriptedPeer's talk.
namespace thurn::delivery {

namespace asio = boost::asio;
namespace fs = std::filesystem;
using spool::Standing;
using support::ScriptedPeer;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

inline mail::Mailbox mailbox(std::string_view text) { return mail::parse_mailbox(text, mail::Charset::ascii).value(); }

/// Waits for what other threads do; the test fails when it does not come.
template <class Condition>
testing::AssertionResult eventually(Condition condition) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (std::chrono::steady_clock::now() < until) {
        if (condition()) return testing::AssertionSuccess();
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return testing::AssertionFailure() << "it did not come to pass";
}

/// A spool whose disk fails for changes as often as it is told, and that counts them.
class FaultySpool final : public spool::Spool {
public:
    std::unique_ptr<spool::Draft> draft(base::MessageId id) override { return memory.draft(id); }
    void commit(std::unique_ptr<spool::Draft> draft, spool::Envelope envelope, Committed done) override {
        memory.commit(std::move(draft), std::move(envelope), std::move(done));
    }
    void update(std::vector<spool::RecipientUpdate> updates, spool::Sync sync, Updated done) override {
        ++update_calls;
        if (failing_updates) return done(base::fail(base::ErrorKind::disk, "told to fail"));
        memory.update(std::move(updates), sync, std::move(done));
    }
    base::Result<spool::StoredMessage> load(base::MessageId id) override {
        if (failing_loads > 0 && failing_loads-- > 0) return base::fail(base::ErrorKind::disk, "told to fail");
        if (damaged) return base::fail(base::ErrorKind::corrupt, "told to be");
        if (throwing_loads > 0 && throwing_loads-- > 0) throw std::bad_alloc();
        return memory.load(id);
    }
    base::Result<std::vector<spool::DueRecipient>> due(base::Time until, const spool::DueRecipient* after, std::size_t limit) override {
        return memory.due(until, after, limit);
    }
    base::Result<std::vector<spool::Listed>> list(base::MessageId after, std::size_t limit) override { return memory.list(after, limit); }
    spool::SpoolStats stats() override { return memory.stats(); }
    base::MessageId newest() override { return memory.newest(); }
    bool has_room() const override { return memory.has_room(); }

    spool::MemorySpool memory;
    std::atomic<int> update_calls = 0;
    std::atomic<bool> failing_updates = false;
    std::atomic<int> failing_loads = 0;
    std::atomic<int> throwing_loads = 0;
    std::atomic<bool> damaged = false;
};

class DispatcherTest : public testing::Test {
protected:
    // The beginning of each conversation with a server, and one message it answers as told.
    static inline const std::string kHello = "S: 220 mx ESMTP\nC: EHLO\nS: 250-mx\nS: 250 PIPELINING\n";
    static inline const std::string kEnvelope = "C: MAIL FROM\nC: RCPT TO\nC: DATA\nS: 250 2.1.0 ok\nS: 250 2.1.5 ok\nS: 354 go on\n";
    static inline const std::string kTaken = kEnvelope + "D:\nS: 250 2.0.0 taken\n";
    static inline const std::string kQuit = "C: QUIT\nS: 221 bye\n";
    static inline const std::string kBusy = "S: 421 4.3.2 busy\n";

    DispatcherTest() {
        std::string name = (fs::temp_directory_path() / "thurn-dispatcher-XXXXXX").string();
        root_ = ::mkdtemp(name.data());
        directory_.add_domain("here.example");
        directory_.add_account("anna@here.example");
        directory_.add_account("bob@here.example");
        options_.hostname = "mx.here.example";
        options_.postmaster = "postmaster@here.example";
        options_.sweep_every = std::chrono::milliseconds(2);
        options_.retry.steps = {std::chrono::minutes(5), std::chrono::minutes(10)};
        options_.retry.jitter_percent = 0;
    }
    ~DispatcherTest() override {
        if (dispatcher_) {
            stop();
            loops_.halt();
            pool_.stop();
            resolver_->stop();
            loops_.stop();
        }
        std::error_code ignored;
        fs::remove_all(root_, ignored);
    }

    /// Mail for there.example goes to that port.
    void start(std::uint16_t port = 1) {
        resolver_ = net::Resolver::start({.servers = {dns_}, .dnssec = false}).value();
        rules_.push_back({.sender = {},
                          .sender_domain = {},
                          .recipient = {},
                          .recipient_domain = "there.example",
                          .hop = route::ToHost{"127.0.0.1", port, false, route::TlsDemand::none, ""},
                          .origin = "test:1"});
        rules_.push_back({.sender = {},
                          .sender_domain = {},
                          .recipient = {},
                          .recipient_domain = "dust.example",
                          .hop = route::Discarded{},
                          .origin = "test:2"});
        Carriers carriers{
            .options = std::make_shared<const DispatcherOptions>(options_),
            .router = std::make_shared<const route::Router>(rules_, directory_),
            .sites = std::make_shared<SiteFinder>(*resolver_, random_, SiteFinder::Options{},
                                                  [](const std::string&) -> base::Result<smtp::ClientCredentials> { return {}; }),
            .smtp = std::make_shared<const SmtpCourier>(SmtpCourierOptions{.hello_name = "mx.here.example"}, nullptr, nullptr, pool_, log_),
            .maildir = std::make_shared<const Maildir>(
                MaildirOptions{.path_template = (root_ / "{local}").string(), .hostname = "mx.here.example", .started = clock_.now()})};
        dispatcher_ = std::make_unique<Dispatcher>(DispatcherDependencies{.spool = spool_,
                                                                          .journal = journal_,
                                                                          .log = log_,
                                                                          .clock = clock_,
                                                                          .random = random_,
                                                                          .ids = ids_,
                                                                          .loops = loops_,
                                                                          .pool = pool_,
                                                                          .directory = directory_},
                                                   queue::SchedulerOptions{}, std::move(carriers), loops_.loop(0).get_executor());
        dispatcher_->start();
        loops_.start();
    }
    void stop() { asio::co_spawn(dispatcher_->home(), dispatcher_->async_stop(grace_), asio::use_future).get(); }

    enum class HandOver { now, by_sweep };
    base::MessageId send(std::string_view from, const std::vector<std::string>& to, HandOver hand_over = HandOver::now) {
        const auto id = ids_.next();
        auto draft = spool_.draft(id);
        EXPECT_TRUE(draft->append("Subject: test\r\n\r\nHello.\r\n"));
        spool::Envelope envelope;
        if (!from.empty()) envelope.sender.mailbox = mailbox(from);
        envelope.wishes = wishes_;
        envelope.junk = junk_;
        for (const auto& one : to) {
            spool::Recipient recipient;
            recipient.mailbox = mailbox(one);
            recipient.state.due = clock_.now();
            recipient.state.standing = standing_;
            envelope.recipients.push_back(std::move(recipient));
        }
        spool_.commit(std::move(draft), std::move(envelope), [&](base::Result<spool::StoredMessage> stored) {
            if (hand_over == HandOver::now) dispatcher_->accept(*std::move(stored));
        });
        return id;
    }
    std::optional<spool::RecipientState> state(base::MessageId id, std::size_t index = 0) {
        auto loaded = spool_.memory.load(id);
        if (!loaded) return std::nullopt;
        return loaded->envelope.recipients.at(index).state;
    }
    bool deferred(base::MessageId id, std::uint32_t attempts, std::size_t index = 0) {
        const auto now = state(id, index);
        return now && now->standing == Standing::waiting && now->attempts >= attempts && now->due > clock_.now();
    }
    bool gone(base::MessageId id) { return !spool_.memory.load(id); }
    bool all_gone() { return spool_.stats().messages == 0 && active() == 0; }
    std::size_t active() {
        return asio::co_spawn(
                   dispatcher_->home(), [](Dispatcher& of) -> asio::awaitable<std::size_t> { co_return of.active(); }(*dispatcher_),
                   asio::use_future)
            .get();
    }
    base::Result<std::size_t> change(base::MessageId id, Change what) {
        return asio::co_spawn(dispatcher_->home(), dispatcher_->async_change(id, what), asio::use_future).get();
    }
    /// The messages in somebody's mailbox.
    std::vector<std::string> mail_of(const std::string& local) {
        std::vector<std::string> found;
        std::error_code none_yet;
        for (const auto& entry : fs::directory_iterator(root_ / local / "new", none_yet)) {
            std::ifstream in(entry.path(), std::ios::binary);
            found.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
        }
        return found;
    }

    fs::path root_;
    std::string dns_ = "127.0.0.1:1";
    std::chrono::milliseconds grace_ = std::chrono::seconds(10);
    support::FakeClock clock_;
    support::FakeRandom random_;
    support::MemoryDirectory directory_{"mx.here.example"};
    FaultySpool spool_;
    support::MemoryJournal journal_;
    base::NullLog log_;
    base::MessageIdSource ids_{clock_, 0, {}};
    net::Loops loops_{2};
    net::BlockingPool pool_{2};
    spool::Wishes wishes_;  // of what is sent
    Standing standing_ = Standing::waiting;
    bool junk_ = false;
    DispatcherOptions options_;
    std::vector<route::RouteRule> rules_;
    std::unique_ptr<net::Resolver> resolver_;
    std::unique_ptr<Dispatcher> dispatcher_;
};

}  // namespace thurn::delivery
