// SMTP smuggling (CVE-2023-51764, -51765, -51766 and kin), both ways: of all that somebody may take for the end of content only
// <CRLF>.<CRLF> is one here, and of what we send nothing but our own end is one anywhere.
#include "smtp/client_session.h"
#include "smtp/server_session.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace thurn::smtp {
namespace {

using namespace std::string_literals;

/// What stands around the dot: line ends of all systems and ages, pieces of them, and what some programs skip.
const std::vector<std::string> kAround{"\n",   "\r",      "\r\n",  "\n\r",   "\r\r", "\n\n", "\r\r\n", "\0"s,          "\r\n\0"s,
                                       " \n"s, "\r\0\n"s, "\r\n ", "\t\r\n", "\x0b", "\x0c", "\x85",   "\xe2\x80\xa8", ""};
const std::string kHidden = "MAIL FROM:<evil@a.example>\r\nRCPT TO:<b@b.example>\r\nDATA\r\nhidden\r\n";

struct Case {
    std::string before;
    std::string after;
    [[nodiscard]] bool is_the_end() const { return before.ends_with("\r\n") && after.starts_with("\r\n"); }
    [[nodiscard]] std::string content() const { return "Subject: x\r\n\r\ntext" + before + "." + after + kHidden; }
};

std::vector<Case> all_cases() {
    std::vector<Case> cases;
    for (const auto& before : kAround)
        for (const auto& after : kAround)
            if (const Case made{before, after}; !made.is_the_end()) cases.push_back(made);
    return cases;
}

std::string shown(const std::string& text) {
    std::string result;
    for (const char c : text) result += testing::PrintToString(c) + ' ';
    return result;
}

/// How many messages a server takes, and whether one is of the hidden sender.
struct Taken {
    int messages = 0;
    bool forged = false;
};

Taken take(const std::string& wire, std::size_t cut) {
    ServerSession session({.hostname = "mx.example", .extensions = {.chunking = true}});
    session.greet();
    Taken taken;
    for (std::size_t at = 0; at < wire.size(); at += cut) {
        session.receive(std::string_view(wire).substr(at, cut));
        while (const auto event = session.next_event()) {
            if (const auto* given = std::get_if<SenderGiven>(&*event)) taken.forged |= given->path.mailbox->local == "evil";
            if (std::holds_alternative<ContentEnded>(*event)) ++taken.messages;
            session.accept();
        }
    }
    return taken;
}

const std::string kEnvelope = "EHLO a.example\r\nMAIL FROM:<a@a.example>\r\nRCPT TO:<b@b.example>\r\n";

TEST(Smuggling, ATrueEndIsOne) {
    const auto taken = take(kEnvelope + "DATA\r\n" + Case{"\r\n", "\r\n"}.content() + ".\r\n", 3);
    EXPECT_TRUE(taken.forged);
    EXPECT_EQ(taken.messages, 2);
}

TEST(Smuggling, NothingButOneEndEndsContentByData) {
    for (const auto& given : all_cases()) {
        for (const std::size_t cut : {std::size_t{1}, std::size_t{3}, std::size_t{4096}}) {
            const auto taken = take(kEnvelope + "DATA\r\n" + given.content() + "\r\n.\r\n", cut);
            EXPECT_FALSE(taken.forged) << shown(given.before) << "dot " << shown(given.after);
            EXPECT_LE(taken.messages, 1) << shown(given.before) << "dot " << shown(given.after);
        }
    }
}

TEST(Smuggling, NoOctetOfAChunkIsACommand) {
    for (const auto& given : all_cases()) {
        const auto content = given.content();
        const auto taken = take(kEnvelope + "BDAT " + std::to_string(content.size()) + " LAST\r\n" + content + "QUIT\r\n", 7);
        EXPECT_FALSE(taken.forged) << shown(given.before) << "dot " << shown(given.after);
        EXPECT_LE(taken.messages, 1);
    }
}

/// What we send by DATA for a content of any octets.
std::string sent(const std::string& content) {
    ClientSession session({.hello_name = "me.example"});
    const auto pump = [&](std::string_view octets) {
        session.receive(octets);
        while (session.next_event()) {}
        return session.take_output();
    };
    pump("220 there\r\n");
    pump("250-there\r\n250 PIPELINING\r\n");
    session.begin(
        {.sender = {*mail::parse_mailbox("a@a.example")}, .recipients = {{*mail::parse_mailbox("b@b.example")}}, .parameters = {}});
    pump("");
    pump("250 ok\r\n250 ok\r\n354 go\r\n");
    for (std::size_t at = 0; at < content.size(); at += 5) session.content(std::string_view(content).substr(at, 5));
    session.content_end();
    return session.take_output();
}

std::size_t count(std::string_view text, std::string_view of) {
    std::size_t found = 0;
    for (auto at = text.find(of); at != std::string_view::npos; at = text.find(of, at + 1)) ++found;
    return found;
}

TEST(Smuggling, WhatWeSendHasOneEndForTheMostLenientOfReaders) {
    for (const auto& given : all_cases()) {
        const auto wire = sent(given.content());
        ASSERT_TRUE(wire.ends_with("\r\n.\r\n"));
        for (const std::string_view end : {"\n.\n", "\n.\r", "\r.\r", "\r.\n"})
            EXPECT_EQ(count(wire, end), end == "\n.\r" ? 1U : 0U) << shown(given.before) << "dot " << shown(given.after);
        EXPECT_EQ(count(wire, "\n"), count(wire, "\r\n"));
        EXPECT_EQ(count(wire, "\r"), count(wire, "\r\n"));
    }
}

}  // namespace
}  // namespace thurn::smtp
