#pragma once

#include "inbound/conversation.h"
#include "inbound/service.h"
#include "spool/memory_spool.h"
#include "support/fake_clock.h"
#include "support/fake_random.h"
#include "support/memory_directory.h"
#include "support/memory_journal.h"
#include "support/tls_files.h"

#include <future>
#include <thread>

#include <boost/asio/post.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

namespace thurn::inbound {

namespace asio = boost::asio;
using asio::ip::tcp;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

/// A client that says a line and waits for the reply, in clear or under TLS.
class TestClient {
public:
    explicit TestClient(int socket) : socket_(socket) {}
    ~TestClient() {
        if (session_ != nullptr) SSL_free(session_);
        if (context_ != nullptr) SSL_CTX_free(context_);
        ::close(socket_);
    }
    TestClient(const TestClient&) = delete;
    TestClient& operator=(const TestClient&) = delete;

    void start_tls() {
        context_ = SSL_CTX_new(TLS_client_method());
        session_ = SSL_new(context_);
        SSL_set_fd(session_, socket_);
        ASSERT_EQ(SSL_connect(session_), 1);
    }
    /// As sasl wants it, computed here by other means than the server's.
    std::string exported() {
        std::string octets(32, '\0');
        constexpr std::string_view kLabel = "EXPORTER-Channel-Binding";
        EXPECT_EQ(SSL_export_keying_material(session_, reinterpret_cast<unsigned char*>(octets.data()), octets.size(), kLabel.data(),
                                             kLabel.size(), nullptr, 0, 0),
                  1);
        return octets;
    }
    void say(const std::string& octets) {
        if (session_ != nullptr)
            EXPECT_GT(SSL_write(session_, octets.data(), static_cast<int>(octets.size())), 0);
        else
            EXPECT_EQ(::send(socket_, octets.data(), octets.size(), MSG_NOSIGNAL), static_cast<ssize_t>(octets.size()));
    }
    /// One whole reply without its last CRLF; empty when the server has closed.
    std::string hear() {
        std::size_t line = 0;
        while (true) {
            const auto end = input_.find("\r\n", line);
            if (end == std::string::npos) {
                if (!more()) return {};
                continue;
            }
            if (end - line > 3 && input_[line + 3] == '-') {
                line = end + 2;
                continue;
            }
            auto reply = input_.substr(0, end);
            input_.erase(0, end + 2);
            return reply;
        }
    }
    std::string ask(const std::string& line) {
        say(line + "\r\n");
        return hear();
    }

private:
    bool more() {
        char octets[4096];
        pollfd waiting{socket_, POLLIN, 0};
        if ((session_ == nullptr || SSL_pending(session_) == 0) && ::poll(&waiting, 1, 20'000) != 1) {
            ADD_FAILURE() << "the server is silent";
            return false;
        }
        const ssize_t count = session_ != nullptr ? SSL_read(session_, octets, sizeof octets) : ::recv(socket_, octets, sizeof octets, 0);
        if (count <= 0) return false;
        input_.append(octets, static_cast<std::size_t>(count));
        return true;
    }

    int socket_;
    SSL_CTX* context_ = nullptr;
    SSL* session_ = nullptr;
    std::string input_;
};

class ConversationTest : public testing::Test {
protected:
    ConversationTest() {
        directory_.add_domain("here.example");
        directory_.add_account("anna@here.example", "secret");
        directory_.add_account("bob@here.example", "other");
        options_.session.hostname = "mx.here.example";
        options_.authentication = std::make_shared<AuthenticationOptions>(AuthenticationOptions{.authserv_id = "mx.here.example"});
        options_.logins.delay = std::chrono::milliseconds(0);
    }
    ~ConversationTest() override {
        loops_.halt();
        pool_.stop();
        loops_.stop();
    }

    void start(std::size_t connections = 100, std::size_t per_address = 100) {
        ASSERT_TRUE(certificates_.load());
        service_ = std::make_unique<Service>(
            Dependencies{
                .spool = spool_,
                .directory = directory_,
                .passwords = directory_,
                .tokens = nullptr,
                .login_guard = login_guard_,
                .journal = journal_,
                .log = log_,
                .clock = clock_,
                .random = random_,
                .ids = ids_,
                .pool = pool_,
                .resolver = resolver_,
                .certificates = &certificates_,
                .hand_over =
                    [this](spool::StoredMessage message) { accepted_.with([&](auto& all) { all.push_back(std::move(message)); }); },
                .run_queue = [this](std::string domain) { return async_run_queue(std::move(domain)); },
                .ask_next_hop = ask_next_hop_,
                .buckets = buckets_,
                .alarms = alarms_,
                .accounts = accounts_},
            loops_.count(), connections, per_address);
        service_->configure(std::make_shared<const Options>(options_));
        loops_.start();
    }
    asio::awaitable<base::Result<std::size_t>> async_run_queue(std::string domain) {
        queue_runs_.with([&](auto& all) { all.push_back(domain); });
        co_return waiting_;
    }
    std::vector<std::string> queue_runs() {
        return queue_runs_.with([](auto& all) { return all; });
    }
    std::unique_ptr<TestClient> connect(const ListenerProfile& profile) {
        asio::io_context ours;
        tcp::acceptor acceptor(ours, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
        const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const auto endpoint = acceptor.local_endpoint();
        EXPECT_EQ(::connect(socket, endpoint.data(), static_cast<socklen_t>(endpoint.size())), 0);
        const std::size_t loop = turn_++ % loops_.count();
        auto accepted = acceptor.accept(loops_.loop(loop));
        std::promise<void> served;
        asio::post(loops_.loop(loop), [&] {
            service_->serve(std::move(accepted), profile, loop);
            served.set_value();
        });
        served.get_future().wait();
        return std::make_unique<TestClient>(socket);
    }
    /// On the mx role, past EHLO.
    std::unique_ptr<TestClient> greeted() {
        auto client = connect(mx_);
        EXPECT_THAT(client->hear(), StartsWith("220 mx.here.example "));
        EXPECT_THAT(client->ask("EHLO client.example"), StartsWith("250-"));
        return client;
    }
    std::unique_ptr<TestClient> greeted_on(const ListenerProfile& profile) {
        auto client = connect(profile);
        EXPECT_THAT(client->hear(), StartsWith("220 "));
        EXPECT_THAT(client->ask("EHLO client.example"), StartsWith("250-"));
        return client;
    }
    std::unique_ptr<TestClient> submitting() {
        auto client = connect(submissions_);
        client->start_tls();
        EXPECT_THAT(client->hear(), StartsWith("220 "));
        EXPECT_THAT(client->ask("EHLO client.example"), AllOf(HasSubstr("AUTH"), HasSubstr("PLAIN")));
        return client;
    }
    std::unique_ptr<TestClient> logged_in() {
        auto client = submitting();
        EXPECT_THAT(client->ask("AUTH PLAIN AGFubmFAaGVyZS5leGFtcGxlAHNlY3JldA=="), StartsWith("235 2.7.0"));
        return client;
    }
    std::vector<spool::StoredMessage> accepted() {
        return accepted_.with([](auto& all) { return all; });
    }
    static std::string text(const spool::StoredMessage& message) { return std::string(message.content->in_memory().value()); }

    const ListenerProfile mx_{.name = "mx", .role = policy::Role::mx, .tls = smtp::TlsState::offered};
    const ListenerProfile submissions_{.name = "submissions", .role = policy::Role::submission, .tls = smtp::TlsState::active};
    support::FakeClock clock_;
    support::MemoryDirectory directory_{"mx.here.example"};
    spool::MemorySpool spool_;
    net::Resolver* resolver_ = nullptr;
    decltype(Dependencies::ask_next_hop) ask_next_hop_;
    policy::TokenBuckets* buckets_ = nullptr;
    policy::Alarms* alarms_ = nullptr;
    policy::AccountBaseline* accounts_ = nullptr;
    policy::LoginGuard login_guard_{{.capacity = 1000, .seed = 1}};
    support::MemoryJournal journal_;
    base::NullLog log_;
    base::MessageIdSource ids_{clock_, 0, {}};
    support::FakeRandom random_;
    test::TlsFiles files_{"mx.here.example"};
    net::ServerCertificates certificates_{{files_.files()}, {}, log_};
    base::Guarded<std::vector<spool::StoredMessage>> accepted_;
    base::Guarded<std::vector<std::string>> queue_runs_;
    base::Result<std::size_t> waiting_ = 1;  // what run_queue says
    Options options_;
    net::Loops loops_{2};
    net::BlockingPool pool_{2};
    std::unique_ptr<Service> service_;
    std::size_t turn_ = 0;
};

}  // namespace thurn::inbound
