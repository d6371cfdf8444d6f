#include "smtp/lenient_path.h"

#include "smtp/command.h"

#include <gtest/gtest.h>

namespace thurn::smtp {
namespace {

TEST(LenientPath, IsMendedWithoutLosingAnything) {
    struct Row {
        std::string said;
        std::string meant;
    };
    for (const auto& [said, meant] : std::initializer_list<Row>{{"a@b.example", "<a@b.example>"},
                                                                {"a@b.example SIZE=10", "<a@b.example> SIZE=10"},
                                                                {"a.@b.example", "<\"a.\"@b.example>"},
                                                                {"<a.@b.example>", "<\"a.\"@b.example>"},
                                                                {"<a..b@c.example> SIZE=1", "<\"a..b\"@c.example> SIZE=1"},
                                                                {"<.a@b.example>", "<\".a\"@b.example>"}})
        EXPECT_EQ(mend_path(said), meant) << said;
}

TEST(LenientPath, LeavesWhatIsRightOrLeavesAChoice) {
    for (const std::string said : {"<a@b.example>", "<>", "<postmaster>", "", "a", "@b", "a@b@c", "<a@b", "<\"a..b\"@c.example>",
                                   "\"a b\"@c", "<@x:a..b@c.example>", "a,b@c", "(a)b..c@d", "<a..b@[192.0.2.1]>", "<a@b>c..d@e>"})
        EXPECT_EQ(mend_path(said), said) << said;
}

std::optional<mail::Mailbox> sender_of(const std::string& line, AddressSyntax syntax) {
    const ServerExtensions extensions;
    const auto command = parse_command(split_command(line), {.extensions = extensions, .addresses = syntax});
    if (!command) return std::nullopt;
    return std::get<MailCommand>(*command).path.mailbox;
}

TEST(LenientPath, IsReadInTheLenientModeAlone) {
    for (const auto* line : {"MAIL FROM:a@b.example", "MAIL FROM:<a..b@c.example> SIZE=10", "MAIL FROM: .a@b.example"}) {
        EXPECT_FALSE(sender_of(line, AddressSyntax::strict)) << line;
        EXPECT_TRUE(sender_of(line, AddressSyntax::lenient)) << line;
    }
    const std::string longer = "MAIL FROM:<" + std::string(100, 'v') + "@b.example>";
    EXPECT_FALSE(sender_of(longer, AddressSyntax::strict));
    EXPECT_EQ(sender_of(longer, AddressSyntax::lenient)->local, std::string(100, 'v'));
    EXPECT_FALSE(sender_of("MAIL FROM:<" + std::string(250, 'v') + "@b.example>", AddressSyntax::lenient)) << "a path has 256 octets";
    for (const auto* line : {"MAIL FROM:a@b@c", "MAIL FROM:<a b@c>", "MAIL FROM:a@", "MAIL FROM:<a@b", "MAIL FROM:"})
        EXPECT_FALSE(sender_of(line, AddressSyntax::lenient)) << line;
}

}  // namespace
}  // namespace thurn::smtp
