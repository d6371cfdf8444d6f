#include "net/local_listener.h"

#include "net/stream.h"
#include "support/loopback.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <vector>

#include <boost/asio/local/stream_protocol.hpp>
#include <gtest/gtest.h>
#include <sys/stat.h>

namespace thurn::net {
namespace {

using Local = asio::local::stream_protocol;

class LocalListenerTest : public testing::Test {
protected:
    LocalListenerTest() {
        char folder[] = "/tmp/thurn-listener-XXXXXX";
        EXPECT_NE(::mkdtemp(folder), nullptr);
        folder_ = folder;
        path_ = folder_ / "lmtp";
    }
    ~LocalListenerTest() override { std::filesystem::remove_all(folder_); }

    base::Result<LocalListener> bind(unsigned mode = 0660) { return LocalListener::bind(loop_, {.path = path_, .mode = mode}, log_); }
    Local::socket connect() {
        Local::socket socket(loop_);
        socket.connect(Local::endpoint(path_));
        return socket;
    }
    unsigned mode() const {
        struct stat found{};
        EXPECT_EQ(::stat(path_.c_str(), &found), 0);
        return found.st_mode & 0777;
    }

    std::filesystem::path folder_;
    std::string path_;
    base::NullLog log_;
    asio::io_context loop_;
};

TEST_F(LocalListenerTest, HandsOverConnectionsAndKeepsTheMode) {
    for (const unsigned wanted : {0600U, 0666U}) {
        auto listener = bind(wanted);
        ASSERT_TRUE(listener) << listener.error().detail;
        EXPECT_EQ(mode(), wanted);
        std::vector<Stream> accepted;
        listener->start([&](asio::generic::stream_protocol::socket socket) { accepted.emplace_back(std::move(socket)); });
        const auto first = connect();
        const auto second = connect();
        loop_.restart();
        while (accepted.size() < 2) loop_.run_one();
        EXPECT_EQ(accepted.front().peer().port(), 0);
        listener->close();
        loop_.restart();
        loop_.poll();
    }
}

TEST_F(LocalListenerTest, RemovesItsSocketWhenItCloses) {
    {
        auto listener = bind();
        ASSERT_TRUE(listener);
        EXPECT_TRUE(std::filesystem::exists(path_));
    }
    loop_.restart();
    loop_.poll();
    EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(LocalListenerTest, ReplacesASocketNobodyListensOn) {
    { Local::acceptor left_behind(loop_, Local::endpoint(path_)); }
    EXPECT_TRUE(std::filesystem::exists(path_));
    EXPECT_TRUE(bind());
}

TEST_F(LocalListenerTest, LeavesAloneWhatIsNotItsOwn) {
    {
        const Local::acceptor another(loop_, Local::endpoint(path_));
        const auto refused = bind();
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().kind, base::ErrorKind::refused);
        EXPECT_TRUE(std::filesystem::exists(path_));
    }
    std::filesystem::remove(path_);
    std::ofstream(path_) << "precious";
    EXPECT_FALSE(bind());
    EXPECT_TRUE(std::filesystem::is_regular_file(path_));
}

TEST_F(LocalListenerTest, RefusesAPathThatDoesNotFit) {
    path_ = (folder_ / std::string(kMostSocketPath, 'x')).string();
    EXPECT_FALSE(bind());
    path_ = (folder_ / "none" / "lmtp").string();
    EXPECT_FALSE(bind());
}

}  // namespace
}  // namespace thurn::net
