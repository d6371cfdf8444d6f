#pragma once

#include "delivery/smtp_courier.h"
#include "mail/mailbox.h"
#include "support/held_content.h"
#include "support/loopback.h"
#include "support/scripted_peer.h"
#include "support/tls_files.h"

#include <atomic>
#include <deque>
#include <functional>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

// What the tests of the SMTP courier share: a source of parcels, and the steps of an ordinary conversation for a ScriptedPeer.
namespace thurn::delivery {
namespace asio = boost::asio;
using Kind = RecipientOutcome::Kind;
using support::HeldContent;
using support::ScriptedPeer;
using support::UnreadableContent;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

// The beginning and the steps of an ordinary conversation.
inline const std::string kHello = "S: 220 mx ESMTP\nC: EHLO client.example\nS: 250-mx\nS: 250-PIPELINING\nS: 250-8BITMIME\nS: 250 SIZE\n";
inline const std::string kPlainHello = "S: 220 mx ESMTP\nC: EHLO client.example\nS: 250 mx\n";
inline const std::string kEnvelope =
    "C: MAIL FROM:<alice@example.org>\nC: RCPT TO:<bob@example.com>\nC: DATA\nS: 250 2.1.0 ok\nS: 250 2.1.5 ok\nS: 354 go on\n";
inline const std::string kContent = "D:\nS: 250 2.0.0 taken\n";
inline const std::string kQuit = "C: QUIT\nS: 221 bye\n";

struct Settled {
    Parcel parcel;
    std::vector<RecipientOutcome> outcomes;
};

/// Parcels from a list; what becomes of them is kept.
class FakeSource final : public ParcelSource {
public:
    asio::awaitable<std::optional<Parcel>> async_next(std::chrono::milliseconds) override {
        if (before_next) before_next();
        if (parcels.empty()) co_return std::nullopt;
        auto parcel = std::move(parcels.front());
        parcels.pop_front();
        co_return parcel;
    }
    asio::awaitable<void> async_mark_in_doubt(const Parcel& parcel) override {
        ++marked;
        EXPECT_FALSE(parcel.recipients.empty());
        if (gate) {
            gate->expires_at(asio::steady_timer::time_point::max());
            co_await gate->async_wait(asio::as_tuple(asio::use_awaitable));
        }
        ++marks_written;
    }
    void attempted(const Parcel&, Attempt attempt) override { attempts.push_back(std::move(attempt)); }
    void settled(Parcel parcel, std::vector<RecipientOutcome> outcomes) override {
        EXPECT_EQ(marks_written, marked) << "settled before its mark was written";
        EXPECT_EQ(parcel.recipients.size(), outcomes.size());
        settlements.push_back({std::move(parcel), std::move(outcomes)});
    }

    std::function<void()> before_next;
    std::deque<Parcel> parcels;
    std::vector<Attempt> attempts;
    std::vector<Settled> settlements;
    int marked = 0;
    int marks_written = 0;
    std::unique_ptr<asio::steady_timer> gate;
};

inline mail::Mailbox mailbox(std::string local, std::string_view domain) { return {std::move(local), mail::parse_domain(domain).value()}; }

class SmtpCourierTest : public testing::Test {
protected:
    static std::shared_ptr<const net::TlsContext> careless() {
        static const auto context = test::TlsFiles::careless_client();  // reads all the system's roots
        return context;
    }
    static std::shared_ptr<spool::StoredMessage> message(std::shared_ptr<const spool::Content> content, std::size_t recipients = 1) {
        auto made = std::make_shared<spool::StoredMessage>();
        made->envelope.sender.mailbox = mailbox("alice", "example.org");
        for (std::size_t k = 0; k < recipients; ++k)
            made->envelope.recipients.push_back(
                {.mailbox = mailbox(k == 0 ? "bob" : "bob" + std::to_string(k), "example.com"), .original = {}, .state = {}});
        made->content = std::move(content);
        return made;
    }
    static std::shared_ptr<spool::StoredMessage> message(std::string content = "Subject: x\r\n\r\nhello\r\n", std::size_t recipients = 1) {
        return message(std::make_shared<HeldContent>(std::move(content)), recipients);
    }
    void add(std::shared_ptr<const spool::StoredMessage> stored) {
        Parcel parcel{.message = std::move(stored), .recipients = {}, .accounts = {}};
        for (std::uint32_t k = 0; k < parcel.message->envelope.recipients.size(); ++k) parcel.recipients.push_back(k);
        source_->parcels.push_back(std::move(parcel));
    }
    void add_host(std::uint16_t port, std::string name = "mx.example") {
        destination_.hosts.addresses.push_back({std::move(name), dns::Ipv4{{127, 0, 0, 1}}, port});
    }
    /// Carries all parcels to the peers, and waits for those.
    queue::SiteOutcome carry(std::initializer_list<ScriptedPeer*> peers) {
        int number = 1;
        for (auto* peer : peers) add_host(peer->port(), "mx" + std::to_string(number++) + ".example");
        SmtpCourier courier(options_, careless(), verifying_, pool_, log_);
        auto destination = std::make_shared<const Destination>(destination_);
        const auto outcome = test::run_on(loop_, courier.async_carry(destination, source_));
        given_up_ = true;
        for (auto* peer : peers) peer->finish();
        return outcome;
    }
    const RecipientOutcome& outcome(std::size_t parcel = 0, std::size_t recipient = 0) const {
        return source_->settlements.at(parcel).outcomes.at(recipient);
    }
    std::vector<std::string> results() const {
        std::vector<std::string> found;
        for (const auto& attempt : source_->attempts) found.push_back(attempt.result);
        return found;
    }

    asio::io_context loop_{1};
    net::BlockingPool pool_{1};
    base::NullLog log_;
    std::shared_ptr<FakeSource> source_ = std::make_shared<FakeSource>();
    std::shared_ptr<const net::TlsContext> verifying_ = careless();
    Destination destination_;
    std::atomic<bool> given_up_{false};
    SmtpCourierOptions options_{.hello_name = "client.example",
                                .connect_timeout = std::chrono::seconds(5),
                                .idle = std::chrono::milliseconds(10),
                                .greeting_timeout = std::chrono::seconds(5),
                                .command_timeout = std::chrono::seconds(5),
                                .content_timeout = std::chrono::seconds(5),
                                .ending_timeout = std::chrono::seconds(5)};
};

}  // namespace thurn::delivery
