#include "net/answer_cache.h"

#include <gtest/gtest.h>

namespace thurn::net {
namespace {

using namespace std::chrono_literals;

const dns::Question kQuestion{"a.example", dns::Type::a};

dns::Answer answer(dns::Status status, std::chrono::seconds ttl) {
    dns::Answer made;
    made.status = status;
    made.ttl = ttl;
    return made;
}

TEST(AnswerCache, GivesAnAnswerWithTheLifetimeThatIsLeft) {
    AnswerCache cache(10);
    const AnswerCache::Time start{};
    EXPECT_FALSE(cache.find(kQuestion, start).has_value());
    cache.put(kQuestion, answer(dns::Status::ok, 60s), start);
    EXPECT_EQ(cache.find(kQuestion, start + 20s)->ttl, 40s);
    EXPECT_FALSE(cache.find(kQuestion, start + 60s).has_value());
    EXPECT_FALSE(cache.find({"a.example", dns::Type::aaaa}, start).has_value());
}

struct LifetimeCase {
    dns::Status status;
    std::chrono::seconds ttl;
    std::chrono::seconds kept;
};

TEST(AnswerCache, KeepsEachKindOfAnswerItsTime) {
    for (const auto& [status, ttl, kept] : {LifetimeCase{dns::Status::ok, 0s, 1s},
                                            {dns::Status::ok, 86400s, 3600s},
                                            {dns::Status::no_name, 30s, 30s},
                                            {dns::Status::no_data, 0s, 1s},
                                            {dns::Status::failed, 600s, 5s},
                                            {dns::Status::bogus, 0s, 5s}}) {
        AnswerCache cache(10);
        const AnswerCache::Time start{};
        cache.put(kQuestion, answer(status, ttl), start);
        EXPECT_TRUE(cache.find(kQuestion, start + kept - 1ms).has_value());
        EXPECT_FALSE(cache.find(kQuestion, start + kept).has_value());
    }
}

TEST(AnswerCache, StaysWithinItsLimitAndPrefersToForgetTheExpired) {
    AnswerCache cache(100);
    const AnswerCache::Time start{};
    for (int name = 0; name < 100; ++name) cache.put({"old" + std::to_string(name), dns::Type::a}, answer(dns::Status::ok, 1s), start);
    const auto later = start + 10s;
    for (int name = 0; name < 100; ++name) cache.put({"new" + std::to_string(name), dns::Type::a}, answer(dns::Status::ok, 100s), later);
    for (int name = 0; name < 100; ++name) EXPECT_TRUE(cache.find({"new" + std::to_string(name), dns::Type::a}, later).has_value());
    for (int name = 0; name < 1000; ++name) cache.put({"more" + std::to_string(name), dns::Type::a}, answer(dns::Status::ok, 100s), later);
    EXPECT_EQ(cache.size(), 100U);
    cache.put(kQuestion, answer(dns::Status::ok, 100s), later);
    EXPECT_TRUE(cache.find(kQuestion, later).has_value());
}

}  // namespace
}  // namespace thurn::net
