#include "mailauth/srs_key_list.h"

#include <gtest/gtest.h>

namespace thurn::mailauth {
namespace {

using namespace std::chrono_literals;
using std::chrono::days;

constexpr base::Time kNow = std::chrono::sys_days(std::chrono::year(2026) / 11 / 22) + 15h;

class CountingRandom final : public base::Random {
public:
    std::uint64_t next() override { return ++count_; }

private:
    std::uint64_t count_ = 0;
};

TEST(SrsKeyList, IsReadAsItWasWritten) {
    CountingRandom random;
    const std::vector<SrsSecret> secrets{
        make_srs_secret(random, kNow), make_srs_secret(random, kNow - 24h), {.secret = "put there by hand?"}};
    const std::vector good(secrets.begin(), secrets.begin() + 2);
    EXPECT_EQ(parse_srs_secrets(render_srs_secrets(good)), good);
    EXPECT_FALSE(parse_srs_secrets(render_srs_secrets(secrets)));
    EXPECT_EQ(secrets[0].secret.size(), 43U);
    EXPECT_NE(secrets[0].secret, secrets[1].secret);
}

TEST(SrsKeyList, TakesSecretsWithoutATime) {
    EXPECT_EQ(parse_srs_secrets("# by hand\n\n0123456789abcdef\n"), (std::vector<SrsSecret>{{.secret = "0123456789abcdef"}}));
    EXPECT_EQ(parse_srs_secrets(""), std::vector<SrsSecret>{});
}

TEST(SrsKeyList, RefusesWhatIsNoSecretAndDoesNotTellIt) {
    for (const auto* text : {"short\n", "0123456789abcdef tomorrow\n", "0123456789abcdef \n", "0123456789abcdef\t2026-11-22T15:00:00Z\n"}) {
        const auto secrets = parse_srs_secrets(std::string("# x\n") + text);
        ASSERT_FALSE(secrets) << text;
        EXPECT_TRUE(secrets.error().detail.starts_with("line 2: ")) << secrets.error().detail;
        EXPECT_FALSE(secrets.error().detail.contains("0123456789abcdef"));
    }
    EXPECT_FALSE(parse_srs_secrets(std::string(513, 'x')));
    EXPECT_TRUE(parse_srs_secrets(std::string(512, 'x')));
}

TEST(SrsKeyList, DropsASecretWhenAllThatItWroteIsTooOld) {
    const SrsSecret newest{.secret = "newest", .made = kNow}, middle{.secret = "middle", .made = kNow - days(20)},
        oldest{.secret = "oldest", .made = kNow - days(300)}, by_hand{.secret = "by hand"};
    const std::vector all{newest, middle, oldest, by_hand};
    EXPECT_EQ(useful_secrets(all, kNow, days(21)), all);  // the oldest wrote until 20 days ago
    EXPECT_EQ(useful_secrets(all, kNow + days(2) - 1ms, days(21)), all);
    EXPECT_EQ(useful_secrets(all, kNow + days(2), days(21)), (std::vector{newest, middle, by_hand}));
    EXPECT_EQ(useful_secrets(all, kNow + days(22), days(21)), (std::vector{newest, by_hand}));
    EXPECT_EQ(useful_secrets({oldest}, kNow, days(21)), std::vector{oldest});
}

}  // namespace
}  // namespace thurn::mailauth
