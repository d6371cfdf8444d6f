#include "inbound/archive_readers.h"

#include "base/result.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>
#include <unistd.h>

namespace thurn::inbound {
namespace {

namespace asio = net::asio;
using base::ErrorKind;
using Listed = base::Result<scan::ArchiveListing>;

/// Programs that stand for the reader.
class ArchiveReadersTest : public testing::Test {
protected:
    ArchiveReadersTest() {
        std::string name = (std::filesystem::temp_directory_path() / "thurn-readers-XXXXXX").string();
        folder_ = ::mkdtemp(name.data());
    }
    ~ArchiveReadersTest() override { std::filesystem::remove_all(folder_); }

    std::string program(const std::string& script) {
        const auto path = folder_ / "reader";
        std::ofstream(path) << "#!/bin/sh\n" << script << "\n";
        std::filesystem::permissions(path, std::filesystem::perms::owner_all);
        return path.string();
    }
    Descriptor archives() {
        const std::vector<std::string> names{"a.zip", "b"};
        ArchiveFile file(names);
        for (const auto* content : {"one", ""}) {
            file.begin();
            file.octets(content);
            file.end();
        }
        return *file.take();
    }
    Listed ask(ArchiveReaders& readers) {
        Listed listed = base::fail(ErrorKind::stopping, "not asked");
        asio::io_context loop;
        asio::co_spawn(loop, readers.async_list(archives(), "192.0.2.1", options_, pool_),
                       [&](std::exception_ptr, Listed result) { listed = std::move(result); });
        loop.run();
        return listed;
    }
    Listed ask(const std::string& script) {
        ArchiveReaders readers(program(script));
        return ask(readers);
    }

    std::filesystem::path folder_;
    net::BlockingPool pool_{2};
    AttachmentOptions options_{.time_limit = std::chrono::seconds(30), .readers = 1};
};

TEST_F(ArchiveReadersTest, TakesAListing) {
    const auto listed = ask("printf 'thurn-archive 1\\nmember 0 1 5 - - a%%20b\\nend\\n'");
    ASSERT_TRUE(listed.has_value()) << listed.error().detail;
    ASSERT_EQ(listed->members.size(), 1U);
    EXPECT_EQ(listed->members[0].path, "a b");
}

TEST_F(ArchiveReadersTest, GivesTheArchivesWithTheirNames) {
    const auto listed = ask("printf 'thurn-archive 1\\n'; [ \"$(wc -c)\" = 41 ] && printf 'end\\n'");
    EXPECT_TRUE(listed.has_value()) << "2 heads of 16 octets, a.zip, one, b";
}

TEST_F(ArchiveReadersTest, GivesNeitherEnvironmentNorFiles) {
    const auto listed = ask("printf 'thurn-archive 1\\n'; [ -z \"$HOME$USER$SHELL\" ] && [ \"$1\" = archive-reader ] && printf 'end\\n'");
    EXPECT_TRUE(listed.has_value());
}

TEST_F(ArchiveReadersTest, TellsHowAReaderDied) {
    const auto killed = ask("printf 'thurn-archive 1\\nmember 0 1 5 - - a\\n'; kill -9 $$");
    ASSERT_FALSE(killed.has_value());
    EXPECT_EQ(killed.error().kind, ErrorKind::peer_gone);
    EXPECT_EQ(killed.error().detail, "killed by signal 9");
    EXPECT_EQ(ask("exit 5").error().detail, "exit code 5");
    EXPECT_EQ(ask("exit 3").error().detail, "it would take more memory than attachments.archive_memory");
    EXPECT_EQ(ask("exit 0").error().kind, ErrorKind::peer_gone);
}

TEST_F(ArchiveReadersTest, BelievesNoRubbish) {
    EXPECT_EQ(ask("echo hello").error().kind, ErrorKind::syntax);
    EXPECT_EQ(ask("cat /dev/zero").error().kind, ErrorKind::too_long);
}

TEST_F(ArchiveReadersTest, KillsOneThatHangsWhenItsTimeIsUp) {
    options_.time_limit = std::chrono::seconds(1);
    for (const auto* script : {"sleep 600", "exec 1>&-; sleep 600", "trap '' TERM; while :; do :; done"}) {
        const auto begun = std::chrono::steady_clock::now();
        const auto listed = ask(script);
        ASSERT_FALSE(listed.has_value());
        EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(20)) << script;
    }
}

TEST_F(ArchiveReadersTest, TellsWhatCannotBeStarted) {
    ArchiveReaders readers("/nonexistent/thurn");
    EXPECT_EQ(ask(readers).error().kind, ErrorKind::refused);
}

TEST_F(ArchiveReadersTest, HasThemWaitForTheirTurn) {
    ArchiveReaders readers(program("printf 'thurn-archive 1\\n'; sleep 0.2; printf 'end\\n'"));
    asio::io_context loop;
    int listed = 0;
    for (int i = 0; i < 3; ++i)
        asio::co_spawn(loop, readers.async_list(archives(), "192.0.2.1", options_, pool_),
                       [&](std::exception_ptr, const Listed& result) { listed += result.has_value() ? 1 : 0; });
    loop.run();
    EXPECT_EQ(listed, 3);

    options_.time_limit = std::chrono::seconds(1);
    ArchiveReaders slow(program("sleep 600"));
    int timed_out = 0;
    for (int i = 0; i < 2; ++i)
        asio::co_spawn(loop, slow.async_list(archives(), "192.0.2.1", options_, pool_), [&](std::exception_ptr, const Listed& result) {
            timed_out += !result.has_value() && result.error().kind == ErrorKind::timed_out ? 1 : 0;
        });
    loop.restart();
    loop.run();
    EXPECT_EQ(timed_out, 2) << "one for its program, the other for its turn";
}

TEST_F(ArchiveReadersTest, OneClientsArchivesDoNotTakeAllTurns) {
    ArchiveReaders readers(program("printf 'thurn-archive 1\\n'; [ \"$(wc -c)\" = 41 ] && printf 'end\\n' || sleep 600"));
    const std::vector<std::string> names{"slow.zip"};
    options_ = {.time_limit = std::chrono::seconds(3), .readers = 4};
    asio::io_context loop;
    int timed_out = 0;
    for (int i = 0; i < 8; ++i) {
        ArchiveFile slow(names);
        slow.begin();
        slow.end();
        asio::co_spawn(loop, readers.async_list(*slow.take(), "192.0.2.1", options_, pool_), [&](std::exception_ptr, const Listed& listed) {
            timed_out += !listed.has_value() && listed.error().kind == ErrorKind::timed_out ? 1 : 0;
        });
    }
    int listed_first = 0;
    for (const auto* other : {"192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.2"})
        asio::co_spawn(loop, readers.async_list(archives(), other, options_, pool_),
                       [&](std::exception_ptr, const Listed& listed) { listed_first += listed.has_value() && timed_out == 0 ? 1 : 0; });
    loop.run();
    EXPECT_EQ(listed_first, 4) << "beside those of the one who floods";
    EXPECT_EQ(timed_out, 8);
}

TEST_F(ArchiveReadersTest, TakesALongListing) {
    const auto listed =
        ask("printf 'thurn-archive 1\\n'; i=0; while [ $i -lt 2000 ]; do printf 'member 0 1 5 - - a%d\\n' $i; i=$((i+1)); done; printf "
            "'end\\n'");
    ASSERT_TRUE(listed.has_value()) << listed.error().detail;
    ASSERT_EQ(listed->members.size(), 2000U);
    EXPECT_EQ(listed->members.back().path, "a1999");
    EXPECT_EQ(ask("printf 'thurn-archive 1\\n'; head -c 20000 /dev/zero").error().kind, ErrorKind::peer_gone);
}

}  // namespace
}  // namespace thurn::inbound
