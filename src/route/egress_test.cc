#include "route/egress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace thurn::route {
namespace {

using testing::HasSubstr;

TEST(Proxy, IsReadWithItsPort) {
    const auto socks = parse_proxy("socks5://Proxy.Example:1080", "env:X").value();
    EXPECT_EQ(socks.kind, ProxyPlace::Kind::socks5);
    EXPECT_EQ(socks.host, "proxy.example");
    EXPECT_EQ(socks.login_reference, "env:X");
    const auto http = parse_proxy("http://[2001:DB8::1]:3128", "").value();
    EXPECT_EQ(http.kind, ProxyPlace::Kind::http);
    EXPECT_EQ(http.port, 3128);
    for (const char* text : {"socks5://proxy.example:1080", "http://[2001:db8::1]:3128", "http://192.0.2.1:80"})
        EXPECT_EQ(render_proxy(parse_proxy(text, "").value()), text);
}

TEST(Proxy, IsRefusedWhereItIsNone) {
    for (const char* text :
         {"", "proxy.example:1080", "socks4://proxy.example:1080", "https://proxy.example:443", "socks5://", "socks5://proxy.example",
          "http://:3128", "http://proxy.example:0", "http://proxy.example:3128/path", "socks5:proxy.example:1080"})
        EXPECT_FALSE(parse_proxy(text, "")) << text;
    EXPECT_THAT(parse_proxy("socks5://u:p@proxy.example:1080", "").error().detail, HasSubstr("proxy_auth"));
}

TEST(Sources, AreOneOfEachFamily) {
    EXPECT_EQ(parse_sources({}).value().size(), 0U);
    EXPECT_EQ(parse_sources({"192.0.2.1", "2001:db8::1"}).value().size(), 2U);
    for (const std::vector<std::string>& texts : std::vector<std::vector<std::string>>{
             {"192.0.2.1", "192.0.2.2"}, {"2001:db8::1", "2001:db8::2"}, {"0.0.0.0"}, {"::"}, {"a.example"}, {""}, {"192.0.2.1:25"}})
        EXPECT_FALSE(parse_sources(texts)) << texts.front();
}

TEST(Egress, HasANameOfItsOwnForAllThatDiffers) {
    Egress egress;
    EXPECT_EQ(describe_egress(egress), "");
    egress.sources = parse_sources({"192.0.2.1", "2001:db8::1"}).value();
    egress.hello = "out.example";
    egress.proxy = parse_proxy("socks5://proxy.example:1080", "file:/x").value();
    egress.header = ProxyHeader::v2;
    EXPECT_EQ(describe_egress(egress),
              " from 192.0.2.1 or 2001:db8::1 as out.example through socks5://proxy.example:1080 with file:/x with PROXY v2");
}

}  // namespace
}  // namespace thurn::route
