#include "scan/attachments.h"

#include <string>

#include <gtest/gtest.h>

namespace thurn::scan {
namespace {

MessageParts search(std::string_view message, std::size_t most_text = 1000) {
    PartSearch searching(most_text);
    searching.feed(message);
    return searching.finish();
}

const std::string kProgram = "MZ" + std::string(62, '\0');
const std::string kMixed = "Content-Type: multipart/mixed; boundary=b\r\n\r\n";

TEST(PartSearch, TellsTextsFromFiles) {
    const auto found = search(kMixed +
                              "--b\r\n\r\nHello\r\n"
                              "--b\r\nContent-Type: text/html; charset=iso-8859-1\r\n\r\n<b>\xFC</b>\r\n"
                              "--b\r\nContent-Disposition: attachment; filename=notes.txt\r\n\r\nnotes\r\n"
                              "--b\r\nContent-Type: image/png\r\n\r\n\x89PNG\r\n"
                              "--b--\r\n");
    EXPECT_EQ(found.texts, (std::vector<std::string>{"Hello", "<b>\xC3\xBC</b>"}));
    ASSERT_EQ(found.attachments.size(), 2U);
    EXPECT_EQ(found.attachments[0].label(), "notes.txt");
    EXPECT_EQ(found.attachments[0].size, 5U);
    EXPECT_EQ(found.attachments[0].leaf, 2U);
    EXPECT_EQ(found.attachments[1].label(), "unnamed image/png");
    EXPECT_EQ(found.attachments[1].kind, FileKind::image);
    EXPECT_EQ(found.parts, 5U);
    EXPECT_EQ(found.depth, 1U);
    EXPECT_TRUE(found.faults.empty());
}

TEST(PartSearch, TakesATextThatIsAProgramForAFile) {
    EXPECT_EQ(search("\r\n" + kProgram).attachments.size(), 1U);
    EXPECT_TRUE(search("\r\n#!/bin/sh\r\n").attachments.empty()) << "somebody quotes a script";
}

TEST(PartSearch, KeepsNoMoreTextThanItsLimit) {
    const auto found = search(kMixed + "--b\r\n\r\nabcdef\r\n--b\r\n\r\nghi\r\n--b--\r\n", 8);
    EXPECT_EQ(found.texts, (std::vector<std::string>{"abcdef", "gh"}));
}

TEST(PartSearch, TellsFaults) { EXPECT_EQ(search(kMixed + "--b\r\n\r\n").faults, std::vector<std::string>{"unended"}); }

TEST(RunsAs, GoesByContentAndByEveryName) {
    EXPECT_EQ(runs_as({"a.pdf"}, FileKind::windows_program), "windows-program");
    EXPECT_EQ(runs_as({"a.pdf", "b.SCR"}, FileKind::none), ".scr");
    EXPECT_EQ(runs_as({"a.pdf"}, FileKind::pdf), "");
    EXPECT_EQ(macros_as({"a.docm"}, false), ".docm");
    EXPECT_EQ(macros_as({"a.doc"}, true), "macros");
    EXPECT_EQ(macros_as({"a.doc"}, false), "");
}

class Taken : public LeafExtractor::Taker {
public:
    void begin() override { text += "["; }
    void octets(std::string_view decoded) override { text += decoded; }
    void end() override { text += "]"; }
    std::string text;
};

TEST(LeafExtractor, HandsOutTheLeavesThatAreWanted) {
    const auto message =
        kMixed +
        "--b\r\n\r\none\r\n--b\r\nContent-Transfer-Encoding: base64\r\n\r\ndHdv\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n\r\nthree\r\n"
        "--b\r\n\r\nfour\r\n--b--\r\n";
    Taken taken;
    LeafExtractor extractor({1, 2}, taken);
    extractor.feed(message);
    extractor.finish();
    EXPECT_EQ(taken.text, "[two][three]");
}

}  // namespace
}  // namespace thurn::scan
