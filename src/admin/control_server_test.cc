#include "admin/control_server.h"

#include "net/loops.h"

#include <filesystem>
#include <future>
#include <stdexcept>

#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace thurn::admin {
namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;
namespace json = boost::json;
using testing::HasSubstr;

asio::awaitable<ControlResult> echo(json::object request) { co_return json::value(request.at("say")); }
asio::awaitable<ControlResult> refuse(json::object) { co_return base::fail(base::ErrorKind::not_found, "nothing there"); }

class ControlServerTest : public testing::Test {
protected:
    ControlServerTest() {
        std::string name = (fs::temp_directory_path() / "thurn-control-XXXXXX").string();
        root_ = ::mkdtemp(name.data());
    }
    ~ControlServerTest() override {
        on_loop([&] { server_.close(); });
        loops_.stop();
        std::error_code ignored;
        fs::remove_all(root_, ignored);
    }
    template <class Work>
    std::invoke_result_t<Work> on_loop(Work work) {
        std::packaged_task<std::invoke_result_t<Work>()> task(std::move(work));
        auto result = task.get_future();
        asio::post(loops_.loop(0), [&task] { task(); });
        return result.get();
    }
    void start() {
        loops_.start();
        ASSERT_TRUE(on_loop([&] { return server_.listen(socket()); }));
    }
    fs::path socket() const { return root_ / "control.sock"; }
    /// What the server sends until it closes.
    std::string answer_to(std::string_view octets) {
        asio::io_context loop;
        asio::local::stream_protocol::socket peer(loop);
        peer.connect(asio::local::stream_protocol::endpoint(socket().string()));
        boost::system::error_code error;
        asio::write(peer, asio::buffer(octets), error);
        std::string answer;
        asio::read(peer, asio::dynamic_buffer(answer), error);
        return answer;
    }

    fs::path root_;
    base::NullLog log_;
    net::Loops loops_{1};
    ControlServer server_{loops_.loop(0), {{"echo", echo}, {"refuse", refuse}}, log_};
};

TEST_F(ControlServerTest, AnswersACommand) {
    start();
    const auto answer = ask_server(socket(), {{"command", "echo"}, {"say", "hello\nworld"}});
    ASSERT_TRUE(answer) << answer.error().detail;
    EXPECT_EQ(answer->as_string(), "hello\nworld");
}

TEST_F(ControlServerTest, PassesErrorsOnWithTheirKind) {
    start();
    const auto answer = ask_server(socket(), {{"command", "refuse"}});
    EXPECT_EQ(answer.error().kind, base::ErrorKind::not_found);
    EXPECT_EQ(answer.error().detail, "nothing there");
}

TEST_F(ControlServerTest, AnswersNonsenseWithAnError) {
    start();
    for (const char* nonsense :
         {"\n", "nonsense\n", "{\n", "[]\n", "5\n", "{}\n", "{\"command\": 5}\n", "{\"command\": \"sing\"}\n", "\xff\xfe\n"})
        EXPECT_THAT(answer_to(nonsense), HasSubstr("no such command")) << nonsense;
    EXPECT_THAT(answer_to(std::string(1000, '[') + "\n"), HasSubstr("no such command"));
}

TEST_F(ControlServerTest, SurvivesAHandlerThatThrows) {
    start();
    EXPECT_THAT(ask_server(socket(), {{"command", "echo"}}).error().detail, HasSubstr("internal error"));
    EXPECT_TRUE(ask_server(socket(), {{"command", "echo"}, {"say", 1}}));
}

TEST_F(ControlServerTest, ClosesOnARequestThatIsTooLong) {
    start();
    EXPECT_EQ(answer_to(std::string(2 << 20, 'x')), "");
    EXPECT_TRUE(ask_server(socket(), {{"command", "echo"}, {"say", 1}}));
}

TEST_F(ControlServerTest, IsForItsOwnUserOnly) {
    start();
    struct stat facts{};
    ASSERT_EQ(::stat(socket().c_str(), &facts), 0);
    EXPECT_EQ(facts.st_mode & 0777, 0600);
}

TEST_F(ControlServerTest, LeavesARunningServerItsSocket) {
    start();
    asio::io_context loop;
    ControlServer second(loop, {}, log_);
    EXPECT_EQ(second.listen(socket()).error().kind, base::ErrorKind::exists);
    EXPECT_TRUE(ask_server(socket(), {{"command", "echo"}, {"say", 1}}));
}

TEST_F(ControlServerTest, TakesOverASocketNobodyAnswersOn) {
    {
        asio::io_context loop;
        asio::local::stream_protocol::acceptor dead(loop, asio::local::stream_protocol::endpoint(socket().string()));
    }
    ASSERT_TRUE(fs::exists(socket()));
    EXPECT_EQ(ask_server(socket(), {}).error().kind, base::ErrorKind::peer_gone);
    start();
    EXPECT_TRUE(ask_server(socket(), {{"command", "echo"}, {"say", 1}}));
}

TEST_F(ControlServerTest, TakesItsSocketAwayWhenItCloses) {
    start();
    on_loop([&] { server_.close(); });
    EXPECT_FALSE(fs::exists(socket()));
    EXPECT_EQ(ask_server(socket(), {}).error().kind, base::ErrorKind::peer_gone);
}

TEST_F(ControlServerTest, RefusesAPathThatIsTooLong) {
    loops_.start();
    EXPECT_EQ(server_.listen(root_ / std::string(120, 'x')).error().kind, base::ErrorKind::too_long);
}

}  // namespace
}  // namespace thurn::admin
