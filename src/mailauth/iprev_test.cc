#include "mailauth/iprev.h"

#include "support/dns_zone.h"

#include <string>

#include <gtest/gtest.h>

namespace thurn::mailauth {
namespace {

struct Case {
    const char* name;
    std::vector<std::string> zone;
    const char* expected;
    const char* client = "192.0.2.1";
};
class IprevTest : public testing::TestWithParam<Case> {};
TEST_P(IprevTest, ConfirmsTheName) {
    IprevCheck iprev(dns::parse_ip(GetParam().client).value());
    support::DnsZone(GetParam().zone).drive(iprev);
    const auto verdict = iprev.take();
    EXPECT_EQ(std::string(iprev_result_name(verdict.result)) + (verdict.name.empty() ? "" : " " + verdict.name), GetParam().expected);
    EXPECT_FALSE(verdict.detail.empty());
}
INSTANTIATE_TEST_SUITE_P(
    Rfc8601Section273, IprevTest,
    testing::Values(
        Case{"Pass", {"1.2.0.192.in-addr.arpa PTR a.example", "a.example A 192.0.2.9", "a.example A 192.0.2.1"}, "pass a.example"},
        Case{"Mapped", {"1.2.0.192.in-addr.arpa PTR a.example", "a.example A 192.0.2.1"}, "pass a.example", "::ffff:192.0.2.1"},
        Case{"SecondName",
             {"1.2.0.192.in-addr.arpa PTR gone.example", "1.2.0.192.in-addr.arpa PTR a.example", "a.example A 192.0.2.1"},
             "pass a.example"},
        Case{"Fail", {"1.2.0.192.in-addr.arpa PTR a.example", "a.example A 192.0.2.2"}, "fail"}, Case{"NoName", {}, "permerror"},
        Case{"NoData", {"1.2.0.192.in-addr.arpa"}, "permerror"}, Case{"Failing", {"1.2.0.192.in-addr.arpa PTR !failed"}, "temperror"},
        Case{"NameFailing", {"1.2.0.192.in-addr.arpa PTR a.example", "a.example A !failed"}, "temperror"}),
    [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace thurn::mailauth
