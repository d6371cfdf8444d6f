#include "script/shared_table.h"

#include <gtest/gtest.h>

namespace thurn::script {
namespace {

using std::chrono::seconds;
const base::Time kNow{seconds(1000)};

TEST(SharedTable, KeepsForAsLongAsItWasTold) {
    SharedTable table;
    table.set("k", std::string("v"), seconds(10), kNow);
    EXPECT_EQ(table.get("k", kNow + seconds(9)), SharedTable::Value("v"));
    EXPECT_FALSE(table.get("k", kNow + seconds(10)));
    table.set("k", 2.0, seconds(0), kNow);
    EXPECT_FALSE(table.get("k", kNow));
    EXPECT_EQ(table.size(), 0U);
}

TEST(SharedTable, CountsFromWhereItBegan) {
    SharedTable table;
    EXPECT_EQ(table.add("k", 1, seconds(10), kNow), 1);
    EXPECT_EQ(table.add("k", 2, seconds(10), kNow + seconds(9)), 3);
    EXPECT_EQ(table.add("k", 1, seconds(10), kNow + seconds(10)), 1);
    table.set("k", std::string("text"), seconds(10), kNow);
    EXPECT_EQ(table.add("k", 5, seconds(10), kNow), 5);
}

TEST(SharedTable, ForgetsWhatEndsSoonestWhenItIsFull) {
    SharedTable table(3);
    for (const auto* key : {"c", "a", "b"}) table.set(key, 1.0, seconds(10 + key[0]), kNow);
    table.set("d", 1.0, seconds(500), kNow);
    EXPECT_EQ(table.size(), 3U);
    EXPECT_FALSE(table.get("a", kNow));
    EXPECT_TRUE(table.get("b", kNow) && table.get("c", kNow) && table.get("d", kNow));
    for (int turn = 0; turn < 100; ++turn) table.set(std::to_string(turn), 1.0, seconds(10), kNow + seconds(turn));
    EXPECT_EQ(table.size(), 3U);
}

TEST(SharedTable, CutsWhatIsTooLong) {
    SharedTable table;
    table.set(std::string(1000, 'k'), std::string(5000, 'v'), seconds(10), kNow);
    EXPECT_EQ(table.get(std::string(256, 'k'), kNow), SharedTable::Value(std::string(1024, 'v')));
    table.set("long", 1.0, std::chrono::hours(24 * 365), kNow);
    EXPECT_FALSE(table.get("long", kNow + std::chrono::hours(24 * 8)));
}

}  // namespace
}  // namespace thurn::script
