#include "policy/content.h"

#include <gtest/gtest.h>

namespace thurn::policy {
namespace {

Fact fact(std::string_view name) { return {find_fact_kind(name), std::string(name)}; }

TEST(ContentFact, IsWhatScannersSay) {
    ContentFindings found;
    EXPECT_FALSE(found.knows(ContentSource::virus_scanner));
    EXPECT_FALSE(found.knows(ContentSource::spam_scanner));
    found.virus = scan::VirusVerdict{"Eicar"};
    found.spam = scan::SpamVerdict{.spam = true, .score = 12.5, .threshold = 5, .rules = {"A", "B"}};
    EXPECT_FALSE(found.knows(ContentSource::ourselves));
    found.test_pattern = scan::TestPattern::gtube;
    EXPECT_TRUE(found.knows(ContentSource::ourselves));
    EXPECT_EQ(content_fact(fact("test_pattern"), found), FactValue(std::string("gtube")));
    EXPECT_TRUE(found.knows(ContentSource::virus_scanner) && found.knows(ContentSource::spam_scanner));
    EXPECT_EQ(content_fact(fact("virus"), found), FactValue(std::string("Eicar")));
    EXPECT_EQ(content_fact(fact("spam"), found), FactValue(true));
    EXPECT_EQ(content_fact(fact("spam_score"), found), FactValue(12.5));
    EXPECT_EQ(content_fact(fact("spam_rules"), found), FactValue(Texts{"A", "B"}));
}

TEST(ContentFact, IsUnavailableWhereTheScannerIs) {
    ContentFindings found;
    found.virus = base::fail(base::ErrorKind::timed_out, "silent");
    found.spam = base::fail(base::ErrorKind::peer_gone, "gone");
    EXPECT_EQ(content_fact(fact("virus"), found), FactValue(Unavailable{"silent"}));
    for (const auto* name : {"spam", "spam_score", "spam_rules"})
        EXPECT_EQ(content_fact(fact(name), found), FactValue(Unavailable{"gone"}));
}

TEST(ContentSource, IsToldOfEveryFactThatHasOne) {
    for (const auto* name : {"virus", "spam", "spam_score", "spam_rules", "test_pattern"}) {
        EXPECT_NE(content_source(fact(name)), ContentSource::none);
        EXPECT_TRUE(find_fact_kind(name)->looked_up) << "others are asked: " << name;
    }
    for (const auto* name : {"score", "sender.exists", "header.Subject"}) EXPECT_EQ(content_source(fact(name)), ContentSource::none);
}

}  // namespace
}  // namespace thurn::policy
