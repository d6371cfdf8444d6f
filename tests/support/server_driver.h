#pragma once

#include "smtp/server_session.h"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

// What the tests of the server's session share: options, and a driver that accepts.
namespace thurn::smtp {

using testing::HasSubstr;
using testing::StartsWith;

inline ServerOptions options_with(TlsState tls, AuthRule auth) {
    ServerOptions options;
    options.hostname = "mx.example.com";
    options.tls = tls;
    options.auth = auth;
    return options;
}
inline ServerOptions plain_server() { return options_with(TlsState::unavailable, AuthRule::off); }

inline ServerExtensions with_all_commands() {
    return {.chunking = true, .vrfy = true, .expn = true, .etrn = true, .xclient = true, .xforward = true};
}

inline ServerOptions with_chunks() {
    auto options = plain_server();
    options.extensions.chunking = options.extensions.binary_mime = true;
    return options;
}

inline constexpr std::string_view kEnvelope = "HELO a\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n";

inline bool waits_for_answer(const ServerEvent& event) {
    return std::holds_alternative<HelloGiven>(event) || std::holds_alternative<CredentialsGiven>(event) ||
           std::holds_alternative<SenderGiven>(event) || std::holds_alternative<RecipientGiven>(event) ||
           std::holds_alternative<VerifyWanted>(event) || std::holds_alternative<ExpandWanted>(event) ||
           std::holds_alternative<QueueRunWanted>(event) || std::holds_alternative<XclientGiven>(event) ||
           std::holds_alternative<XforwardGiven>(event) || std::holds_alternative<ContentBegins>(event) ||
           std::holds_alternative<ContentEnded>(event);
}

inline ServerSession greeted(ServerOptions options) {
    ServerSession session(std::move(options));
    session.greet();
    static_cast<void>(session.take_output());
    return session;
}

/// The next event that is not about how it was sent.
inline std::optional<ServerEvent> next_of(ServerSession& session) {
    auto event = session.next_event();
    return event && std::holds_alternative<ImproperPipelining>(*event) ? session.next_event() : std::move(event);
}

/// Feeds a session, accepts everything unless told otherwise, and keeps what the events say of content and of refusals.
class ServerDriver {
public:
    explicit ServerDriver(ServerOptions options) : session(greeted(std::move(options))) {}

    std::string say(std::string_view octets) {
        session.receive(octets);
        return pump();
    }
    std::string pump() {
        while (auto event = session.next_event()) {
            if (const auto* chunk = std::get_if<ContentChunk>(&*event)) content += chunk->octets;
            if (const auto* dropped = std::get_if<ContentDropped>(&*event)) drops.push_back(dropped->reason);
            if (std::holds_alternative<TransactionReset>(*event)) ++resets;
            if (const auto* refused = std::get_if<CommandRefused>(&*event)) refusals.push_back(*refused);
            if (!waits_for_answer(*event)) continue;
            if (const auto reply = decide(*event))
                session.answer(*reply);
            else
                session.accept();
        }
        return session.take_output();
    }
    /// Up to an open transaction's content.
    void begin_content() { say("HELO a\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n"); }

    std::function<std::optional<Reply>(const ServerEvent&)> decide = [](const ServerEvent&) { return std::nullopt; };
    ServerSession session;
    std::string content;
    std::vector<std::string> drops;
    std::vector<CommandRefused> refusals;
    int resets = 0;
};

}  // namespace thurn::smtp
