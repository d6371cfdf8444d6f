// What is refused, and that the complaint says where and what.
#include "support/parsed_config.h"

namespace thurn::config {
namespace {

struct Wrong {
    const char* name;
    std::string_view text;
    std::string_view complaint;
};
class ConfigErrorTest : public testing::TestWithParam<Wrong> {};

TEST_P(ConfigErrorTest, SaysWhereAndWhat) { EXPECT_THAT(complaint(GetParam().text), HasSubstr(std::string(GetParam().complaint))); }

INSTANTIATE_TEST_SUITE_P(
    Files, ConfigErrorTest,
    testing::Values(
        Wrong{"NoToml", "threads = = 1", "t.toml:1:1"},
        Wrong{"UnknownKey", "\n  hostnam = \"a.example\"", "t.toml:2:3: unknown key \"hostnam\"; did you mean \"hostname\"?"},
        Wrong{"UnknownSection", "[limit]", "unknown key \"limit\"; did you mean \"limits\"?"},
        Wrong{"UnknownKeyInASection", "[limits]\nrecipient = 5",
              "t.toml:2:1: unknown key \"limits.recipient\"; did you mean \"recipients\"?"},
        Wrong{"UnknownKeyInAList", "[[domain]]\nname = \"a.example\"\n[[domain]]\nname = \"b.example\"\ncatchall = \"\"",
              "t.toml:5:1: unknown key \"domain[2].catchall\"; did you mean \"catch_all\"?"},
        Wrong{"NothingNear", "[dns]\nzzzzzzzzzz = 1", "unknown key \"dns.zzzzzzzzzz\""},
        Wrong{"NumberForText", "hostname = 5", "t.toml:1:12: hostname: must be a text in quotes"},
        Wrong{"TextForNumber", "threads = \"2\"", "threads: must be a whole number"},
        Wrong{"FractionForNumber", "threads = 2.5", "threads: must be a whole number"},
        Wrong{"TextForFlag", "allow_root = \"yes\"", "allow_root: must be true or false"},
        Wrong{"TextForList", "[dns]\nservers = \"127.0.0.1\"", "dns.servers: must be a list of texts"},
        Wrong{"MixedList", "[dns]\nservers = [\"127.0.0.1\", 5]", "dns.servers: must be a list of texts"},
        Wrong{"ValueForTable", "limits = 5", "limits: must be a table: [limits]"},
        Wrong{"TableForTables", "[listener]\nbind = []", "listener: must be tables: [[listener]]"},
        Wrong{"TooSmall", "[limits]\nrecipients = 99", "limits.recipients: 99 is not within 100 and"},
        Wrong{"Negative", "threads = -1", "threads: -1 is not within 0 and 1024"},
        Wrong{"NoDuration", "[queue]\nlifetime = \"5\"", "queue.lifetime: \"5\" is no duration"},
        Wrong{"NoTimeAtAll", "[limits]\ncommand_timeout = \"0s\"", "limits.command_timeout: must be at least 1s"},
        Wrong{"NoSize", "[limits]\nmessage_size = \"5 apples\"", "limits.message_size: "},
        Wrong{"BadHostname", "hostname = \"a b\"", "hostname: \"a b\" is no host name"},
        Wrong{"LiteralHostname", "hostname = \"[192.0.2.1]\"", "is no host name"},
        Wrong{"BadPostmaster", "postmaster = \"nobody\"", "postmaster: "},
        Wrong{"ListenerWithoutAddress", "[[listener]]\nrole = \"mx\"", "listener[1].bind: a listener needs at least one address"},
        Wrong{"UnknownRole", "[[listener]]\nbind = [\"[::]:25\"]\nrole = \"imap\"",
              "listener[1].role: \"imap\" is none of mx, submission, lmtp"},
        Wrong{"LmtpForEveryone", "[[listener]]\nbind = [\"0.0.0.0:24\"]\nrole = \"lmtp\"",
              "listener[1].bind: 0.0.0.0:24: LMTP listens on loopback"},
        Wrong{"LmtpOnAnyIpv6", "[[listener]]\nbind = [\"127.0.0.1:24\", \"[::]:24\"]\nrole = \"lmtp\"",
              "listener[1].bind: [::]:24: LMTP listens on loopback"},
        Wrong{"LocalSocketForSmtp", "[[listener]]\nbind = [\"unix:/run/smtp\"]", "listener[1].bind: unix:/run/smtp: a local socket is for"},
        Wrong{"RelativeSocket", "[[listener]]\nbind = [\"unix:lmtp\"]\nrole = \"lmtp\"",
              "listener[1].bind: unix:lmtp: needs an absolute path"},
        Wrong{"NoSocketMode", "[[listener]]\nbind = [\"unix:/lmtp\"]\nrole = \"lmtp\"\nsocket_mode = \"0888\"",
              "listener[1].socket_mode: \"0888\" is no mode"},
        Wrong{"XclientFromEverywhere", "[[listener]]\nbind = [\"[::]:25\"]\nxclient_from = [\"0.0.0.0/0\"]",
              "listener[1].xclient_from: these networks are the whole internet"},
        Wrong{"XclientFromEverywhereInHalves", "[[listener]]\nbind = [\"[::]:25\"]\nxclient_from = [\"0.0.0.0/1\", \"128.0.0.0/1\"]",
              "listener[1].xclient_from: these networks are the whole internet"},
        Wrong{"XforwardFromEverywhere", "[[listener]]\nbind = [\"[::]:25\"]\nxforward_from = [\"::/0\"]",
              "listener[1].xforward_from: these networks are the whole internet"},
        Wrong{"ProxyProtocolFromEverywhere", "[[listener]]\nbind = [\"[::]:25\"]\nproxy_protocol_from = [\"0.0.0.0/0\"]",
              "listener[1].proxy_protocol_from: these networks are the whole internet"},
        Wrong{"NetworkOfAListener", "[[listener]]\nbind = [\"[::]:25\"]\nnetworks = [\"10.0.0.1/8\"]",
              "t.toml:3:12: listener[1].networks: "},
        Wrong{"VrfyForSome", "[smtp]\nvrfy = \"some\"", "smtp.vrfy: \"some\" is none of off, authenticated, on"},
        Wrong{"EtrnForSome", "[relay]\netrn = \"some\"", "relay.etrn: \"some\" is none of off, networks, everyone"},
        Wrong{"ListenerAtAName", "[[listener]]\nbind = [\"localhost:25\"]", "t.toml:2:8: listener[1].bind: \"localhost:25\" is no address"},
        Wrong{"ListenerAtNoPort", "[[listener]]\nbind = [\"127.0.0.1:99999\"]", "a port is a number up to 65535"},
        Wrong{"DnsServerByName", "[dns]\nservers = [\"dns.example\"]", "t.toml:2:11: dns.servers: \"dns.example\" is no DNS server"},
        Wrong{"HalfAPair", "[tls]\ncertificate = \"/c.pem\"", "certificate and private_key come as a pair"},
        Wrong{"AdditionalHalfPair", "[[tls.additional]]\ncertificate = \"/c.pem\"", "tls.additional[1].private_key: certificate and"},
        Wrong{"AdditionalWithoutMain", "[[tls.additional]]\ncertificate = \"/c\"\nprivate_key = \"/k\"",
              "tls.additional: the main pair is missing"},
        Wrong{"OpenRelay", "[relay]\nnetworks = [\"0.0.0.0/0\"]", "t.toml:2:12: relay.networks: these networks are the whole internet"},
        Wrong{"OpenRelayByIpv6", "[relay]\nnetworks = [\"::/0\"]", "open relay"},
        Wrong{"OpenRelayInHalves", "[relay]\nnetworks = [\"0.0.0.0/1\", \"128.0.0.0/1\"]", "open relay"},
        Wrong{"BadNetwork", "[relay]\nnetworks = [\"192.0.2.1/24\"]", "relay.networks: "},
        Wrong{"BadRelayDomain", "[relay]\ndomains = [\"a b\"]", "relay.domains: \"a b\""},
        Wrong{"DomainWithoutName", "[[domain]]\ncatch_all = \"\"", "domain[1].name: "},
        Wrong{"BadCatchAll", "[[domain]]\nname = \"a.example\"\ncatch_all = \"x\"", "domain[1].catch_all: "},
        Wrong{"RouteToNowhere", "[[route]]\nrecipient = \"*\"", "route[1].next_hop: "},
        Wrong{"UnknownScheme", "[[route]]\nnext_hop = \"uucp://a\"", "route[1].next_hop: "},
        Wrong{"OtherDirectory", "[directory]\nbackend = \"ldap\"", "thurn has \"sqlite\""},
        Wrong{"LongTagSeparator", "[directory]\ntag_separator = \"--\"", "directory.tag_separator: must be one of"},
        Wrong{"LetterAsTagSeparator", "[directory]\ntag_separator = \"a\"", "directory.tag_separator: must be one of"},
        Wrong{"AtAsTagSeparator", "[directory]\ntag_separator = \"@\"", "directory.tag_separator: must be one of"},
        Wrong{"SharedMailbox", "[delivery.local]\npath = \"/mail/{local}\"", "different people would share a mailbox"},
        Wrong{"LmtpWithoutAServer", "[delivery.local]\ntype = \"lmtp\"", "a next hop begins with"},
        Wrong{"LmtpToAnSmtpServer", "[delivery.local]\ntype = \"lmtp\"\nnext_hop = \"smtp://a.example\"",
              "t.toml:3:12: delivery.local.next_hop: type"},
        Wrong{"ServerForMaildirs", "[delivery.local]\nnext_hop = \"lmtp+unix:/run/lmtp\"", "goes with type = \"lmtp\" only"},
        Wrong{"LmtpPath", "[[route]]\nnext_hop = \"lmtp+unix:run/lmtp\"",
              "t.toml:2:12: route[1].next_hop: lmtp+unix: needs the whole path"},
        Wrong{"TwoSources", "[outbound]\nsource = [\"192.0.2.1\", \"192.0.2.2\"]", "t.toml:2:10: outbound.source: at most one IPv4"},
        Wrong{"SourceIsAName", "[[route]]\nnext_hop = \"mx:\"\nsource = \"a.example\"",
              "t.toml:3:10: route[1].source: \"a.example\" is no IP address"},
        Wrong{"HelloIsNoName", "[outbound]\nhello = \"a b\"", "t.toml:2:9: outbound.hello"},
        Wrong{"OtherProxy", "[[route]]\nnext_hop = \"mx:\"\nproxy = \"socks4://a.example:1080\"", "t.toml:3:9: route[1].proxy: a proxy is"},
        Wrong{"LoginInProxy", "[[route]]\nnext_hop = \"mx:\"\nproxy = \"http://u:p@a.example:1\"", "belong into `proxy_auth`"},
        Wrong{"LoginWithoutProxy", "[[route]]\nnext_hop = \"mx:\"\nproxy_auth = \"file:/dev/null\"", "goes with `proxy` only"},
        Wrong{"ProxyForAMailbox", "[[route]]\nnext_hop = \"maildir:\"\nproxy = \"http://a.example:3128\"", "go with smtp://"},
        Wrong{"ProxyToASocket", "[[route]]\nnext_hop = \"lmtp+unix:/run/lmtp\"\nproxy = \"http://a.example:3128\"",
              "neither `source` nor `proxy`"},
        Wrong{"HeaderThroughAProxy", "[[route]]\nnext_hop = \"mx:\"\nproxy = \"http://a.example:3128\"\nsend_proxy = \"v2\"",
              "one of the two"},
        Wrong{"OtherHeader", "[[route]]\nnext_hop = \"mx:\"\nsend_proxy = \"v1\"", "\"v1\" is none of none, v2"},
        Wrong{"Preference", "[outbound]\nprefer = \"ip\"", "\"ip\" is none of ipv6, ipv4"},
        Wrong{"OtherDelivery", "[delivery.local]\ntype = \"mbox\"", "thurn has \"maildir\""},
        Wrong{"RetryWithoutEnd", "[queue]\nretry = [\"0s\"]", "would retry without end"},
        Wrong{"NoRetry", "[queue]\nretry = []", "queue.retry: needs at least one step"},
        Wrong{"NoWayOut", "[outbound]\nipv4 = false\nipv6 = false", "no mail could leave"},
        Wrong{"BadPort", "[outbound]\nport = 65536", "outbound.port: 65536 is not within 1 and 65535"},
        Wrong{"BadLogFormat", "[log]\nformat = \"xml\"", "log.format: "}, Wrong{"BadLogLevel", "[log]\nlevel = \"loud\"", "log.level: "}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(Config, TellsAllThatIsWrongAtOnce) {
    EXPECT_THAT(complaint("threads = -1\nhostnam = 5\n[log]\nlevel = \"x\""),
                AllOf(HasSubstr("threads"), HasSubstr("hostnam"), HasSubstr("log.level")));
}

TEST(Config, SaysWhichFileIsNotThere) {
    const auto loaded = load_config("/no/such/file.toml", kSurroundings);
    EXPECT_EQ(loaded.error().kind, base::ErrorKind::not_found);
    EXPECT_EQ(loaded.error().detail, "/no/such/file.toml: No such file or directory");
    EXPECT_EQ(load_config("/tmp", kSurroundings).error().detail, "/tmp: Is a directory");
}

}  // namespace
}  // namespace thurn::config
