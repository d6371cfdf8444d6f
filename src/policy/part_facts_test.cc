#include "policy/part_facts.h"

#include "policy/content.h"

#include <gtest/gtest.h>

namespace thurn::policy {
namespace {

const scan::MessageParts kParts{
    .attachments = {{.names = {"a.pdf", "b.scr"}, .type = "application/pdf", .kind = scan::FileKind::pdf, .size = 5},
                    {.names = {}, .type = "application/zip", .kind = scan::FileKind::zip, .size = 7, .macros = true, .encrypted = true}},
    .texts = {"Hello"},
    .parts = 4,
    .depth = 1,
    .faults = {"unended"}};

const scan::MessageArchives kArchives{
    .names = {"x.zip"},
    .listing = {.members = {{.path = "a.txt", .size = 3},
                            {.path = "b/c.PDF", .depth = 2, .size = 4, .kind = scan::FileKind::elf_program},
                            {.path = "d.docm", .depth = 2, .size = 1, .encrypted = true}},
                .broken = {{0, "truncated"}},
                .excess = {{0, "ratio"}}}};

TEST(PartFact, IsToldOfWhatTheMessageIsMadeOf) {
    EXPECT_EQ(part_fact("attachment.count", kParts), FactValue(2.0));
    EXPECT_EQ(part_fact("attachment.size", kParts), FactValue(7.0));
    EXPECT_EQ(part_fact("attachment.names", kParts), FactValue(Texts{"a.pdf", "b.scr"}));
    EXPECT_EQ(part_fact("attachment.extensions", kParts), FactValue(Texts{"pdf", "scr"}));
    EXPECT_EQ(part_fact("attachment.types", kParts), FactValue(Texts{"application/pdf", "application/zip"}));
    EXPECT_EQ(part_fact("attachment.kinds", kParts), FactValue(Texts{"pdf", "zip"}));
    EXPECT_EQ(part_fact("attachment.executable", kParts), FactValue(std::string("a.pdf (.scr)")));
    EXPECT_EQ(part_fact("attachment.macros", kParts), FactValue(std::string("unnamed application/zip (macros)")));
    EXPECT_EQ(part_fact("attachment.encrypted", kParts), FactValue(std::string("unnamed application/zip")));
    EXPECT_EQ(part_fact("body", kParts), FactValue(Texts{"Hello"}));
    EXPECT_EQ(part_fact("part_count", kParts), FactValue(4.0));
    EXPECT_EQ(part_fact("part_depth", kParts), FactValue(1.0));
    EXPECT_EQ(part_fact("part_faults", kParts), FactValue(Texts{"unended"}));
}

TEST(ArchiveFact, IsToldOfWhatArchivesHold) {
    EXPECT_EQ(archive_fact("archive.count", kArchives), FactValue(3.0));
    EXPECT_EQ(archive_fact("archive.size", kArchives), FactValue(8.0));
    EXPECT_EQ(archive_fact("archive.depth", kArchives), FactValue(2.0));
    EXPECT_EQ(archive_fact("archive.names", kArchives), FactValue(Texts{"x.zip/a.txt", "x.zip/b/c.PDF", "x.zip/d.docm"}));
    EXPECT_EQ(archive_fact("archive.extensions", kArchives), FactValue(Texts{"docm", "pdf", "txt"}));
    EXPECT_EQ(archive_fact("archive.kinds", kArchives), FactValue(Texts{"elf-program"}));
    EXPECT_EQ(archive_fact("archive.executable", kArchives), FactValue(std::string("x.zip/b/c.PDF (elf-program)")));
    EXPECT_EQ(archive_fact("archive.macros", kArchives), FactValue(std::string("x.zip/d.docm (.docm)")));
    EXPECT_EQ(archive_fact("archive.encrypted", kArchives), FactValue(std::string("x.zip/d.docm")));
    EXPECT_EQ(archive_fact("archive.broken", kArchives), FactValue(std::string("x.zip (truncated)")));
    EXPECT_EQ(archive_fact("archive.excess", kArchives), FactValue(std::string("x.zip (ratio)")));
}

/// Whichever kinds there are, somebody can tell them, and of the type they are declared.
TEST(PartFacts, AreAllKnown) {
    ContentFindings found;
    found.parts = kParts;
    found.archives = kArchives;
    std::size_t known = 0;
    for (const auto& kind : fact_kinds()) {
        const Fact fact{&kind, std::string(kind.name)};
        const auto source = content_source(fact);
        if (source != ContentSource::parts && source != ContentSource::archives) continue;
        ++known;
        const auto value = content_fact(fact, found);
        const auto type = std::holds_alternative<double>(value)        ? FactType::number
                          : std::holds_alternative<std::string>(value) ? FactType::text
                          : std::holds_alternative<Texts>(value)       ? FactType::texts
                                                                       : FactType::address;
        EXPECT_EQ(type, kind.type) << kind.name;
        EXPECT_TRUE(kind.looked_up) << kind.name;
    }
    EXPECT_EQ(known, 24U);
}

}  // namespace
}  // namespace thurn::policy
