#include "support/moody_peer.h"
#include "support/smtp_courier_fixture.h"

namespace thurn::delivery {
namespace {

class SmtpMoodTest : public SmtpCourierTest, public testing::WithParamInterface<unsigned> {};

/// Whatever a server says, and however it is cut: what is reported as delivered was taken, and what was taken is not reported as failed.
TEST_P(SmtpMoodTest, BooksAgreeWithTheServers) {
    support::MoodyPeer peer(GetParam());
    ASSERT_TRUE(peer.ready());
    options_.greeting_timeout = options_.command_timeout = options_.content_timeout = options_.ending_timeout = std::chrono::seconds(1);
    constexpr std::size_t kMessages = 40;
    for (std::size_t number = 0; number < kMessages; ++number) {
        auto stored = message("Number: " + std::to_string(number) + "\r\n", 1 + number % 3);
        for (std::size_t k = 0; k < stored->envelope.recipients.size(); ++k)
            stored->envelope.recipients[k].mailbox = mailbox("m" + std::to_string(number) + "r" + std::to_string(k), "example.com");
        add(stored);
    }
    for (int host = 0; host < 3; ++host) add_host(peer.port());
    carry({});
    peer.finish();

    ASSERT_EQ(source_->settlements.size(), kMessages);
    for (std::size_t number = 0; number < kMessages; ++number) {
        const auto& [parcel, outcomes] = source_->settlements[number];
        for (std::size_t k = 0; k < outcomes.size(); ++k) {
            const auto found = peer.taken().find("m" + std::to_string(number) + "r" + std::to_string(k) + "@example.com");
            const bool was_taken = found != peer.taken().end();
            if (outcomes[k].kind == Kind::delivered) EXPECT_TRUE(was_taken) << number << ": " << outcomes[k].status;
            if (!was_taken) continue;
            EXPECT_NE(outcomes[k].kind, Kind::failed) << number << ": " << outcomes[k].status;
            for (const auto& content : found->second) EXPECT_EQ(content, "Number: " + std::to_string(number));
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Seeds, SmtpMoodTest, testing::Range(1U, 61U));

}  // namespace
}  // namespace thurn::delivery
