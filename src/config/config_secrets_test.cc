#include "support/parsed_config.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace thurn::config {
namespace {

namespace fs = std::filesystem;

class SecretTest : public testing::Test {
protected:
    SecretTest() {
        std::string name = (fs::temp_directory_path() / "thurn-secret-XXXXXX").string();
        root_ = ::mkdtemp(name.data());
    }
    ~SecretTest() override {
        std::error_code ignored;
        fs::remove_all(root_, ignored);
        ::unsetenv("THURN_TEST_SECRET");
    }
    std::string file(std::string_view content) const {
        const auto path = root_ / "auth";
        std::ofstream(path, std::ios::binary) << content;
        return "file:" + path.string();
    }
    fs::path root_;
};

TEST_F(SecretTest, ComesFromAFileOrTheEnvironment) {
    const auto from_file = read_secret(file("anna:pass:word\r\nsecond line\n")).value();
    EXPECT_EQ(from_file.login, "anna");
    EXPECT_EQ(from_file.password, "pass:word");
    ::setenv("THURN_TEST_SECRET", "bob:x", 1);
    EXPECT_EQ(read_secret("env:THURN_TEST_SECRET").value().login, "bob");
}

TEST_F(SecretTest, IsNeverInAMessage) {
    EXPECT_THAT(read_secret(file("hunter2\n")).error().detail, AllOf(HasSubstr("login:password"), Not(HasSubstr("hunter2"))));
    EXPECT_THAT(read_secret(file(":hunter2\n")).error().detail, Not(HasSubstr("hunter2")));
    EXPECT_THAT(read_secret("anna:hunter2").error().detail, Not(HasSubstr("hunter2")));
    EXPECT_EQ(read_secret("file:/no/such/file").error().kind, base::ErrorKind::not_found);
    EXPECT_EQ(read_secret("env:THURN_TEST_NOT_SET").error().kind, base::ErrorKind::not_found);
    EXPECT_THAT(complaint("[[route]]\nnext_hop = \"smtp://relay.example\"\nauth = \"anna:hunter2\""),
                AllOf(HasSubstr("route[1].auth"), Not(HasSubstr("hunter2"))));
    const auto reference = file("anna:hunter2\n");
    const auto loaded = parse("[[route]]\nnext_hop = \"smtp://relay.example\"\ntls = \"verify\"\nauth = \"" + reference + "\"").value();
    for (const auto& setting : loaded.settings) EXPECT_THAT(setting.value, Not(HasSubstr("hunter2"))) << setting.key;
}

TEST_F(SecretTest, AndConfigurationsThatOthersCanReachAreWarnedOf) {
    const auto secret = file("a:b\n");
    const auto script = root_ / "rule.lua";
    std::ofstream(script) << "return nil\n";
    const auto config = root_ / "thurn.toml";
    std::ofstream(config) << "hostname = \"mx.a.example\"\n[[route]]\nnext_hop = \"smtp://relay.example\"\ntls = \"verify\"\nauth = \""
                          << secret << "\"\n[[script]]\nname = \"rule\"\nfile = \"" << script.string() << "\"\n";
    const auto reach = [&](const fs::path& path, unsigned mode) { fs::permissions(path, fs::perms(mode)); };
    const auto warnings = [&] { return load_config(config, {}).value().warnings; };
    for (const auto& path : {root_ / "auth", script, config}) reach(path, 0600);
    EXPECT_THAT(warnings(), IsEmpty());
    reach(root_ / "auth", 0640);
    reach(config, 0644);
    EXPECT_THAT(warnings(), IsEmpty()) << "its group may read a secret, and everybody what is none";
    reach(root_ / "auth", 0604);
    EXPECT_THAT(warnings(), ElementsAre(AllOf(HasSubstr("/auth: everybody"), HasSubstr("chmod 0600"))));
    reach(root_ / "auth", 0600);
    reach(script, 0602);
    reach(config, 0646);
    EXPECT_THAT(warnings(),
                ElementsAre(HasSubstr("/thurn.toml: everybody on this machine can change it"), HasSubstr("/rule.lua: everybody")));
    if (::geteuid() != 0) return;  // the rest gives files away
    reach(script, 0600);
    reach(config, 0660);
    ASSERT_EQ(::chown(config.c_str(), 0, 4242), 0);
    EXPECT_THAT(warnings(), ElementsAre(HasSubstr("its group, 4242, can change it")));
    reach(config, 0600);
    ASSERT_EQ(::chown(config.c_str(), 4242, 0), 0);
    EXPECT_THAT(warnings(), ElementsAre(HasSubstr("belongs to user 4242, who can change it; chown it to root")));
}

TEST_F(SecretTest, IsNotSentInClear) {
    EXPECT_THAT(complaint("[[route]]\nnext_hop = \"smtp://relay.example\"\ntls = \"none\"\nauth = \"" + file("a:b\n") + "\""),
                HasSubstr("route[1]"));
}

}  // namespace
}  // namespace thurn::config
