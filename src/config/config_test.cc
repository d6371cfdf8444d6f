#include "config/config.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace thurn::config {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

const Surroundings kSurroundings{.system_hostname = "mx.example.com"};

base::Result<Loaded> parse(std::string_view text) { return parse_config(text, "t.toml", kSurroundings); }
Config good(std::string_view text) {
    auto loaded = parse(text);
    EXPECT_TRUE(loaded) << loaded.error().detail;
    return loaded ? std::move(loaded->config) : Config{};
}
std::string complaint(std::string_view text) {
    const auto loaded = parse(text);
    return loaded ? "it was taken" : loaded.error().detail;
}

// ---- What is in force

TEST(Config, IsSaneWhenEmpty) {
    const auto config = good("");
    EXPECT_EQ(config.hostname, "mx.example.com");
    EXPECT_EQ(config.postmaster, "postmaster@mx.example.com");
    EXPECT_EQ(config.data_dir, "/var/lib/thurn");
    EXPECT_EQ(config.directory_path, "/var/lib/thurn/directory.db");
    EXPECT_EQ(config.maildir_path, "/var/lib/thurn/mail/{domain}/{local}");
    EXPECT_EQ(config.outbound_hello, "mx.example.com");
    EXPECT_EQ(config.tag_separator, "+");
    EXPECT_EQ(config.limits.message_size, base::mebibytes(50));
    EXPECT_EQ(config.retry.lifetime, std::chrono::hours(120));
    EXPECT_THAT(config.retry.steps, SizeIs(6));
    EXPECT_THAT(config.relay_networks, SizeIs(2));
    EXPECT_FALSE(config.allow_root);
    ASSERT_THAT(config.listeners, SizeIs(3));
    EXPECT_EQ(config.listeners[0].name(), "mx");
    EXPECT_EQ(config.listeners[1].name(), "submission");
    EXPECT_EQ(config.listeners[2].name(), "submissions");
}

TEST(Config, ReadsEverySection) {
    const auto config = good(R"(
hostname = "MX.Test.Example"
data_dir = "/data"
postmaster = "boss@test.example"
threads = 3
[[listener]]
bind = ["127.0.0.1:2525"]
tls = "off"
[[listener]]
bind = ["127.0.0.1:4650"]
role = "submission"
tls = "implicit"
[tls]
certificate = "/c.pem"
private_key = "/k.pem"
[[tls.additional]]
certificate = "/other.pem"
private_key = "/other.key"
[limits]
message_size = "1MiB"
recipients = 100
greeting_delay = "2s"
command_timeout = "10s"
[dns]
servers = ["127.0.0.1:5353"]
dnssec = false
[relay]
networks = ["192.0.2.0/24"]
domains = ["Bücher.example"]
[[domain]]
name = "Test.Example"
catch_all = "anna@test.example"
[[route]]
recipient_domain = "there.example"
next_hop = "smtp://127.0.0.1:2600"
tls = "encrypt"
[[route]]
next_hop = "discard:"
recipient = "x@*"
[directory]
path = "/elsewhere.db"
tag_separator = "-"
[delivery.local]
path = "{data_dir}/m/{address}"
[submission]
senders = "domain"
check_author = false
future_release = "1d"
cram_md5 = true
[queue]
retry = ["1s", "2s"]
lifetime = "1h"
delay_notice = "0s"
jitter_percent = 0
connections_per_site = 7
[outbound]
hello = "out.example"
ipv6 = false
port = 2501
ending_timeout = "20s"
[log]
format = "json"
level = "debug"
[trace]
keep = "1d"
size = "1GiB"
)");
    EXPECT_EQ(config.hostname, "mx.test.example");
    EXPECT_EQ(config.postmaster, "boss@test.example");
    EXPECT_EQ(config.threads, 3);
    ASSERT_THAT(config.listeners, SizeIs(2));
    EXPECT_EQ(config.listeners[0].tls, ListenerTls::off);
    EXPECT_EQ(config.listeners[1].role, policy::Role::submission);
    EXPECT_EQ(config.limits.greeting_delay, std::chrono::seconds(2));
    ASSERT_EQ(config.certificates.size(), 2U);
    EXPECT_EQ(config.certificates[0].certificate, "/c.pem");
    EXPECT_EQ(config.certificates[1].private_key, "/other.key");
    EXPECT_EQ(config.limits.message_size, base::mebibytes(1));
    EXPECT_EQ(config.limits.command_timeout, std::chrono::seconds(10));
    EXPECT_THAT(config.dns_servers, ElementsAre("127.0.0.1:5353"));
    EXPECT_FALSE(config.dnssec);
    EXPECT_THAT(config.relay_networks, SizeIs(1));
    EXPECT_THAT(config.relay_domains, ElementsAre("xn--bcher-kva.example"));
    ASSERT_THAT(config.domains, SizeIs(1));
    EXPECT_EQ(config.domains[0].name, "test.example");
    ASSERT_THAT(config.routes, SizeIs(2));
    const auto& host = std::get<route::ToHost>(config.routes[0].hop);
    EXPECT_EQ(host.port, 2600);
    EXPECT_EQ(host.tls, route::TlsDemand::encrypt);
    EXPECT_THAT(config.routes[0].origin, StartsWith("t.toml:"));
    EXPECT_TRUE(std::holds_alternative<route::Discarded>(config.routes[1].hop));
    EXPECT_EQ(config.directory_path, "/elsewhere.db");
    EXPECT_EQ(config.tag_separator, "-");
    EXPECT_EQ(config.maildir_path, "/data/m/{address}");
    EXPECT_EQ(config.senders, policy::SenderScope::domain);
    EXPECT_FALSE(config.check_author);
    EXPECT_EQ(config.future_release, std::chrono::days(1));
    EXPECT_TRUE(config.cram_md5);
    EXPECT_THAT(config.retry.steps, ElementsAre(std::chrono::seconds(1), std::chrono::seconds(2)));
    EXPECT_EQ(config.delay_notice.count(), 0);
    EXPECT_EQ(config.scheduler.connections_per_site, 7);
    EXPECT_EQ(config.outbound_hello, "out.example");
    EXPECT_FALSE(config.outbound_ipv6);
    EXPECT_EQ(config.outbound_port, 2501);
    EXPECT_EQ(config.outbound_ending_timeout, std::chrono::seconds(20));
    EXPECT_EQ(config.log_format, "json");
    EXPECT_EQ(config.trace_keep, std::chrono::hours(24));
    EXPECT_EQ(config.trace_size, base::mebibytes(1024));
}

TEST(Config, TellsWhereEachSettingComesFrom) {
    const auto loaded = parse("threads = 2\n[limits]\nrecipients = 200\n").value();
    std::map<std::string, Setting> by_key;
    for (const auto& setting : loaded.settings) EXPECT_TRUE(by_key.emplace(setting.key, setting).second) << setting.key;
    EXPECT_EQ(by_key.at("threads").origin, "t.toml:1");
    EXPECT_TRUE(by_key.at("threads").changed());
    EXPECT_EQ(by_key.at("limits.recipients").value, "200");
    EXPECT_EQ(by_key.at("limits.recipients").origin, "t.toml:3");
    EXPECT_FALSE(by_key.at("limits.errors").changed());
    EXPECT_EQ(by_key.at("queue.retry").value, R"(["5m", "10m", "20m", "40m", "1h", "2h"])");
}

TEST(Config, ShowsValuesAsToml) {
    const auto loaded = parse("user = \"a\\\"b\\\\c\\nd\"").value();
    for (const auto& setting : loaded.settings)
        if (setting.key == "user") EXPECT_EQ(setting.value, R"("a\"b\\c\u000ad")");
}

TEST(Config, WarnsOfWhatWillNotWork) {
    EXPECT_THAT(parse("hostname = \"mx\"").value().warnings, ElementsAre(HasSubstr("no dot")));
    EXPECT_THAT(parse("[[listener]]\nbind = [\"127.0.0.1:587\"]\nrole = \"submission\"\ntls = \"off\"").value().warnings,
                ElementsAre(HasSubstr("nobody can log in")));
    EXPECT_THAT(parse("").value().warnings, IsEmpty());
}

// ---- What is refused

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

TEST(Config, ARouteMaySayHowItsConnectionsLeave) {
    const auto config = good(
        "[[route]]\nnext_hop = \"mx:\"\nsource = [\"192.0.2.1\", \"2001:db8::1\"]\nhello = \"out.example\"\nproxy = "
        "\"socks5://proxy.example:1080\"\n"
        "[[route]]\nnext_hop = \"smtp://relay.example\"\nsend_proxy = \"v2\"\n[[route]]\nnext_hop = \"smtp://relay.example\"\n"
        "[outbound]\nsource = \"192.0.2.2\"\nprefer = \"ipv4\"");
    const auto& first = std::get<route::ByMx>(config.routes[0].hop).egress;
    ASSERT_TRUE(first);
    EXPECT_EQ(route::describe_egress(*first), " from 192.0.2.1 or 2001:db8::1 as out.example through socks5://proxy.example:1080");
    EXPECT_EQ(std::get<route::ToHost>(config.routes[1].hop).egress->header, route::ProxyHeader::v2);
    EXPECT_FALSE(std::get<route::ToHost>(config.routes[2].hop).egress);
    EXPECT_THAT(config.outbound_sources, SizeIs(1));
    EXPECT_TRUE(config.outbound_prefer_ipv4);
    EXPECT_FALSE(good("").outbound_prefer_ipv4);
}

TEST(Config, AShorterCommandTimeoutShortensTheOthers) {
    const auto config = good("[outbound]\ncommand_timeout = \"30s\"\nrcpt_timeout = \"40s\"");
    EXPECT_EQ(config.outbound_mail_timeout, std::chrono::seconds(30));
    EXPECT_EQ(config.outbound_rcpt_timeout, std::chrono::seconds(40));
    EXPECT_EQ(config.outbound_data_timeout, std::chrono::seconds(30));
    EXPECT_EQ(config.outbound_ending_timeout, std::chrono::seconds(600));
}

TEST(Config, MailboxesMayBeKeptByAServer) {
    const auto server = good("[delivery.local]\ntype = \"lmtp\"\nnext_hop = \"lmtp://mail.example:24\"\ntls = \"verify\"").mailboxes;
    ASSERT_TRUE(server);
    EXPECT_EQ(server->host, "mail.example");
    EXPECT_EQ(server->tls, route::TlsDemand::verify);
    EXPECT_EQ(good("[delivery.local]\ntype = \"lmtp\"\nnext_hop = \"lmtp+unix:/run/dovecot/lmtp\"").mailboxes->socket, "/run/dovecot/lmtp");
    EXPECT_FALSE(good("").mailboxes);
}

TEST(Config, AnEmptyTagSeparatorMeansNoTags) { EXPECT_EQ(good("[directory]\ntag_separator = \"\"").tag_separator, ""); }

TEST(Config, SaysWhichFileIsNotThere) {
    const auto loaded = load_config("/no/such/file.toml", kSurroundings);
    EXPECT_EQ(loaded.error().kind, base::ErrorKind::not_found);
    EXPECT_EQ(loaded.error().detail, "/no/such/file.toml: No such file or directory");
    EXPECT_EQ(load_config("/tmp", kSurroundings).error().detail, "/tmp: Is a directory");
}

// ---- Secrets

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

// ---- Listeners for others than clients

TEST(Listener, SpeaksLmtpOnLoopbackOrToItsNetworks) {
    const auto loaded = parse(R"(
        [[listener]]
        bind = ["127.0.0.1:24", "[::1]:24"]
        role = "lmtp"
        [[listener]]
        bind = ["0.0.0.0:24"]
        role = "lmtp"
        networks = ["10.0.0.0/8"]
    )")
                            .value();
    EXPECT_EQ(loaded.config.listeners.at(0).name(), "lmtp");
    EXPECT_EQ(loaded.config.listeners.at(0).role, policy::Role::lmtp);
    EXPECT_TRUE(loaded.config.listeners.at(1).networks.at(0).contains("10.1.2.3"));
    EXPECT_TRUE(loaded.warnings.empty());
}

TEST(Listener, MayBeALocalSocketForLmtp) {
    const auto loaded =
        parse("[[listener]]\nbind = [\"unix:/run/thurn/lmtp\", \"127.0.0.1:24\"]\nrole = \"lmtp\"\nsocket_mode = \"0600\"").value();
    EXPECT_EQ(loaded.config.listeners.at(0).socket_mode, 0600U);
    EXPECT_EQ(ListenerConfig().socket_mode, 0660U);
}

TEST(Listener, BelievesWhomItNames) {
    const auto loaded = parse(R"(
        [[listener]]
        bind = ["0.0.0.0:25"]
        proxy_protocol_from = ["10.0.0.0/8"]
        xclient_from = ["10.0.0.1"]
        xforward_from = ["10.0.0.2", "::1"]
        relay = false
        [smtp]
        vrfy = "on"
        expn = "authenticated"
        [relay]
        etrn = "everyone"
    )")
                            .value();
    const auto& listener = loaded.config.listeners.at(0);
    EXPECT_TRUE(listener.proxy_protocol_from.at(0).contains("10.255.0.1"));
    EXPECT_TRUE(listener.xclient_from.at(0).contains("10.0.0.1"));
    EXPECT_TRUE(listener.xforward_from.at(1).contains("::1"));
    EXPECT_FALSE(listener.relay);
    EXPECT_TRUE(ListenerConfig().relay);
    EXPECT_EQ(loaded.config.vrfy, inbound::Disclosure::on);
    EXPECT_EQ(loaded.config.expn, inbound::Disclosure::authenticated);
    EXPECT_EQ(loaded.config.etrn, inbound::QueueRunBy::everyone);
    EXPECT_TRUE(loaded.warnings.empty());
}

struct DangerCase {
    const char* name;
    const char* text;
    const char* warning;
};
class DangerTest : public testing::TestWithParam<DangerCase> {};
TEST_P(DangerTest, IsWarnedOf) { EXPECT_THAT(parse(GetParam().text).value().warnings, testing::Contains(HasSubstr(GetParam().warning))); }
INSTANTIATE_TEST_SUITE_P(
    Settings, DangerTest,
    testing::Values(DangerCase{"LmtpToTheInternet", "[[listener]]\nbind = [\"0.0.0.0:24\"]\nrole = \"lmtp\"\nnetworks = [\"0.0.0.0/0\"]",
                               "listener 0.0.0.0:24 speaks LMTP to the whole internet"},
                    DangerCase{"LoadBalancerThatMayRelay",
                               "[[listener]]\nbind = [\"0.0.0.0:25\"]\nproxy_protocol_from = [\"10.0.0.1\"]\n[relay]\nnetworks = "
                               "[\"10.0.0.0/8\"]",
                               "is in relay.networks too"},
                    DangerCase{"Expn", "[smtp]\nexpn = \"on\"", "smtp.expn"}),
    [](const auto& row) { return std::string(row.param.name); });

// ---- The manual

/// `listener[1].bind` is `listener.bind` there.
std::string documented_name(std::string key) {
    for (auto open = key.find('['); open != std::string::npos; open = key.find('[')) key.erase(open, key.find(']') + 1 - open);
    return key;
}

TEST(ConfigurationManual, HasEveryKeyWithItsDefault) {
    std::ifstream in(fs::path(THURN_SOURCE_DIR) / "docs/configuration.md");
    std::map<std::string, std::string> lines;
    for (std::string line; std::getline(in, line);)
        if (line.starts_with("| `")) lines[line.substr(3, line.find('`', 3) - 3)] = line;
    const auto with_lists = parse(
                                "[[listener]]\nbind = [\"[::]:25\"]\n[[domain]]\nname = \"a.example\"\ndkim = [{ selector = \"s1\", key = "
                                "\"k\" }]\n[[route]]\nnext_hop = \"discard:\"\n"
                                "[[rule]]\nname = \"r\"\nstage = \"content\"\nscore = 1\n[[dnsbl]]\nname = \"l\"\nzone = \"l.example\"\n"
                                "[[rate]]\nname = \"r\"\nlimit = \"5/1h\"\n"
                                "[[milter]]\nname = \"f\"\nsocket = \"unix:/f\"\n"
                                "[[scanner]]\nname = \"c\"\nkind = \"clamd\"\nsocket = \"unix:/c\"\n"
                                "[[policy_server]]\nname = \"p\"\nsocket = \"unix:/p\"\n"
                                "[[script]]\nname = \"s\"\nfile = \"/dev/null\"")
                                .value();
    for (const auto& setting : with_lists.settings) {
        const auto line = lines.find(documented_name(setting.key));
        ASSERT_NE(line, lines.end()) << setting.key << " is not in docs/configuration.md";
        const bool depends = setting.value.find("mx.example.com") != std::string::npos;
        if (!setting.changed() && !depends) EXPECT_THAT(line->second, HasSubstr("| `" + setting.value + "` |")) << setting.key;
    }
    std::map<std::string, int> known;
    for (const auto& setting : with_lists.settings) ++known[documented_name(setting.key)];
    for (const auto& [key, line] : lines)
        EXPECT_TRUE(known.contains(key)) << key << " is in docs/configuration.md, but thurn does not read it";
}

TEST(Scanners, VirusesAreJudgedBeforeAllOtherRulesAndSpamBehindThem) {
    const auto config = parse(
        "[[scanner]]\nname = \"s\"\nkind = \"spamd\"\nsocket = \"unix:/s\"\n"
        "[[scanner]]\nname = \"c\"\nkind = \"clamd\"\nsocket = \"inet:[::1]:3310\"\ndefault_action = \"accept\"\n"
        "[[rule]]\nname = \"mine\"\nstage = \"content\"\naction = \"accept\"\n");
    ASSERT_TRUE(config) << config.error().detail;
    std::vector<std::string> names;
    for (const auto& rule : config->config.rulebook->rules.at(policy::Stage::content)) names.push_back(rule.said.name);
    EXPECT_EQ(names, (std::vector<std::string>{"scanner.c", "mine", "scanner.s", "scanner.s.down"}));
    EXPECT_EQ(config->config.scanners[0].action, policy::Action::junk);
    EXPECT_EQ(config->config.scanners[1].action, policy::Action::reject);
}

TEST(Scanners, OfAKindAreAloneOnAListener) {
    const std::string one = "[[scanner]]\nname = \"a\"\nkind = \"clamd\"\nsocket = \"unix:/a\"\n";
    EXPECT_TRUE(parse(one + "[[scanner]]\nname = \"b\"\nkind = \"clamd\"\nsocket = \"unix:/b\"\non = [\"submission\"]\n"));
    for (const auto* wrong : {"[[scanner]]\nname = \"b\"\nkind = \"clamd\"\nsocket = \"unix:/b\"\n",
                              "[[scanner]]\nname = \"a\"\nkind = \"spamd\"\nsocket = \"unix:/b\"\n",
                              "[[scanner]]\nname = \"b\"\nsocket = \"unix:/b\"\non = [\"lmtp\"]\n",
                              "[[scanner]]\nname = \"b\"\nkind = \"spamd\"\nsocket = \"/b\"\n",
                              "[[scanner]]\nname = \"b\"\nkind = \"spamd\"\nsocket = \"unix:/b\"\naction = \"redirect\"\n"})
        EXPECT_FALSE(parse(one + wrong)) << wrong;
}

std::vector<std::string> rules_at(const base::Result<Loaded>& loaded, policy::Stage stage) {
    std::vector<std::string> names;
    for (const auto& rule : loaded.value().config.rulebook->rules.at(stage)) names.push_back(rule.said.name);
    return names;
}

TEST(PolicyServers, AreAskedBehindAllRulesUnlessARuleAsksThem) {
    const std::string server = "[[policy_server]]\nname = \"p\"\nsocket = \"inet:127.0.0.1:10023\"\n";
    const std::string rule = "[[rule]]\nname = \"mine\"\nstage = \"rcpt\"\naction = \"accept\"\n";
    EXPECT_EQ(rules_at(parse(server + rule), policy::Stage::rcpt), (std::vector<std::string>{"mine", "policy_server.p"}));
    const auto asked = parse(server + "[[rule]]\nname = \"asks\"\nstage = \"rcpt\"\nask = \"p\"\n" + rule);
    EXPECT_EQ(rules_at(asked, policy::Stage::rcpt), (std::vector<std::string>{"asks", "mine"}));
    const auto twice = parse(server + "stages = [\"mail\", \"content\"]\non = [\"submission\"]\nwhen = 'size > 1'\n");
    EXPECT_EQ(rules_at(twice, policy::Stage::mail), (std::vector<std::string>{"sender-domain", "policy_server.p.mail"}));
    const auto& own = twice->config.rulebook->rules.at(policy::Stage::content).back().said;
    EXPECT_EQ(own.when, "listener in [\"submission\", \"submissions\"] and (size > 1)");
}

TEST(PolicyServers, AreCheckedAsAWhole) {
    const std::string one = "[[policy_server]]\nname = \"p\"\n";
    const std::string at = one + "socket = \"unix:/p\"\n";
    EXPECT_TRUE(parse(one + "url = \"http://127.0.0.1:81/x\"\nstages = [\"auth\"]\n"));
    const std::vector<std::pair<std::string, std::string>> wrong{
        {one, "is no place of a filter"},
        {one + "url = \"ftp://a\"\n", "is no web address"},
        {at + "url = \"http://a/\"\n", "not both"},
        {at + at, "is the name of what stands at"},
        {at + "stages = []\n", "never be asked"},
        {at + "stages = [\"auth\"]\n", "no question for auth"},
        {at + "when = 'sendr = \"a\"'\n", "sendr"},
        {at + "stages = [\"helo\"]\nwhen = 'sender = \"a\"'\n", "known from stage mail on"},
        {at + "facts = [\"header.Subject\"]\n", "header.Subject is known from stage content on"},
        {at + "credentials = \"env:PATH\"\n", "credentials"},
        {at + "ca_file = \"/x\"\n", "goes with a https: url only"},
        {at + "[[rule]]\nname = \"r\"\nstage = \"rcpt\"\nask = \"q\"\n", "there is no [[policy_server]] or [[script]] of the name \"q\""},
        {at + "[[rule]]\nname = \"r\"\nstage = \"auth\"\nask = \"p\"\n", "no question for auth"},
        {at + "[[rule]]\nname = \"r\"\nstage = \"rcpt\"\nask = \"p\"\naction = \"reject\"\n", "goes with name, stage and when only"},
        {at + "stages = [\"mail\"]\n[[rule]]\nname = \"r\"\nstage = \"rcpt\"\nask = \"p\"\n", "leave that or this out"},
        {at + "[[rule]]\nname = \"policy_server.p\"\nstage = \"rcpt\"\naction = \"accept\"\n", "is the name of the rule"},
        {at + "facts = [\"dnsbl.zen\"]\n", "there is no [[dnsbl]]"},
    };
    for (const auto& [text, error] : wrong) {
        const auto loaded = parse(text);
        ASSERT_FALSE(loaded) << text;
        EXPECT_THAT(loaded.error().detail, HasSubstr(error)) << text;
    }
}

TEST(Scripts, AreCompiledWhenTheConfigurationIsRead) {
    std::string file = (fs::temp_directory_path() / "thurn-script-XXXXXX").string();
    ::close(::mkstemp(file.data()));
    const auto write = [&file](std::string_view text) { std::ofstream(file) << text; };
    const auto script = fmt::format("[[script]]\nname = \"s\"\nfile = \"{}\"\n", file);
    write("return 'reject'");
    EXPECT_EQ(rules_at(parse(script + "stages = [\"mail\"]\n"), policy::Stage::mail),
              (std::vector<std::string>{"sender-domain", "script.s"}));
    const auto asked = parse(script + "[[rule]]\nname = \"r\"\nstage = \"auth\"\nask = \"s\"\n");
    EXPECT_EQ(rules_at(asked, policy::Stage::auth), std::vector<std::string>{"r"});
    EXPECT_THAT(parse(script + "[[policy_server]]\nname = \"s\"\nsocket = \"unix:/s\"\n").error().detail, HasSubstr("name"));
    write("local x =\n= 2");
    const auto wrong = parse(script);
    ASSERT_FALSE(wrong);
    EXPECT_THAT(wrong.error().detail, AllOf(HasSubstr("thurn-script-"), HasSubstr(":2: unexpected symbol near '='")));
    fs::remove(file);
    EXPECT_THAT(parse(script).error().detail, HasSubstr("cannot be read"));
}

}  // namespace
}  // namespace thurn::config
