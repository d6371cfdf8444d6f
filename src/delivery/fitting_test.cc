#include "delivery/fitting.h"

#include "support/held_content.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace thurn::delivery {
namespace {

using namespace std::chrono_literals;
using After = spool::DeliverBy::After;
using testing::StartsWith;

constexpr base::Time kNow{std::chrono::milliseconds(1'800'000'000'000)};
const std::string kName = "mx.example [192.0.2.1]:25";

Parcel parcel(spool::Wishes wishes) {
    auto stored = std::make_shared<spool::StoredMessage>();
    stored->envelope.wishes = std::move(wishes);
    stored->envelope.recipients.push_back({.mailbox = {"bob", mail::parse_domain("example.com").value()}, .original = {}, .state = {}});
    stored->content = std::make_shared<support::HeldContent>("x\r\n");
    return {.message = stored, .recipients = {0}, .accounts = {}};
}

spool::Wishes by(base::Duration left, After after, bool trace = false) {
    spool::Wishes wishes;
    wishes.deliver_by = spool::DeliverBy{.deadline = kNow + left, .after = after, .trace = trace};
    return wishes;
}

smtp::Extensions secure() {
    smtp::Extensions offered;
    offered.require_tls = true;
    return offered;
}

smtp::Extensions timed(std::chrono::seconds least) {
    smtp::Extensions offered;
    offered.deliver_by = least;
    return offered;
}

spool::Wishes require_tls() {
    spool::Wishes wishes;
    wishes.require_tls = true;
    return wishes;
}

spool::Wishes utf8() {
    spool::Wishes wishes;
    wishes.smtputf8 = true;
    return wishes;
}

struct RefusalCase {
    const char* name;
    spool::Wishes wishes;
    smtp::Extensions offered;
    bool verified;
    const char* status;  // how it begins; empty: it is not refused
};

class RefusalTest : public testing::TestWithParam<RefusalCase> {};

TEST_P(RefusalTest, SaysWhatAHostCannotBeGiven) {
    const auto& row = GetParam();
    const auto refused = refusal(parcel(row.wishes), {.offered = row.offered, .name = kName, .verified = row.verified, .now = kNow});
    EXPECT_EQ(refused.has_value(), *row.status != '\0');
    if (!refused) return;
    EXPECT_THAT(refused->status, StartsWith(row.status));
    EXPECT_EQ(refused->kind, RecipientOutcome::Kind::failed);
}

INSTANTIATE_TEST_SUITE_P(Wishes, RefusalTest,
                         testing::Values(RefusalCase{"Nothing", {}, {}, false, ""}, RefusalCase{"Utf8", utf8(), {}, false, "553 5.6.7 "},
                                         RefusalCase{"RequireTls", require_tls(), secure(), true, ""},
                                         RefusalCase{"RequireTlsNotOffered", require_tls(), {}, true, "550 5.7.30 "},
                                         RefusalCase{"RequireTlsNotVerified", require_tls(), secure(), false, "550 5.7.30 "},
                                         RefusalCase{"ByReturn", by(60s, After::give_back), timed(60s), false, ""},
                                         RefusalCase{"ByReturnTooLate", by(59s, After::give_back), timed(60s), false, "550 5.4.7 "},
                                         RefusalCase{"ByReturnOver", by(999ms, After::give_back), timed(0s), false, "550 5.4.7 "},
                                         RefusalCase{"ByReturnNotOffered", by(60s, After::give_back), {}, false, "550 5.3.3 "},
                                         RefusalCase{"ByNotify", by(1s, After::notify), timed(60s), false, ""},
                                         RefusalCase{"ByNotifyNotOffered", by(-60s, After::notify), {}, false, ""}),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(Fitting, PassesOnWhatTheOriginatorAskedFor) {
    auto wishes = by(90500ms, After::give_back, true);
    wishes.require_tls = true;
    wishes.priority = -3;
    const auto parameters = make_transaction(parcel(wishes), {0}, kNow).parameters;
    EXPECT_TRUE(parameters.require_tls);
    EXPECT_EQ(parameters.priority, std::optional<std::int8_t>(-3));
    EXPECT_EQ(parameters.deliver_by, (smtp::DeliverBy{.within = 90s, .mode = smtp::ByMode::return_message, .trace = true}));
    const auto late = make_transaction(parcel(by(-2s, After::notify)), {0}, kNow).parameters;
    EXPECT_EQ(late.deliver_by, (smtp::DeliverBy{.within = -2s, .mode = smtp::ByMode::notify, .trace = false}));
}

TEST(Fitting, TellsOfRelayingWhereNobodyKeepsTheTimeOrATraceIsAskedFor) {
    const auto keeper = timed(0s);
    EXPECT_FALSE(relaying_is_told({}, {}));
    EXPECT_TRUE(relaying_is_told(by(60s, After::notify), {}));
    EXPECT_FALSE(relaying_is_told(by(60s, After::notify), keeper));
    EXPECT_TRUE(relaying_is_told(by(60s, After::notify, true), keeper));
    EXPECT_TRUE(relaying_is_told(by(60s, After::give_back, true), keeper));
}

}  // namespace
}  // namespace thurn::delivery
