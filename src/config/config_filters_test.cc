// Scanners, policy servers and scripts: where their rules stand, and what does not fit together.
#include "support/parsed_config.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <unistd.h>

namespace thurn::config {
namespace {

namespace fs = std::filesystem;

TEST(Scanners, VirusesAreJudgedBeforeAllOtherRulesAndSpamBehindThem) {
    const auto config = parse(
        "[[scanner]]\nname = \"s\"\nkind = \"spamd\"\nsocket = \"unix:/s\"\n"
        "[[scanner]]\nname = \"c\"\nkind = \"clamd\"\nsocket = \"inet:[::1]:3310\"\ndefault_action = \"accept\"\n"
        "[[rule]]\nname = \"mine\"\nstage = \"content\"\naction = \"accept\"\n");
    ASSERT_TRUE(config) << config.error().detail;
    std::vector<std::string> names;
    for (const auto& rule : config->config.rulebook->rules.at(policy::Stage::content)) names.push_back(rule.said.name);
    EXPECT_EQ(names, (std::vector<std::string>{"scanner.c", "mine", "scanner.s", "scanner.s.down"}));
    EXPECT_EQ(config->config.scanners[0].action, policy::Action::junk);
    EXPECT_EQ(config->config.scanners[1].action, policy::Action::reject);
}

TEST(Scanners, OfAKindAreAloneOnAListener) {
    const std::string one = "[[scanner]]\nname = \"a\"\nkind = \"clamd\"\nsocket = \"unix:/a\"\n";
    EXPECT_TRUE(parse(one + "[[scanner]]\nname = \"b\"\nkind = \"clamd\"\nsocket = \"unix:/b\"\non = [\"submission\"]\n"));
    for (const auto* wrong : {"[[scanner]]\nname = \"b\"\nkind = \"clamd\"\nsocket = \"unix:/b\"\n",
                              "[[scanner]]\nname = \"a\"\nkind = \"spamd\"\nsocket = \"unix:/b\"\n",
                              "[[scanner]]\nname = \"b\"\nsocket = \"unix:/b\"\non = [\"lmtp\"]\n",
                              "[[scanner]]\nname = \"b\"\nkind = \"spamd\"\nsocket = \"/b\"\n",
                              "[[scanner]]\nname = \"b\"\nkind = \"spamd\"\nsocket = \"unix:/b\"\naction = \"redirect\"\n"})
        EXPECT_FALSE(parse(one + wrong)) << wrong;
}

std::vector<std::string> rules_at(const base::Result<Loaded>& loaded, policy::Stage stage) {
    std::vector<std::string> names;
    for (const auto& rule : loaded.value().config.rulebook->rules.at(stage)) names.push_back(rule.said.name);
    return names;
}

TEST(PolicyServers, AreAskedBehindAllRulesUnlessARuleAsksThem) {
    const std::string server = "[[policy_server]]\nname = \"p\"\nsocket = \"inet:127.0.0.1:10023\"\n";
    const std::string rule = "[[rule]]\nname = \"mine\"\nstage = \"rcpt\"\naction = \"accept\"\n";
    EXPECT_EQ(rules_at(parse(server + rule), policy::Stage::rcpt), (std::vector<std::string>{"mine", "policy_server.p"}));
    const auto asked = parse(server + "[[rule]]\nname = \"asks\"\nstage = \"rcpt\"\nask = \"p\"\n" + rule);
    EXPECT_EQ(rules_at(asked, policy::Stage::rcpt), (std::vector<std::string>{"asks", "mine"}));
    const auto twice = parse(server + "stages = [\"mail\", \"content\"]\non = [\"submission\"]\nwhen = 'size > 1'\n");
    EXPECT_EQ(rules_at(twice, policy::Stage::mail), (std::vector<std::string>{"sender-domain", "policy_server.p.mail"}));
    const auto& own = twice->config.rulebook->rules.at(policy::Stage::content).back().said;
    EXPECT_EQ(own.when, "listener in [\"submission\", \"submissions\"] and (size > 1)");
}

TEST(PolicyServers, AreCheckedAsAWhole) {
    const std::string one = "[[policy_server]]\nname = \"p\"\n";
    const std::string at = one + "socket = \"unix:/p\"\n";
    EXPECT_TRUE(parse(one + "url = \"http://127.0.0.1:81/x\"\nstages = [\"auth\"]\n"));
    const std::vector<std::pair<std::string, std::string>> wrong{
        {one, "is no place of a filter"},
        {one + "url = \"ftp://a\"\n", "is no web address"},
        {at + "url = \"http://a/\"\n", "not both"},
        {at + at, "is the name of what stands at"},
        {at + "stages = []\n", "never be asked"},
        {at + "stages = [\"auth\"]\n", "no question for auth"},
        {at + "when = 'sendr = \"a\"'\n", "sendr"},
        {at + "stages = [\"helo\"]\nwhen = 'sender = \"a\"'\n", "known from stage mail on"},
        {at + "facts = [\"header.Subject\"]\n", "header.Subject is known from stage content on"},
        {at + "credentials = \"env:PATH\"\n", "credentials"},
        {at + "ca_file = \"/x\"\n", "goes with a https: url only"},
        {at + "[[rule]]\nname = \"r\"\nstage = \"rcpt\"\nask = \"q\"\n", "there is no [[policy_server]] or [[script]] of the name \"q\""},
        {at + "[[rule]]\nname = \"r\"\nstage = \"auth\"\nask = \"p\"\n", "no question for auth"},
        {at + "[[rule]]\nname = \"r\"\nstage = \"rcpt\"\nask = \"p\"\naction = \"reject\"\n", "goes with name, stage and when only"},
        {at + "stages = [\"mail\"]\n[[rule]]\nname = \"r\"\nstage = \"rcpt\"\nask = \"p\"\n", "leave that or this out"},
        {at + "[[rule]]\nname = \"policy_server.p\"\nstage = \"rcpt\"\naction = \"accept\"\n", "is the name of the rule"},
        {at + "facts = [\"dnsbl.zen\"]\n", "there is no [[dnsbl]]"},
    };
    for (const auto& [text, error] : wrong) {
        const auto loaded = parse(text);
        ASSERT_FALSE(loaded) << text;
        EXPECT_THAT(loaded.error().detail, HasSubstr(error)) << text;
    }
}

TEST(Scripts, AreCompiledWhenTheConfigurationIsRead) {
    std::string file = (fs::temp_directory_path() / "thurn-script-XXXXXX").string();
    ::close(::mkstemp(file.data()));
    const auto write = [&file](std::string_view text) { std::ofstream(file) << text; };
    const auto script = fmt::format("[[script]]\nname = \"s\"\nfile = \"{}\"\n", file);
    write("return 'reject'");
    EXPECT_EQ(rules_at(parse(script + "stages = [\"mail\"]\n"), policy::Stage::mail),
              (std::vector<std::string>{"sender-domain", "script.s"}));
    const auto asked = parse(script + "[[rule]]\nname = \"r\"\nstage = \"auth\"\nask = \"s\"\n");
    EXPECT_EQ(rules_at(asked, policy::Stage::auth), std::vector<std::string>{"r"});
    EXPECT_THAT(parse(script + "[[policy_server]]\nname = \"s\"\nsocket = \"unix:/s\"\n").error().detail, HasSubstr("name"));
    write("local x =\n= 2");
    const auto wrong = parse(script);
    ASSERT_FALSE(wrong);
    EXPECT_THAT(wrong.error().detail, AllOf(HasSubstr("thurn-script-"), HasSubstr(":2: unexpected symbol near '='")));
    fs::remove(file);
    EXPECT_THAT(parse(script).error().detail, HasSubstr("cannot be read"));
}

}  // namespace
}  // namespace thurn::config
