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

TEST_F(SecretTest, IsNotSentInClear) {
    EXPECT_THAT(complaint("[[route]]\nnext_hop = \"smtp://relay.example\"\ntls = \"none\"\nauth = \"" + file("a:b\n") + "\""),
                HasSubstr("route[1]"));
}

}  // namespace
}  // namespace thurn::config
