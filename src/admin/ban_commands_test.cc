#include "admin/ban_commands.h"

#include "mail/date.h"
#include "support/memory_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace thurn::admin {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr base::Time kNow = std::chrono::sys_days(std::chrono::year(2026) / 11 / 22) + 10h;

class BanCommandsTest : public testing::Test {
protected:
    ControlResult add(const boost::json::object& request) { return add_ban(guard_, request, kNow, log_); }

    policy::LoginGuard guard_{{.capacity = 100, .seed = 1}};
    support::MemoryLog log_;
};

TEST_F(BanCommandsTest, AddListAndRemove) {
    const auto added = add({{"subject", "192.0.2.0/24"}, {"reason", "spam"}, {"seconds", 3600}});
    ASSERT_TRUE(added);
    const auto bans = list_bans(guard_, kNow);
    ASSERT_EQ(bans.size(), 1);
    EXPECT_EQ(bans[0], *added);
    const boost::json::object expected{{"subject", "192.0.2.0/24"},
                                       {"of", "network"},
                                       {"by", "hand"},
                                       {"reason", "spam"},
                                       {"since", mail::render_timestamp(kNow)},
                                       {"until", mail::render_timestamp(kNow + 1h)},
                                       {"failures", std::uint32_t{0}}};
    EXPECT_EQ(bans[0].as_object(), expected);
    EXPECT_TRUE(list_bans(guard_, kNow + 1h).empty());
    EXPECT_EQ(remove_ban(guard_, {{"subject", "192.0.2.0/24"}}, kNow, log_), boost::json::value(true));
    EXPECT_EQ(remove_ban(guard_, {{"subject", "192.0.2.0/24"}}, kNow, log_), boost::json::value(false));
    EXPECT_THAT(log_.lines(), ElementsAre(HasSubstr("banned subject=192.0.2.0/24 by=operator reason=spam until=2026-11-22T11:00:00"),
                                          HasSubstr("unbanned subject=192.0.2.0/24")));
}

TEST_F(BanCommandsTest, RefuseWhatCannotBeMeant) {
    for (const boost::json::object& request : {boost::json::object{},
                                               {{"subject", "0.0.0.0/0"}},
                                               {{"subject", "a@b"}, {"seconds", 0}},
                                               {{"subject", "a@b"}, {"seconds", -1}},
                                               {{"subject", "a@b"}, {"seconds", "1h"}},
                                               {{"subject", "a@b"}, {"seconds", std::int64_t{1} << 62}},
                                               {{"subject", "a@b"}, {"reason", std::string(1000, 'x')}}})
        EXPECT_FALSE(add(request)) << request;
    EXPECT_TRUE(list_bans(guard_, kNow).empty());
}

}  // namespace
}  // namespace thurn::admin
