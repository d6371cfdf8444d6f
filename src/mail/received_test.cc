#include "mail/header.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace thurn::mail {
namespace {

using namespace std::string_literals;

ReceivedOptions usual() {
    return {.helo = "mail.example.org",
            .client_name = "mail.example.org",
            .client_address = "192.0.2.1",
            .by = "mx1.example.com",
            .protocol = "ESMTPS",
            .id = "01ABCDEFGHJKM",
            .tls = "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384",
            .recipient = "user@example.com",
            .date = "Sun, 22 Nov 2026 01:37:22 +0000"};
}

std::vector<std::string> lines_of(std::string_view field) {
    std::vector<std::string> lines;
    while (!field.empty()) {
        const std::size_t end = std::min(field.find("\r\n"), field.size());
        lines.emplace_back(field.substr(0, end));
        field.remove_prefix(std::min(end + 2, field.size()));
    }
    return lines;
}

/// The facts, as one line.
std::string unfolded(const ReceivedOptions& options) { return unfold(render_received(options)); }

/// One field and nothing more, whatever went into it.
void expect_one_field(const ReceivedOptions& options) {
    const std::string field = render_received(options);
    const auto header = parse_header(field);
    ASSERT_EQ(header.fields.size(), 1U) << field;
    EXPECT_EQ(header.fields[0].name, "Received");
    EXPECT_EQ(header.size, field.size());
    EXPECT_TRUE(field.ends_with("\r\n"));
    EXPECT_EQ(field.find('\0'), std::string::npos);
    for (const auto& line : lines_of(field)) EXPECT_LE(line.size(), 998U);
    const std::string text = unfold(field);
    EXPECT_EQ(text.find("\r"), std::string::npos);
}

TEST(Received, HasTheClausesOfRfc5321Section44InOrder) {
    EXPECT_EQ(unfolded(usual()),
              "Received: from mail.example.org (mail.example.org [192.0.2.1]) by mx1.example.com with ESMTPS "
              "(TLSv1.3 with cipher TLS_AES_256_GCM_SHA384) id 01ABCDEFGHJKM for <user@example.com>; Sun, 22 Nov 2026 01:37:22 +0000");
}

TEST(Received, TellsThePriorityThatWasGiven) {
    auto options = usual();
    options.tls.clear();
    options.priority = -3;
    EXPECT_TRUE(unfolded(options).ends_with(" id 01ABCDEFGHJKM for <user@example.com> PRIORITY -3; Sun, 22 Nov 2026 01:37:22 +0000"));
    options.priority = 0;
    options.recipient.clear();
    EXPECT_TRUE(unfolded(options).ends_with(" id 01ABCDEFGHJKM PRIORITY 0; Sun, 22 Nov 2026 01:37:22 +0000"));
}

TEST(Received, FoldsInFrontOfClausesAndKeepsTo78) {
    const auto lines = lines_of(render_received(usual()));
    ASSERT_GE(lines.size(), 3U);
    for (const auto& line : lines) EXPECT_LE(line.size(), 78U) << line;
    for (std::size_t i = 1; i < lines.size(); ++i) EXPECT_EQ(lines[i].front(), '\t') << lines[i];
}

TEST(Received, LeavesOutWhatIsNotKnown) {
    auto options = usual();
    options.tls.clear();
    options.recipient.clear();
    options.client_name.clear();
    EXPECT_EQ(unfolded(options),
              "Received: from mail.example.org (unknown [192.0.2.1]) by mx1.example.com with ESMTPS id 01ABCDEFGHJKM; Sun, 22 Nov 2026 "
              "01:37:22 +0000");
    options.client_address = "IPv6:2001:db8::1";
    EXPECT_NE(unfolded(options).find("(unknown [IPv6:2001:db8::1])"), std::string::npos);
    options.helo.clear();
    EXPECT_NE(unfolded(options).find("from unknown (unknown [IPv6:2001:db8::1]) by"), std::string::npos);
    options.client_address.clear();
    EXPECT_TRUE(unfolded(options).starts_with("Received: by mx1.example.com with ESMTPS id")) << "handed in on this machine";
}

TEST(Received, ShowsHostNamesAndLiteralsOnly) {
    for (const auto* helo : {"localhost", "[192.0.2.7]", "[IPv6:::1]", "under_score.example", "1.2.3.4"}) {
        auto options = usual();
        options.helo = helo;
        EXPECT_TRUE(unfolded(options).starts_with("Received: from "s + helo + " (mail.example.org [192.0.2.1])")) << helo;
    }
}

TEST(Received, CleansHostileNames) {
    const std::string hostile[] = {"a b",
                                   "a(b",
                                   "a)b",
                                   "a;b",
                                   "a\r\nX-Evil: y",
                                   "a\nb",
                                   "a\0b"s,
                                   "a\\",
                                   "\"a\"",
                                   "<a>",
                                   "a\xff",
                                   "käthe",
                                   "a\x1b[0m",
                                   "a,b",
                                   "[[",
                                   "]",
                                   "[]",
                                   "[a",
                                   "a]",
                                   "a:b",
                                   ":",
                                   std::string(256, 'a'),
                                   std::string(100'000, 'a')};
    for (const auto& name : hostile) {
        auto options = usual();
        options.helo = options.client_name = name;
        EXPECT_TRUE(unfolded(options).starts_with("Received: from unknown (unknown [192.0.2.1]) by ")) << name.substr(0, 20);
        expect_one_field(options);
        options.client_address = name;
        expect_one_field(options);
    }
}

TEST(Received, CleansHostileTlsCommentsAndRecipients) {
    auto options = usual();
    options.tls = "TLSv1.3) by evil (\r\nX-Evil: y\\\0"s;
    EXPECT_NE(unfolded(options).find("(TLSv1.3? by evil ???X-Evil: y?"
                                     "?) id"),
              std::string::npos);
    expect_one_field(options);
    for (const std::string& recipient : {"a@b\r\nX-Evil: y"s, "a\0@b"s, "a\x7f@b"s}) {
        options.recipient = recipient;
        EXPECT_EQ(unfolded(options).find(" for "), std::string::npos) << testing::PrintToString(recipient);
        expect_one_field(options);
    }
}

TEST(Received, ShowsQuotedAndUtf8RecipientsInTheirBrackets) {
    for (const auto* recipient : {"\"a b\"@d", "\"a\\\"b\"@d", "käthe@d"}) {
        auto options = usual();
        options.recipient = recipient;
        EXPECT_NE(unfolded(options).find("for <"s + recipient + ">;"), std::string::npos) << unfolded(options);
    }
}

TEST(Received, TakesTheLongestNames) {
    auto options = usual();
    options.helo = options.client_name = std::string(255, 'a');
    options.by = std::string(255, 'b');
    options.recipient = std::string(64, 'u') + "@" + std::string(255, 'd');
    expect_one_field(options);
    for (const auto& line : lines_of(render_received(options))) EXPECT_LE(line.size(), 400U) << line;
}

}  // namespace
}  // namespace thurn::mail
