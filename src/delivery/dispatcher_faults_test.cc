// A directory or a disk that fails, servers that are silent or out of reach, and stopping.
#include "support/dispatcher_fixture.h"
#include "support/dns_server.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

namespace thurn::delivery {
namespace {

TEST_F(DispatcherTest, DefersWhileTheDirectoryFails) {
    start();
    directory_.fail_with({base::ErrorKind::disk, "the disk failed"});
    const auto id = send("carl@there.example", {"anna@here.example"});
    EXPECT_TRUE(eventually([&] { return deferred(id, 1); }));
    directory_.works_again();
    clock_.advance(std::chrono::minutes(6));
    EXPECT_TRUE(eventually([&] { return gone(id); }));
    EXPECT_EQ(mail_of("anna").size(), 1);
}

TEST_F(DispatcherTest, AnAliasWhoseTargetsCannotBeRecordedStays) {
    directory_.add_alias("team@here.example", {"anna@here.example"});
    start();
    spool_.failing_updates = true;
    const auto id = send("carl@there.example", {"team@here.example"});
    EXPECT_TRUE(eventually([&] { return spool_.update_calls > 0 && active() == 0; }));
    EXPECT_TRUE(mail_of("anna").empty());
    ASSERT_TRUE(state(id));
    EXPECT_EQ(state(id)->standing, Standing::waiting);
    spool_.failing_updates = false;
}

TEST_F(DispatcherTest, DoesNotDeliverAgainWhatItCouldNotRecord) {
    start();
    spool_.failing_updates = true;
    const auto id = send("carl@there.example", {"anna@here.example"});
    EXPECT_TRUE(eventually([&] { return spool_.update_calls > 0; }));
    const auto second = send("carl@there.example", {"bob@here.example"}, HandOver::by_sweep);  // shows that sweeps went by
    EXPECT_TRUE(eventually([&] { return mail_of("bob").size() == 1; }));
    EXPECT_EQ(active(), 2) << "what is not recorded stays under way";
    EXPECT_FALSE(gone(id));
    EXPECT_FALSE(gone(second));
    EXPECT_EQ(mail_of("anna").size(), 1);
}

TEST_F(DispatcherTest, GoesOnSweepingAfterAnException) {
    spool_.throwing_loads = 2;
    options_.sweep_anew = std::chrono::milliseconds(20);
    start();
    send("carl@there.example", {"anna@here.example"}, HandOver::by_sweep);
    const auto later = send("carl@there.example", {"bob@here.example"}, HandOver::by_sweep);
    EXPECT_TRUE(eventually([&] { return spool_.throwing_loads <= 0; }));
    const auto last = send("carl@there.example", {"bob@here.example"}, HandOver::by_sweep);
    EXPECT_TRUE(eventually([&] { return gone(last); }));
    EXPECT_TRUE(eventually([&] { return gone(later) && all_gone(); }));
    EXPECT_EQ(mail_of("anna").size(), 1);
}

TEST_F(DispatcherTest, ComesBackToWhatCouldNotBeLoaded) {
    spool_.failing_loads = 1;
    options_.sweep_anew = std::chrono::milliseconds(20);
    start();
    const auto id = send("carl@there.example", {"anna@here.example"}, HandOver::by_sweep);
    EXPECT_TRUE(eventually([&] { return gone(id); }));
}

TEST_F(DispatcherTest, DefersWhatIsDamagedOnTheDiskAndBouncesItInTheEnd) {
    spool_.damaged = true;
    options_.retry.lifetime = std::chrono::minutes(12);
    start();
    const auto id = send("anna@here.example", {"bob@here.example", "carl@there.example"}, HandOver::by_sweep);
    ASSERT_TRUE(eventually([&] { return deferred(id, 1) && deferred(id, 1, 1) && active() == 0; }));
    EXPECT_THAT(state(id)->last_status, HasSubstr("damaged"));
    for (int k = 0; k < 20 && !gone(id); ++k) {
        clock_.advance(std::chrono::minutes(6));
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    ASSERT_TRUE(eventually([&] { return gone(id); }));
    ASSERT_TRUE(eventually([&] { return mail_of("anna").size() == 1 && all_gone(); })) << "one report for both";
    EXPECT_THAT(mail_of("anna").front(), AllOf(HasSubstr("bob@here.example"), HasSubstr("carl@there.example"), HasSubstr("damaged")));
    EXPECT_TRUE(mail_of("bob").empty());
}

TEST_F(DispatcherTest, ANameWhoseServersAreSilentHoldsUpNobodyElse) {
    const test::DnsServer silent([](const auto&) { return std::nullopt; });
    ScriptedPeer peer({kHello + kTaken + kQuit});
    dns_ = silent.address();
    start(peer.port());
    const auto id = send("anna@here.example", {"carl@silent.example", "dora@mute.example", "bob@here.example", "carl@there.example"});
    EXPECT_TRUE(eventually([&] { return state(id, 2)->standing == Standing::delivered && state(id, 3)->standing == Standing::delivered; }));
    EXPECT_EQ(state(id, 0)->attempts, 0);
    EXPECT_EQ(state(id, 1)->attempts, 0);
    EXPECT_TRUE(eventually([&] { return silent.queries() >= 2; })) << "both names are asked for at once";
}

TEST_F(DispatcherTest, ASlowSiteLeavesRoomForOthers) {
    asio::io_context nobody;
    const asio::ip::tcp::acceptor silent(nobody, {asio::ip::address_v4::loopback(), 0});  // connects, but nobody greets
    options_.active_messages = 30;
    grace_ = std::chrono::milliseconds(0);
    start(silent.local_endpoint().port());
    std::vector<base::MessageId> ids;
    for (int k = 0; k < 60; ++k) ids.push_back(send("anna@here.example", {"carl@there.example"}));
    std::vector<spool::RecipientState> away;
    EXPECT_TRUE(eventually([&] {
        away.clear();
        for (const auto id : ids)
            if (deferred(id, 0)) away.push_back(*state(id));
        return away.size() >= 30;
    }));
    EXPECT_THAT(away.back().last_status, HasSubstr("in line"));
    EXPECT_EQ(away.back().attempts, 0) << "it was not tried";
    EXPECT_EQ(away.back().site, away.front().site);
    const auto other = send("anna@here.example", {"bob@here.example"});
    EXPECT_TRUE(eventually([&] { return gone(other); }));
    EXPECT_LT(active(), 30);
}

TEST_F(DispatcherTest, PutsOffWhatComesForASiteAtRestToTheEndOfIt) {
    ScriptedPeer peer(std::vector<std::string>(5, kBusy));
    options_.retry.steps = {std::chrono::seconds(1)};
    start(peer.port());
    const auto first = send("anna@here.example", {"carl@there.example"});
    ASSERT_TRUE(eventually([&] { return deferred(first, 1) && active() == 0; }));
    const auto second = send("anna@here.example", {"carl@there.example"});
    ASSERT_TRUE(eventually([&] { return deferred(second, 1); }));
    EXPECT_THAT(state(second)->last_status, HasSubstr("could be reached lately"));
    EXPECT_EQ(state(second)->due, clock_.now() + std::chrono::seconds(30));
}

TEST_F(DispatcherTest, TriesASiteAtRestWhenTheOperatorAsks) {
    ScriptedPeer peer({kBusy, kBusy, kBusy, kBusy, kBusy, kHello + kTaken + kQuit});
    start(peer.port());
    const auto id = send("anna@here.example", {"carl@there.example"});
    for (std::uint32_t attempt = 1; attempt <= 5; ++attempt) {
        ASSERT_TRUE(eventually([&] { return deferred(id, attempt) && active() == 0; })) << attempt;
        EXPECT_THAT(state(id)->last_status, HasSubstr("busy")) << attempt;
        EXPECT_EQ(change(id, Change::retry), 1);
    }
    EXPECT_TRUE(eventually([&] { return gone(id); }));
}

TEST_F(DispatcherTest, StopsWhileAServerIsSilentAndLeavesTheMailInTheSpool) {
    ScriptedPeer peer({kHello + kTaken + kQuit, "H:\n"});
    start(peer.port());
    const auto first = send("anna@here.example", {"carl@there.example"});
    EXPECT_TRUE(eventually([&] { return gone(first); }));
    stop();
    const auto late = send("anna@here.example", {"carl@there.example", "bob@here.example"});
    EXPECT_EQ(active(), 0);
    EXPECT_EQ(state(late)->standing, Standing::waiting);
    EXPECT_TRUE(mail_of("bob").empty());
}

TEST_F(DispatcherTest, StopRecordsWhatHasEnded) {
    start();
    for (int k = 0; k < 50; ++k) send("carl@there.example", {"anna@here.example"});
    stop();
    EXPECT_EQ(mail_of("anna").size() + spool_.stats().messages, 50);
}

}  // namespace
}  // namespace thurn::delivery
