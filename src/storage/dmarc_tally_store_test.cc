#include "storage/dmarc_tally_store.h"

#include <cstdlib>

#include <gtest/gtest.h>

namespace thurn::storage {
namespace {

using std::chrono::sys_days;
constexpr sys_days kDay = std::chrono::year(2026) / 11 / 22;

mailauth::DmarcObservation seen(const std::string& domain, const std::string& client = "192.0.2.1", base::Time when = kDay) {
    mailauth::DmarcObservation observation{.when = when, .client = *dns::parse_ip(client)};
    auto& verdict = observation.verdict;
    verdict.result = mailauth::DmarcResult::fail;
    verdict.author_domain = domain;
    verdict.policy_domain = domain;
    verdict.record = mailauth::parse_dmarc_record("v=DMARC1; p=none; rua=mailto:a@" + domain + ",mailto:b@" + domain);
    return observation;
}

class DmarcTallyStoreTest : public testing::Test {
protected:
    void SetUp() override {
        std::string pattern = (std::filesystem::temp_directory_path() / "thurn-tally-XXXXXX").string();
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        folder_ = pattern;
        options_.path = folder_ / "reports.db";
        open();
    }
    void TearDown() override {
        store_.reset();
        std::filesystem::remove_all(folder_);
    }
    void open() {
        store_.reset();
        auto opened = DmarcTallyStore::open(options_);
        ASSERT_TRUE(opened) << opened.error().detail;
        store_ = *std::move(opened);
    }
    void flush() {
        const auto flushed = store_->flush();
        ASSERT_TRUE(flushed) << flushed.error().detail;
    }
    std::vector<DmarcTally> tallies(sys_days before = kDay + std::chrono::days(1)) {
        auto found = store_->unfinished(before);
        EXPECT_TRUE(found) << found.error().detail;
        return found.value_or(std::vector<DmarcTally>{});
    }

    std::filesystem::path folder_;
    DmarcTallyOptions options_;
    std::unique_ptr<DmarcTallyStore> store_;
};

TEST_F(DmarcTallyStoreTest, CountsWhatIsTheSameOverRestarts) {
    for (int i = 0; i < 3; ++i) store_->add(seen("example.com"));
    flush();
    open();
    store_->add(seen("example.com"));
    store_->add(seen("example.com", "192.0.2.2"));
    store_->add(seen("example.net"));
    flush();
    const auto found = tallies();
    ASSERT_EQ(found.size(), 2U);
    EXPECT_EQ(found[0].domain, "example.com");
    EXPECT_EQ(found[0].day, kDay);
    EXPECT_EQ(found[0].rua, (std::vector<std::string>{"mailto:a@example.com", "mailto:b@example.com"}));
    const auto report = store_->load(found[0].id);
    ASSERT_TRUE(report) << report.error().detail;
    EXPECT_EQ(report->policy.p, "none");
    ASSERT_EQ(report->records.size(), 2U);
    EXPECT_EQ(report->records[0].source_ip, "192.0.2.1");
    EXPECT_EQ(report->records[0].count, 4U);
    EXPECT_EQ(report->records[1].count, 1U);
}

TEST_F(DmarcTallyStoreTest, KeepsDaysApart) {
    store_->add(seen("example.com", "192.0.2.1", kDay + std::chrono::hours(24) - std::chrono::milliseconds(1)));
    store_->add(seen("example.com", "192.0.2.1", kDay + std::chrono::hours(24)));
    flush();
    EXPECT_EQ(tallies(kDay).size(), 0U);
    EXPECT_EQ(tallies(kDay + std::chrono::days(1)).size(), 1U);
    EXPECT_EQ(tallies(kDay + std::chrono::days(2)).size(), 2U);
}

TEST_F(DmarcTallyStoreTest, BoundsTheRowsOfAReport) {
    options_.rows = 2;
    open();
    for (const auto* client : {"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.3", "192.0.2.1"}) store_->add(seen("example.com", client));
    flush();
    ASSERT_EQ(tallies().size(), 1U);
    EXPECT_EQ(tallies()[0].dropped, 2U);
    EXPECT_EQ(store_->load(tallies()[0].id)->records.size(), 2U);
}

TEST_F(DmarcTallyStoreTest, BoundsReportsAndMemory) {
    options_.policies_of_domain = 2;
    options_.reports_a_day = 3;
    options_.waiting = 6;
    open();
    for (const auto* policy : {"none", "reject", "quarantine"}) {
        auto observation = seen("example.com");
        observation.verdict.record->p = *mailauth::parse_dmarc_record("v=DMARC1; p=" + std::string(policy))->p;
        store_->add(observation);
    }
    for (const auto* domain : {"a.example", "b.example", "c.example"}) store_->add(seen(domain));
    store_->add(seen("d.example"));  // one more than waits
    flush();
    EXPECT_EQ(tallies().size(), 3U);
}

TEST_F(DmarcTallyStoreTest, RemembersWhatWasSent) {
    store_->add(seen("example.com"));
    flush();
    const auto tally = tallies().at(0);
    ASSERT_TRUE(store_->record_sent(tally, "a@example.com", "01ABC", kDay));
    open();
    EXPECT_EQ(*store_->destinations_done(tally.id), std::vector<std::string>{"a@example.com"});
    EXPECT_EQ(*store_->count_sent(kDay), 1U);
    EXPECT_EQ(*store_->count_sent(kDay + std::chrono::seconds(1)), 0U);
    ASSERT_TRUE(store_->finish(tally.id));
    EXPECT_TRUE(tallies().empty());
    EXPECT_EQ(store_->load(tally.id).error().kind, base::ErrorKind::not_found);
    ASSERT_TRUE(store_->forget_old(kDay + std::chrono::days(11)));
    EXPECT_EQ(*store_->count_sent(kDay), 0U);
}

TEST_F(DmarcTallyStoreTest, ForgetsWhatNobodyCouldSend) {
    store_->add(seen("example.com"));
    flush();
    ASSERT_TRUE(store_->forget_old(kDay + options_.keep));
    EXPECT_EQ(tallies().size(), 1U);
    ASSERT_TRUE(store_->forget_old(kDay + options_.keep + std::chrono::days(1)));
    EXPECT_TRUE(tallies().empty());
}

TEST_F(DmarcTallyStoreTest, LeavesOutWhatNobodyAskedFor) {
    auto observation = seen("example.com");
    observation.verdict.record->rua.clear();
    store_->add(observation);
    flush();
    EXPECT_TRUE(tallies().empty());
}

}  // namespace
}  // namespace thurn::storage
