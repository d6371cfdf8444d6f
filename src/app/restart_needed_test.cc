#include "app/restart_needed.h"

#include <gtest/gtest.h>

namespace thurn::app {
namespace {

std::vector<config::Setting> settings(std::string_view text) {
    auto loaded = config::parse_config(text, "test.toml", {.system_hostname = "mx.a.example"});
    EXPECT_TRUE(loaded) << (loaded ? "" : loaded.error().detail);
    return loaded ? loaded->settings : std::vector<config::Setting>();
}

using Keys = std::vector<std::string>;

TEST(RestartNeeded, NothingForTheSameSettings) {
    EXPECT_EQ(changes_for_a_restart(settings(""), settings("")), Keys());
    EXPECT_EQ(changes_for_a_restart(settings(""), settings("threads = 0\n")), Keys()) << "the default, written out";
}

TEST(RestartNeeded, NothingForWhatAReloadPutsInForce) {
    EXPECT_EQ(changes_for_a_restart(settings(""), settings("[smtp]\nvrfy = \"on\"\n[limits]\nrecipients = 500\n"
                                                           "[queue]\nretry = [\"1m\"]\n[[domain]]\nname = \"a.example\"\n")),
              Keys());
}

TEST(RestartNeeded, NamesWhatIsFixedAtStart) {
    EXPECT_EQ(changes_for_a_restart(settings(""), settings("threads = 3\n[limits]\nconnections = 7\n[log]\nlevel = \"debug\"\n"
                                                           "[queue]\nconnections_per_site = 3\n")),
              (Keys{"limits.connections", "log.level", "queue.connections_per_site", "threads"}));
}

TEST(RestartNeeded, NamesListenersThatCameOrWent) {
    const auto with_listener = settings("[[listener]]\nbind = [\"127.0.0.1:2525\"]\n");
    EXPECT_EQ(changes_for_a_restart(settings(""), with_listener),
              (Keys{"listener[1].bind", "listener[1].networks", "listener[1].proxy_protocol_from", "listener[1].relay", "listener[1].role",
                    "listener[1].socket_mode", "listener[1].tls", "listener[1].xclient_from", "listener[1].xforward_from"}));
    EXPECT_EQ(changes_for_a_restart(with_listener, settings("[[listener]]\nbind = [\"127.0.0.1:2526\"]\n")), Keys{"listener[1].bind"});
}

}  // namespace
}  // namespace thurn::app
