#include "base/nearest_word.h"

#include <gtest/gtest.h>

namespace thurn::base {
namespace {

TEST(NearestWord, FindsWhatWasMeant) {
    const std::vector<std::string> keys{"recipients", "received_fields", "connections", "connections_per_ip", "message_size"};
    EXPECT_EQ(nearest_word("recipient", keys), "recipients");
    EXPECT_EQ(nearest_word("recipeints", keys), "recipients");
    EXPECT_EQ(nearest_word("messagesize", keys), "message_size");
    EXPECT_EQ(nearest_word("conections", keys), "connections");
    EXPECT_EQ(nearest_word("connections_per_host", keys), "connections_per_ip");
}

TEST(NearestWord, KeepsQuietWhereNothingIsNear) {
    EXPECT_EQ(nearest_word("zzzzzzzzzz", {"bind", "role", "tls"}), "");
    EXPECT_EQ(nearest_word("x", {}), "");
    EXPECT_EQ(nearest_word("", {"certificate"}), "");
}

}  // namespace
}  // namespace thurn::base
