// Rules about where a client is, and about the time of day.
#include "policy/country.h"
#include "support/conversation_fixture.h"

namespace thurn::inbound {
namespace {

using namespace std::chrono_literals;
using policy::Action;
using policy::Stage;

class Homeland final : public policy::Countries {
public:
    [[nodiscard]] std::string country_of(std::string_view address) const override { return address == "127.0.0.1" ? "DE" : ""; }
};

class PlaceAndTimeTest : public ConversationTest {
protected:
    void rule(Stage stage, const std::string& when) {
        auto book = std::make_shared<policy::Rulebook>();
        ASSERT_TRUE(book->rules.add({.name = "r",
                                     .stage = stage,
                                     .when = when,
                                     .action = Action::reject,
                                     .text = "{client.country}, {time.weekday}, {time.hour}"}));
        options_.rulebook = std::move(book);
    }
};

TEST_F(PlaceAndTimeTest, AreKnownFromTheConnectionOn) {
    options_.countries = std::make_shared<const Homeland>();
    rule(Stage::connect, R"(client.country in ["at", "de"] and time.hour < 6)");
    start();
    EXPECT_EQ(connect(mx_)->hear(), "554 5.7.1 DE, sunday, 1");
}

TEST_F(PlaceAndTimeTest, GoByTheClockOnTheServersWall) {
    options_.countries = std::make_shared<const Homeland>();
    clock_.stand_east(-2h);
    rule(Stage::mail, R"(time.hour = 23 and time.weekday = "saturday")");
    start();
    EXPECT_EQ(greeted()->ask("MAIL FROM:<a@b.example>"), "550 5.7.1 DE, saturday, 23");
}

TEST_F(PlaceAndTimeTest, WithoutAFileNoRuleAboutCountriesApplies) {
    rule(Stage::mail, R"(client.country != "DE" or client.country = "DE")");
    start();
    EXPECT_THAT(greeted()->ask("MAIL FROM:<a@b.example>"), StartsWith("250 "));
}

TEST_F(PlaceAndTimeTest, ThatThereIsNoFileCanBeAskedFor) {
    rule(Stage::mail, "client.country unavailable");
    start();
    EXPECT_EQ(greeted()->ask("MAIL FROM:<a@b.example>"), "550 5.7.1 ?, sunday, 1");
}

}  // namespace
}  // namespace thurn::inbound
