#pragma once

#include "mail/mailbox.h"
#include "smtp/client_session.h"

#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

// What the tests of the client's session share: a session that is spoken to, and a transaction for it.
namespace thurn::smtp {

using testing::ElementsAre;
using testing::HasSubstr;

inline mail::Mailbox mailbox(std::string_view text) { return *mail::parse_mailbox(text); }

inline Transaction transaction_to(std::vector<std::string> recipients) {
    Transaction transaction{.sender = {mailbox("from@a.example")}, .recipients = {}, .parameters = {}};
    transaction.parameters.size = base::Octets{10};
    transaction.parameters.body = mail::BodyType::eight_bit;
    for (const auto& recipient : recipients) transaction.recipients.push_back({mailbox(recipient)});
    return transaction;
}

inline constexpr std::string_view kPipeliningEhlo = "250-there\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 1000\r\n";

inline constexpr std::string_view kRichEhlo =
    "250-there\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SIZE 1000\r\n250-CHUNKING\r\n250-BINARYMIME\r\n250-SMTPUTF8\r\n250-DSN\r\n"
    "250-FUTURERELEASE 1000 2027-01-01T00:00:00Z\r\n250-DELIVERBY\r\n250-AUTH PLAIN\r\n250 MT-PRIORITY\r\n";

/// A session and what it said; each exchange feeds a reply and gives the lines said in answer.
class ClientDialogue {
public:
    explicit ClientDialogue(ClientOptions options) : session(std::move(options)) {}

    std::string exchange(std::string_view from_server) {
        session.receive(from_server);
        return pump();
    }
    std::string pump() {
        while (auto event = session.next_event()) events.push_back(*std::move(event));
        return session.take_output();
    }
    template <class Event>
    Event take() {
        EXPECT_FALSE(events.empty());
        if (events.empty()) return {};
        EXPECT_TRUE(std::holds_alternative<Event>(events.front())) << "event " << events.front().index();
        Event event = std::holds_alternative<Event>(events.front()) ? std::get<Event>(events.front()) : Event{};
        events.erase(events.begin());
        return event;
    }
    std::vector<int> take_codes() {
        std::vector<int> codes;
        for (const auto& reply : take<TransactionEnded>().replies) codes.push_back(reply.code);
        return codes;
    }

    ClientSession session;
    std::vector<ClientEvent> events;
};

inline ClientOptions plain_client() { return {.hello_name = "me.example", .starttls = StartTls::never}; }

inline ClientDialogue ready_dialogue(std::string_view ehlo = kPipeliningEhlo) {
    ClientDialogue dialogue(plain_client());
    dialogue.exchange("220 there ESMTP\r\n");
    dialogue.exchange(ehlo);
    dialogue.take<Ready>();
    return dialogue;
}

}  // namespace thurn::smtp
