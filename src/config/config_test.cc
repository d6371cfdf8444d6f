// What is in force: the defaults, each key, warnings, and that docs/configuration.md tells of them all.
#include "support/parsed_config.h"

#include <filesystem>
#include <fstream>
#include <map>

namespace thurn::config {
namespace {

namespace fs = std::filesystem;

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

}  // namespace
}  // namespace thurn::config
