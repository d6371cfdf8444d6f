#include "mailauth/dmarc_record.h"

#include <string>

#include <gtest/gtest.h>

namespace thurn::mailauth {
namespace {

TEST(DmarcRecord, IsKnownByItsVersion) {
    for (const char* text : {"v=DMARC1", "v=DMARC1;", "v = DMARC1 ; p=none", "v=DMARC1;p=reject", "V=DMARC1; p=none", " v=DMARC1; p=none"})
        EXPECT_TRUE(parse_dmarc_record(text)) << text;
    for (const char* text :
         {"", "v=dmarc1; p=none", "v=DMARC10; p=none", "v=DMARC1 p=none", "p=none; v=DMARC1", "v=spf1 -all", ";v=DMARC1"})
        EXPECT_FALSE(parse_dmarc_record(text)) << text;
}

TEST(DmarcRecord, IsReadWhole) {
    const auto record = parse_dmarc_record(
        "v=DMARC1; p=reject; sp=Quarantine; np=none; adkim=s; aspf=S; fo=1:d:s; t=y; psd=n; "
        "rua=mailto:a@b.example!10m, https://c.example/x; ruf=mailto:d@e.example");
    ASSERT_TRUE(record);
    EXPECT_EQ(record->p, DmarcPolicy::reject);
    EXPECT_EQ(record->sp, DmarcPolicy::quarantine);
    EXPECT_EQ(record->np, DmarcPolicy::none);
    EXPECT_EQ(record->adkim, DmarcAlignment::strict);
    EXPECT_EQ(record->aspf, DmarcAlignment::strict);
    EXPECT_EQ(record->fo, "1:d:s");
    EXPECT_EQ(record->mode, DmarcRecord::Mode::test);
    EXPECT_EQ(record->psd, DmarcRecord::PublicSuffix::no);
    EXPECT_EQ(record->rua, (std::vector<std::string>{"mailto:a@b.example", "https://c.example/x"}));
    EXPECT_EQ(record->ruf, (std::vector<std::string>{"mailto:d@e.example"}));
    EXPECT_FALSE(record->wrong_policy);
}

TEST(DmarcRecord, ToleratesWhatItNeedNotKnow) {
    const auto record = parse_dmarc_record(
        "v=DMARC1;; foo; pct=20; rf=afrf; ri=1; x-y=z; rua=mailto:a@b.example; adkim=q; aspf=; fo=x; t=1; psd=maybe; p=reject ; p=none;");
    ASSERT_TRUE(record);
    EXPECT_EQ(record->p, DmarcPolicy::reject) << "the order is free, the first of a name counts";
    EXPECT_EQ(record->adkim, DmarcAlignment::relaxed);
    EXPECT_EQ(record->fo, "0");
    EXPECT_EQ(record->mode, DmarcRecord::Mode::enforced);
    EXPECT_EQ(record->psd, DmarcRecord::PublicSuffix::unknown);
    ASSERT_TRUE(record->usable());
    EXPECT_EQ(record->usable()->p, DmarcPolicy::reject);
}

struct UsableCase {
    const char* name;
    const char* record;
    const char* p;  // empty: not usable
};
class DmarcRecordUsable : public testing::TestWithParam<UsableCase> {};
TEST_P(DmarcRecordUsable, GoesByThePolicyOrByWhomToReportTo) {
    const auto record = parse_dmarc_record(GetParam().record);
    ASSERT_TRUE(record);
    const auto usable = record->usable();
    EXPECT_EQ(usable ? dmarc_policy_name(usable->p.value()) : "", GetParam().p);
    if (usable && record->wrong_policy) EXPECT_FALSE(usable->sp || usable->np);
}
INSTANTIATE_TEST_SUITE_P(Rfc9989Section4101, DmarcRecordUsable,
                         testing::Values(UsableCase{"Plain", "v=DMARC1; p=reject", "reject"}, UsableCase{"NoP", "v=DMARC1; sp=reject", ""},
                                         UsableCase{"NoPButReports", "v=DMARC1; sp=reject; rua=mailto:a@b.example", "none"},
                                         UsableCase{"WrongP", "v=DMARC1; p=quarantaine", ""},
                                         UsableCase{"WrongPButReports", "v=DMARC1; p=foo; rua=mailto:a@b.example", "none"},
                                         UsableCase{"WrongSp", "v=DMARC1; p=reject; sp=foo", ""},
                                         UsableCase{"WrongNpButReports", "v=DMARC1; p=reject; np=; rua=mailto:a@b.example", "none"},
                                         UsableCase{"WrongPAndWrongReports", "v=DMARC1; p=foo; rua=a@b.example, mailto:c", ""},
                                         UsableCase{"OneGoodReportAddress", "v=DMARC1; rua=nobody, mailto:a@b.example!5m", "none"}),
                         [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace thurn::mailauth
