#include "policy/fact.h"

#include "mail/part_reader.h"
#include "policy/rule.h"
#include "scan/file_kind.h"

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

#include <gtest/gtest.h>

namespace thurn::policy {
namespace {

std::string manual() {
    std::ifstream in(THURN_SOURCE_DIR "/docs/policy.md");
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
}

std::string stages_of(const FactKind& kind) {
    if (kind.since == kind.until) return std::string(name_of(kind.since));
    return std::string(name_of(kind.since)) + " on";
}

TEST(PolicyManual, HasEveryFactAsItIs) {
    const auto text = manual();
    const char* const types[] = {"flag", "number", "text", "texts", "address"};
    for (const auto& kind : fact_kinds()) {
        std::string name(kind.name);
        if (name.ends_with('*')) name.replace(name.size() - 1, 1, "NAME");
        const auto row = "| `" + name + "` | " + types[static_cast<int>(kind.type)] + (kind.looked_up ? ", looked up" : "") + " | " +
                         stages_of(kind) + " | " + std::string(kind.means) + " |\n";
        EXPECT_NE(text.find(row), std::string::npos) << "docs/policy.md needs: " << row;
    }
}

TEST(PolicyManual, HasTheDefaultRulesAsTheyAre) {
    const auto text = manual();
    for (const auto& rule : default_rules()) {
        EXPECT_NE(
            text.find("name = \"" + rule.name + "\"\nstage = \"" + std::string(name_of(rule.stage)) + "\"\nwhen = '" + rule.when + "'\n"),
            std::string::npos)
            << rule.name;
        EXPECT_NE(text.find("text = \"" + rule.text + "\""), std::string::npos) << rule.name;
    }
}

TEST(PolicyManual, HasTheNamedSetsAsTheyAre) {
    const auto text = manual();
    const auto expect = [&](std::string_view name) { EXPECT_NE(text.find("`" + std::string(name) + "`"), std::string::npos) << name; };
    for (const auto& set : {scan::program_extensions(), scan::macro_extensions()}) std::ranges::for_each(set, expect);
    for (std::size_t kind = 1; kind < scan::kFileKinds; ++kind) expect(name_of(static_cast<scan::FileKind>(kind)));
    for (std::size_t fault = 0; fault < mail::kPartFaults; ++fault) expect(name_of(static_cast<mail::PartFault>(fault)));
}

TEST(FactKinds, HaveOneNameEach) {
    std::set<std::string_view> names;
    for (const auto& kind : fact_kinds()) {
        EXPECT_TRUE(names.insert(kind.name).second) << kind.name;
        EXPECT_EQ(find_fact_kind(kind.name), &kind);
    }
    EXPECT_EQ(find_fact_kind("header.X-Spam")->name, "header.*");
    EXPECT_EQ(find_fact_kind("header"), nullptr);
}

TEST(RenderFact, IsShortAndSafe) {
    EXPECT_EQ(render_fact(true), "true");
    EXPECT_EQ(render_fact(2.5), "2.5");
    EXPECT_EQ(render_fact(std::string("a\r\nb")), "\"a??b\"");
    EXPECT_EQ(render_fact(Texts{"a", "b"}), "[\"a\", \"b\"]");
    EXPECT_EQ(render_fact(Unavailable{"timed out"}), "unavailable (timed out)");
    EXPECT_LT(render_fact(std::string(5000, 'x')).size(), 300u);
    EXPECT_LT(render_fact(Texts(5000, "xxxx")).size(), 300u);
}

}  // namespace
}  // namespace thurn::policy
