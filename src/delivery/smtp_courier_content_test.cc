// Content on its way: its size, conversion to what the host takes, chunks, and ends that come too early.
#include "delivery/fitting.h"
#include "support/smtp_courier_fixture.h"

#include <boost/asio/post.hpp>

namespace thurn::delivery {
namespace {

TEST_F(SmtpCourierTest, LargeContentFromDiskArrivesWhole) {
    std::string content, wire;
    for (std::size_t line = 0; content.size() < 900'000; ++line) {
        const std::string body = (line % 3 == 0 ? "." : "") + std::string(line % 131, 'b');
        content += body + "\r\n";
        wire += (body.starts_with('.') ? "." : "") + body + "\r\n";
    }
    for (const auto where : {HeldContent::Where::memory, HeldContent::Where::disk}) {
        source_ = std::make_shared<FakeSource>();
        destination_ = {};
        ScriptedPeer peer({kHello + kEnvelope + kContent + kQuit});
        add(message(std::make_shared<HeldContent>(content, where)));
        carry({&peer});
        EXPECT_EQ(outcome().kind, Kind::delivered);
        const auto got = peer.wire().at(0);
        const auto begin = got.find("DATA\r\n") + 6;
        EXPECT_TRUE(std::string_view(got).substr(begin) == wire + ".\r\nQUIT\r\n");
    }
}

TEST_F(SmtpCourierTest, ContentThatCannotBeReadIsNeverEnded) {
    ScriptedPeer peer({kHello + kEnvelope + "H:\n"});
    add(message(std::make_shared<support::UnreadableContent>(600'000, 262'144)));
    carry({&peer});
    EXPECT_EQ(outcome().kind, Kind::deferred);
    EXPECT_THAT(outcome().status, StartsWith("451 4.3.0 "));
    EXPECT_EQ(peer.wire().at(0).find("\r\n.\r\n"), std::string::npos);
}

TEST_F(SmtpCourierTest, RefusalInTheMiddleOfTheContentIsHeard) {
    ScriptedPeer peer({kHello + kEnvelope + "L: xxxx\nS: 552 5.3.4 enough\n"});
    add(message(std::make_shared<HeldContent>(std::string(900'000, 'x') + std::string(30 << 20, 'x'), HeldContent::Where::disk)));
    destination_.hosts.site = "test";
    carry({&peer});
    // The kernel may or may not drop the reply with the reset that follows; a lost message is what must not be.
    if (outcome().kind == Kind::failed) EXPECT_EQ(outcome().status, "552 5.3.4 enough");
    EXPECT_NE(outcome().kind, Kind::delivered);
}

TEST_F(SmtpCourierTest, SuccessBeforeTheDotIsNoSuccess) {
    ScriptedPeer peer({kHello + kEnvelope + "S: 250 2.0.0 taken already\nL: xxxx\n"});
    add(message(std::string(30 << 20, 'x')));  // more than the kernel keeps for a peer that reads no further: the dot cannot have left
    carry({&peer});
    EXPECT_EQ(outcome().kind, Kind::deferred);
}

TEST_F(SmtpCourierTest, MessageOverTheHostsSizeFailsUnsent) {
    ScriptedPeer peer({"S: 220 mx\nC: EHLO\nS: 250-mx\nS: 250 SIZE 10\n" + kQuit});
    add(message("more than ten octets\r\n"));
    EXPECT_EQ(carry({&peer}), queue::SiteOutcome::worked);
    EXPECT_EQ(outcome().kind, Kind::failed);
    EXPECT_THAT(outcome().status, StartsWith("552 5.3.4 "));
    EXPECT_THAT(results(), ElementsAre("failed"));
}

TEST_F(SmtpCourierTest, SizeZeroIsNoLimit) {
    ScriptedPeer peer({"S: 220 mx\nC: EHLO\nS: 250-mx\nS: 250-PIPELINING\nS: 250 SIZE 0\n" + kEnvelope + kContent + kQuit});
    add(message());
    carry({&peer});
    EXPECT_EQ(outcome().kind, Kind::delivered);
}

TEST_F(SmtpCourierTest, EightBitContentIsDeclaredOrFails) {
    auto stored = message("Subject: \xc3\xbc\r\n\r\n");
    stored->envelope.body = mail::BodyType::eight_bit;
    ScriptedPeer able({kHello +
                       "C: MAIL FROM:<alice@example.org> SIZE=15 BODY=8BITMIME\nC: RCPT\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 354 go\n" +
                       kContent + kQuit});
    add(stored);
    carry({&able});
    EXPECT_EQ(outcome(0).kind, Kind::delivered);

    destination_ = {};
    ScriptedPeer unable({kPlainHello + kQuit});
    add(stored);
    carry({&unable});
    EXPECT_EQ(outcome(1).kind, Kind::failed);
    EXPECT_THAT(outcome(1).status, AllOf(StartsWith("554 5.6.3 "), HasSubstr("a header cannot be converted")));
}

struct PassageCase {
    const char* name;
    mail::BodyType body;
    std::string content;
    std::string offers;  // beyond PIPELINING
    std::string parameters, converted, remark;
};

class PassageTest : public SmtpCourierTest, public testing::WithParamInterface<PassageCase> {};

TEST_P(PassageTest, ContentIsMadeToFitTheHost) {
    const auto& row = GetParam();
    for (const auto where : {HeldContent::Where::memory, HeldContent::Where::disk}) {
        const auto mail = "C: MAIL FROM:<alice@example.org>" + row.parameters + "\nC: RCPT\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 354 go\n";
        ScriptedPeer peer({"S: 220 mx\nC: EHLO\nS: 250-mx\n" + row.offers + "S: 250 PIPELINING\n" + mail + kContent + kQuit});
        auto stored = message(std::make_shared<HeldContent>(row.content, where));
        stored->envelope.body = row.body;
        destination_ = {};
        add(stored);
        carry({&peer});
        EXPECT_EQ(source_->settlements.back().outcomes.at(0).kind, Kind::delivered);
        EXPECT_THAT(peer.wire().at(0), HasSubstr("DATA\r\n" + row.converted + ".\r\n"));
        EXPECT_EQ(source_->attempts.back().remark, row.remark);
        loop_.restart();
    }
}

const std::string kType = "MIME-Version: 1.0\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: ";

INSTANTIATE_TEST_SUITE_P(
    Rfc6152, PassageTest,
    testing::Values(PassageCase{"SevenBit", mail::BodyType::seven_bit, "Subject: x\r\n\r\nx\r\n", "", "", "Subject: x\r\n\r\nx\r\n", ""},
                    PassageCase{"EightBitTaken", mail::BodyType::eight_bit, kType + "8bit\r\n\r\n\xfc\r\n", "S: 250-8BITMIME\n",
                                " BODY=8BITMIME", kType + "8bit\r\n\r\n\xfc\r\n", ""},
                    PassageCase{"EightBitConverted", mail::BodyType::eight_bit, kType + "8bit\r\n\r\n\xfc\r\n", "S: 250-SIZE\n", " SIZE=97",
                                kType + "quoted-printable\r\n\r\n=FC\r\n", "converted to 7-bit"},
                    PassageCase{"BinaryToSevenBit", mail::BodyType::binary, kType + "binary\r\n\r\n\xfc\n\r\n", "", "",
                                kType + "quoted-printable\r\n\r\n=FC=0A\r\n", "converted to 7-bit"},
                    PassageCase{"BinaryToEightBit", mail::BodyType::binary, kType + "binary\r\n\r\n\xfc\r\n",
                                "S: 250-8BITMIME\nS: 250-BINARYMIME\n", " BODY=8BITMIME", kType + "8bit\r\n\r\n\xfc\r\n",
                                "converted from binary to 8-bit"}),
    [](const auto& row) { return std::string(row.param.name); });

TEST_F(SmtpCourierTest, WhatIsTooLargeIsNotConverted) {
    auto stored = message(std::make_shared<UnreadableContent>(kMostConverted.count + 1, 0));
    stored->envelope.body = mail::BodyType::eight_bit;
    ScriptedPeer peer({kPlainHello + kQuit});
    add(stored);
    carry({&peer});
    EXPECT_EQ(outcome().kind, Kind::failed);
    EXPECT_THAT(outcome().status, StartsWith("554 5.6.3 "));
}

TEST_F(SmtpCourierTest, WhatCannotBeReadToBeConvertedWaits) {
    auto stored = message(std::make_shared<UnreadableContent>(1000, 10));
    stored->envelope.body = mail::BodyType::eight_bit;
    ScriptedPeer peer({kPlainHello + kQuit});
    add(stored);
    carry({&peer});
    EXPECT_EQ(outcome().kind, Kind::deferred);
    EXPECT_THAT(outcome().status, StartsWith("451 4.3.0 "));
}

TEST_F(SmtpCourierTest, BinaryContentGoesByChunksWhereItIsTaken) {
    const std::string content = kType + std::string("binary\r\n\r\n\0\n\r.\r\n.\r\n\xff", 20);
    const auto hello = "S: 220 mx\nC: EHLO\nS: 250-mx\nS: 250-PIPELINING\nS: 250-CHUNKING\nS: 250 BINARYMIME\n";
    ScriptedPeer peer({hello + std::string("C: MAIL FROM:<alice@example.org> BODY=BINARYMIME\nC: RCPT\nS: 250 ok\nS: 250 ok\nC: BDAT ") +
                       std::to_string(content.size()) + " LAST\nL: \xff\nS: 250 2.0.0 taken\nL: QUIT\nS: 221 bye\n"});
    auto stored = message(content);
    stored->envelope.body = mail::BodyType::binary;
    add(stored);
    carry({&peer});
    EXPECT_EQ(outcome().kind, Kind::delivered) << outcome().status;
    EXPECT_THAT(peer.wire().at(0), HasSubstr(" LAST\r\n" + content + "QUIT\r\n"));
}

const std::string kChunkHello = "S: 220 mx\nC: EHLO\nS: 250-mx\nS: 250-PIPELINING\nS: 250 CHUNKING\n";
const std::string kChunkEnvelope = "C: MAIL\nC: RCPT\nS: 250 ok\nS: 250 ok\n";

TEST_F(SmtpCourierTest, ContentGoesByChunksWhereTheyAreOffered) {
    ScriptedPeer peer({kChunkHello + kChunkEnvelope + "C: BDAT 11 LAST\nL: .\nS: 250 2.0.0 taken\nL: QUIT\n"});
    add(message("a: b\r\n\r\n.\r\n"));
    carry({&peer});
    EXPECT_EQ(outcome().kind, Kind::delivered) << outcome().status;
    EXPECT_THAT(peer.wire().at(0), HasSubstr("BDAT 11 LAST\r\na: b\r\n\r\n.\r\nQUIT\r\n"));
}

TEST_F(SmtpCourierTest, ContentGoesByDataWhereChunksAreNotWanted) {
    options_.chunking = smtp::Chunking::when_needed;
    ScriptedPeer peer({kChunkHello + kEnvelope + kContent + kQuit});
    add(message());
    carry({&peer});
    EXPECT_EQ(outcome().kind, Kind::delivered) << outcome().status;
}

TEST_F(SmtpCourierTest, ContentGoesByDataToAHostThatDoesNotKnowTheChunksItOffers) {
    for (const std::string refusal : {"500 5.5.1 what", "502 5.5.1 not here"}) {
        ScriptedPeer peer(
            {kChunkHello + kChunkEnvelope + "C: BDAT 21 LAST\nL: hello\nS: " + refusal + "\n", kChunkHello + kEnvelope + kContent + kQuit});
        add(message());
        carry({&peer});
        EXPECT_EQ(outcome().kind, Kind::delivered) << outcome().status;
    }
}

/// Pieces of 256 KiB that end with `<1>`, `<2>` and so on; knows how far it was read.
class WatchedContent final : public spool::Content {
public:
    static constexpr std::size_t kPiece = 262'144;
    explicit WatchedContent(std::size_t pieces) : pieces_(pieces) {}
    [[nodiscard]] base::Octets size() const override { return {pieces_ * kPiece}; }
    [[nodiscard]] std::optional<std::string_view> in_memory() const override { return std::nullopt; }
    [[nodiscard]] base::Result<std::size_t> read(std::uint64_t offset, std::span<char> into) const override {
        const auto count = std::min<std::size_t>(into.size(), kPiece - offset % kPiece);
        std::memset(into.data(), 'x', count);
        const auto mark = "<" + std::to_string(offset / kPiece + 1) + ">";
        if ((offset + count) % kPiece == 0) std::ranges::copy(mark, into.begin() + static_cast<std::ptrdiff_t>(count - mark.size()));
        read_to_ = std::max(read_to_.load(), offset + count);
        return count;
    }
    [[nodiscard]] std::uint64_t pieces_read() const { return (read_to_ + kPiece - 1) / kPiece; }

private:
    std::size_t pieces_;
    mutable std::atomic<std::uint64_t> read_to_{0};
};

const std::string kSlowChunks = "S: 220 mx\nC: EHLO\nS: 250-mx\nS: 250 CHUNKING\nC: MAIL\nS: 250 ok\nC: RCPT\nS: 250 ok\n";

TEST_F(SmtpCourierTest, WithoutPipeliningTheNextChunkIsNotReadBeforeItMayLeave) {
    const auto content = std::make_shared<WatchedContent>(5);
    std::vector<std::uint64_t> read;
    std::string script = kSlowChunks;
    for (int piece = 1; piece <= 4; ++piece) script += "C: BDAT 262144\nL: <" + std::to_string(piece) + ">\nQ:\n!:\nS: 250 ok\n";
    ScriptedPeer peer({script + "C: BDAT 262146 LAST\nL: <5>\nS: 250 2.0.0 taken\nL: QUIT\n"}, nullptr,
                      [&] { read.push_back(content->pieces_read()); });
    add(message(content));
    carry({&peer});
    EXPECT_EQ(outcome().kind, Kind::delivered) << outcome().status;
    EXPECT_THAT(read, ElementsAre(2, 3, 4, 5));
}

TEST_F(SmtpCourierTest, NothingMoreIsReadOfContentWhoseFirstChunkIsRefused) {
    const auto content = std::make_shared<WatchedContent>(20);
    ScriptedPeer peer({kSlowChunks + "C: BDAT 262144\nL: <1>\nS: 552 5.3.4 enough\nL: QUIT\n"});
    add(message(content));
    carry({&peer});
    EXPECT_EQ(outcome().status, "552 5.3.4 enough");
    EXPECT_EQ(content->pieces_read(), 2u);
}

TEST_F(SmtpCourierTest, LastChunkWaitsForTheMark) {
    source_->gate = std::make_unique<asio::steady_timer>(loop_);
    ScriptedPeer peer({kChunkHello + kChunkEnvelope + "Q:\n!:\nC: BDAT 21 LAST\nL: hello\nS: 250 2.0.0 taken\nL: QUIT\n"}, nullptr,
                      [this] { asio::post(loop_, [this] { source_->gate->cancel(); }); });
    add(message());
    carry({&peer});
    EXPECT_EQ(outcome().kind, Kind::delivered) << outcome().status;
}

TEST_F(SmtpCourierTest, LossBehindTheLastChunkIsDeferredAndBeforeItGoesOn) {
    ScriptedPeer before({kChunkHello + kChunkEnvelope});
    ScriptedPeer behind({kChunkHello + kChunkEnvelope + "C: BDAT 21 LAST\nL: hello\n"});
    ScriptedPeer never({});
    add(message());
    carry({&before, &behind, &never});
    EXPECT_EQ(outcome().kind, Kind::deferred) << outcome().status;
    EXPECT_TRUE(never.wire().empty());
}

}  // namespace
}  // namespace thurn::delivery
