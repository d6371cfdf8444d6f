#include "storage/received_reports.h"

#include <cstdlib>

#include <gtest/gtest.h>

namespace thurn::storage {
namespace {

using Stored = ReceivedReports::Stored;
constexpr std::chrono::sys_days kDay = std::chrono::year(2026) / 11 / 22;

report::DmarcAggregate dmarc(const std::string& id, const std::string& contact = "Dmarc@Reporter.example") {
    const auto begin = std::chrono::sys_seconds(kDay).time_since_epoch().count();
    return {.metadata = {.org_name = "Reporter", .email = contact, .report_id = id, .date_range = {.begin = begin, .end = begin + 86399}},
            .policy = {.domain = "Example.com"},
            .records = {{.source_ip = "192.0.2.1",
                         .count = 10,
                         .disposition = "none",
                         .dkim = "pass",
                         .spf = "fail",
                         .header_from = "example.com",
                         .dkim_results = {{.domain = "example.com", .selector = "s1", .result = "pass"}}},
                        {.source_ip = "198.51.100.9",
                         .count = 3,
                         .disposition = "reject",
                         .dkim = "fail",
                         .spf = "fail",
                         .reasons = {{.type = "local_policy", .comment = "x"}},
                         .header_from = "news.example.com"}}};
}

class ReceivedReportsTest : public testing::Test {
protected:
    void SetUp() override {
        std::string pattern = (std::filesystem::temp_directory_path() / "thurn-received-XXXXXX").string();
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        folder_ = pattern;
        open({.path = folder_ / "reports.db"});
    }
    void TearDown() override {
        reports_.reset();
        std::filesystem::remove_all(folder_);
    }
    void open(ReceivedReportOptions options) {
        auto opened = ReceivedReports::open(std::move(options));
        ASSERT_TRUE(opened) << opened.error().detail;
        reports_ = *std::move(opened);
    }
    std::filesystem::path folder_;
    std::unique_ptr<ReceivedReports> reports_;
};

TEST_F(ReceivedReportsTest, KeepsAReportOnce) {
    EXPECT_EQ(*reports_->add(dmarc("1"), kDay), Stored::added);
    EXPECT_EQ(*reports_->add(dmarc("1"), kDay), Stored::known);
    EXPECT_EQ(*reports_->add(dmarc("1", "noreply@reporter.example"), kDay), Stored::known) << "the same submitter";
    EXPECT_EQ(*reports_->add(dmarc("1", "x@other.example"), kDay), Stored::added);
    EXPECT_EQ(*reports_->add(dmarc("2"), kDay), Stored::added);
    const auto all = reports_->list({});
    ASSERT_TRUE(all) << all.error().detail;
    ASSERT_EQ(all->size(), 3U);
    EXPECT_EQ(all->back().submitter, "reporter.example");
    EXPECT_EQ(all->back().domain, "example.com");
    EXPECT_EQ(all->back().messages, 13U);
    EXPECT_EQ(all->back().failures, 3U);
    EXPECT_EQ(all->back().begins, base::Time(kDay));
}

TEST_F(ReceivedReportsTest, ShowsItsRows) {
    ASSERT_TRUE(reports_->add(dmarc("1"), kDay));
    const auto report = reports_->find(reports_->list({})->at(0).id);
    ASSERT_TRUE(report);
    const auto rows = reports_->rows(*report);
    ASSERT_TRUE(rows) << rows.error().detail;
    ASSERT_EQ(rows->size(), 2U);
    EXPECT_EQ(rows->at(0).dkim_results, "pass example.com s1");
    EXPECT_EQ(rows->at(1).source, "198.51.100.9");
    EXPECT_EQ(rows->at(1).reasons, "local_policy (x)");
    EXPECT_EQ(reports_->find(99).error().kind, base::ErrorKind::not_found);
}

TEST_F(ReceivedReportsTest, SumsUpWhoSends) {
    ASSERT_TRUE(reports_->add(dmarc("1"), kDay));
    ASSERT_TRUE(reports_->add(dmarc("7", "x@other.example"), kDay));
    const auto all = reports_->summarize({});
    ASSERT_TRUE(all) << all.error().detail;
    ASSERT_EQ(all->size(), 2U);
    EXPECT_EQ(all->at(0).source, "192.0.2.1");
    EXPECT_EQ(all->at(0).messages, 20U);
    EXPECT_EQ(all->at(0).passed, 20U);
    EXPECT_EQ(all->at(0).spf, 0U);
    EXPECT_EQ(all->at(0).reporters, 2U);
    EXPECT_EQ(all->at(1).refused, 6U);
    EXPECT_EQ(reports_->summarize({.domain = "News.example.com"})->size(), 1U);
    EXPECT_EQ(reports_->summarize({.domain = "other.example"})->size(), 0U);
    EXPECT_EQ(reports_->summarize({.since = kDay + std::chrono::days(1)})->size(), 0U);
    EXPECT_EQ(reports_->list({.domain = "example.com", .limit = 1})->size(), 1U);
}

TEST_F(ReceivedReportsTest, KeepsTlsReports) {
    const report::TlsReport tls{.organization_name = "X",
                                .begin = kDay,
                                .end = kDay + std::chrono::hours(24) - std::chrono::seconds(1),
                                .contact_info = "tls@x.example",
                                .report_id = "1",
                                .policies = {{.policy_type = "sts",
                                              .policy_domain = "Example.com",
                                              .successful_sessions = 5,
                                              .failed_sessions = 2,
                                              .failures = {{.result_type = "certificate-expired",
                                                            .sending_mta_ip = "192.0.2.1",
                                                            .receiving_mx_hostname = "mx.example.com",
                                                            .failed_session_count = 2,
                                                            .failure_reason_code = "X509_V_ERR"}}}}};
    EXPECT_EQ(*reports_->add(tls, kDay), Stored::added);
    EXPECT_EQ(*reports_->add(tls, kDay), Stored::known);
    const auto report = reports_->list({.domain = "example.com"})->at(0);
    EXPECT_EQ(report.kind, "tls");
    EXPECT_EQ(report.messages, 7U);
    const auto rows = reports_->rows(report);
    ASSERT_EQ(rows->size(), 2U);
    EXPECT_EQ(rows->at(0).disposition, "success");
    EXPECT_EQ(rows->at(0).count, 5U);
    EXPECT_EQ(rows->at(1).host, "mx.example.com");
    EXPECT_EQ(rows->at(1).disposition, "certificate-expired");
    EXPECT_TRUE(reports_->summarize({})->empty());
}

TEST_F(ReceivedReportsTest, TakesOnlySoMuchInADay) {
    open({.path = folder_ / "small.db", .rows_a_day = 3});
    EXPECT_TRUE(reports_->add(dmarc("1"), kDay));
    EXPECT_EQ(reports_->add(dmarc("2"), kDay).error().kind, base::ErrorKind::full);
    EXPECT_TRUE(reports_->add(dmarc("2"), kDay + std::chrono::days(2)));
}

TEST_F(ReceivedReportsTest, SurvivesAbsurdNumbers) {
    auto report = dmarc("1");
    report.metadata.date_range = {.begin = INT64_MIN, .end = INT64_MAX};
    for (auto& record : report.records) record.count = UINT64_MAX;
    ASSERT_TRUE(reports_->add(report, kDay));
    EXPECT_EQ(reports_->list({})->at(0).messages, 2'000'000'000U);
    EXPECT_TRUE(reports_->summarize({}));
}

TEST_F(ReceivedReportsTest, ForgetsOldReports) {
    ASSERT_TRUE(reports_->add(dmarc("1"), kDay));
    ASSERT_TRUE(reports_->forget_old(kDay + std::chrono::days(400)));
    EXPECT_EQ(reports_->list({})->size(), 1U);
    ASSERT_TRUE(reports_->forget_old(kDay + std::chrono::days(401)));
    EXPECT_TRUE(reports_->list({})->empty());
}

}  // namespace
}  // namespace thurn::storage
