#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace thurn::support {

/// A server on a loopback port that follows a script per connection, in a thread of its own.
///
/// Script  Lines: `S: text` says it with CRLF; `s: text` without, `|` for CRLF; `C: text` takes a line that must begin with text; `D:`
///         takes content to its dot; `L: text` lets octets come until they hold text; `T:` shakes hands; `H:` hangs until the client goes;
///         `R:` resets; `P: text` says text again and again, octet by octet, until the client goes; `!:` calls the hook; `Q:` expects that
///         nothing comes for 50 ms. The end of the script closes.
/// Wire    What each connection received, in clear, is kept octet by octet.
class ScriptedPeer {
public:
    explicit ScriptedPeer(std::vector<std::string> scripts, SSL_CTX* tls = nullptr, std::function<void()> hook = {})
        : scripts_(std::move(scripts)), tls_(tls), hook_(std::move(hook)) {
        listener_ = bind_to(0);
        EXPECT_EQ(::listen(listener_, 16), 0);
        sockaddr_in address{};
        socklen_t length = sizeof address;
        EXPECT_EQ(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length), 0);
        port_ = ntohs(address.sin_port);
        keeper_ = bind_to(port_);
        thread_ = std::thread([this] { serve(); });
    }
    enum class Place { local_socket };
    /// At path(), in a folder of its own that goes with the object.
    ScriptedPeer(std::vector<std::string> scripts, Place) : scripts_(std::move(scripts)) {
        char folder[] = "/tmp/thurn-peer-XXXXXX";
        EXPECT_NE(::mkdtemp(folder), nullptr);
        path_ = std::string(folder) + "/socket";
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path_.copy(address.sun_path, sizeof address.sun_path - 1);
        listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
        EXPECT_EQ(::listen(listener_, 16), 0);
        thread_ = std::thread([this] { serve(); });
    }
    ~ScriptedPeer() {
        if (!path_.empty()) {
            ::unlink(path_.c_str());
            ::rmdir(path_.substr(0, path_.rfind('/')).c_str());
        }
        finish();
        if (keeper_ >= 0) ::close(keeper_);
    }
    ScriptedPeer(const ScriptedPeer&) = delete;
    ScriptedPeer& operator=(const ScriptedPeer&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] std::uint16_t port() const { return port_; }
    /// Waits for the script's end; later connections are refused, for nobody else gets the port while this object lives.
    void finish() {
        if (!thread_.joinable()) return;
        stopping_ = true;
        thread_.join();
        ::close(listener_);
    }
    /// Octets of the connections so far; after finish(), of all.
    [[nodiscard]] std::vector<std::string> wire() {
        const std::lock_guard lock(mutex_);
        return wire_;
    }

private:
    static int bind_to(std::uint16_t port) {
        const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const int on = 1;
        EXPECT_EQ(::setsockopt(descriptor, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on), 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons(port);
        EXPECT_EQ(::bind(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
        return descriptor;
    }
    static constexpr int kPatience = 10'000;  // ms, so that a failing test ends

    void serve() {
        for (const auto& script : scripts_) {
            if (!await_client()) return;
            socket_ = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
            const int on = 1;
            ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            input_.clear();
            {
                const std::lock_guard lock(mutex_);
                wire_.emplace_back();
            }
            follow(script);
            hang_up();
        }
    }
    bool await_client() {
        pollfd waiting{listener_, POLLIN, 0};
        for (int waited = 0; waited < kPatience; waited += 20) {
            if (::poll(&waiting, 1, 20) == 1) return true;
            if (stopping_) return false;
        }
        return false;
    }
    void hang_up() {
        if (session_ != nullptr) SSL_free(session_);
        session_ = nullptr;
        if (socket_ >= 0) ::close(socket_);
        socket_ = -1;
    }
    void follow(std::string_view script) {
        while (!script.empty()) {
            const std::size_t end = std::min(script.find('\n'), script.size());
            const std::string_view line = script.substr(0, end);
            script.remove_prefix(std::min(end + 1, script.size()));
            if (line.size() < 2) continue;
            if (!step(line[0], line.size() > 3 ? line.substr(3) : std::string_view())) return;
        }
    }
    bool step(char what, std::string_view text) {
        switch (what) {
            case 'S':
                return say(std::string(text) + "\r\n");
            case 's':
                return say(with_line_ends(text));
            case 'C':
                return take_line(text);
            case 'D':
                return take_content();
            case 'L':
                return take_until(text);
            case 'T':
                return shake_hands();
            case 'H':
                return take_until({});
            case 'P':
                return drip(text);
            case 'R':
                return reset();
            case '!':
                return hook_(), true;
            case 'Q':
                return expect_quiet();
            default:
                ADD_FAILURE() << "script has " << what;
                return false;
        }
    }
    static std::string with_line_ends(std::string_view text) {
        std::string octets;
        for (const char octet : text) octets += octet == '|' ? "\r\n" : std::string(1, octet);
        return octets;
    }
    bool say(const std::string& text) {
        if (session_ != nullptr) return SSL_write(session_, text.data(), static_cast<int>(text.size())) > 0;
        return ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
    }
    bool more() {
        char octets[65536];
        pollfd waiting{socket_, POLLIN, 0};
        if ((session_ == nullptr || SSL_has_pending(session_) == 0) && ::poll(&waiting, 1, kPatience) != 1) return false;
        const ssize_t count = session_ != nullptr ? SSL_read(session_, octets, sizeof octets) : ::recv(socket_, octets, sizeof octets, 0);
        if (count <= 0) return false;
        input_.append(octets, static_cast<std::size_t>(count));
        const std::lock_guard lock(mutex_);
        wire_.back().append(octets, static_cast<std::size_t>(count));
        return true;
    }
    bool take_line(std::string_view beginning) {
        while (!input_.contains("\r\n"))
            if (!more()) {
                ADD_FAILURE() << "client left where it should say " << beginning;
                return false;
            }
        const std::string line = input_.substr(0, input_.find("\r\n"));
        input_.erase(0, line.size() + 2);
        EXPECT_TRUE(line.starts_with(beginning)) << "client said " << line << " where it should say " << beginning;
        return line.starts_with(beginning);
    }
    bool take_until(std::string_view text) {
        while (text.empty() || !input_.contains(text))
            if (!more()) return false;
        input_.erase(0, input_.find(text) + text.size());
        return true;
    }
    bool take_content() {
        while (!input_.starts_with(".\r\n") && !input_.contains("\r\n.\r\n"))
            if (!more()) return false;
        input_.erase(0, input_.starts_with(".\r\n") ? 3 : input_.find("\r\n.\r\n") + 5);
        return true;
    }
    bool shake_hands() {
        session_ = SSL_new(tls_);
        SSL_set_fd(session_, socket_);
        return SSL_accept(session_) == 1;
    }
    bool drip(std::string_view text) {
        pollfd waiting{socket_, POLLIN, 0};
        for (std::size_t k = 0; k < 200; ++k) {
            if (!say(std::string(1, text[k % text.size()]))) return false;
            if (::poll(&waiting, 1, 50) == 1) return false;
        }
        ADD_FAILURE() << "client has too much patience";
        return false;
    }
    bool reset() {
        const linger now{1, 0};
        ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        return false;
    }
    bool expect_quiet() {
        pollfd waiting{socket_, POLLIN, 0};
        EXPECT_TRUE(input_.empty());
        EXPECT_EQ(::poll(&waiting, 1, 50), 0) << "client spoke where it should wait";
        return true;
    }

    std::vector<std::string> scripts_;
    SSL_CTX* tls_ = nullptr;
    std::function<void()> hook_;
    int listener_ = -1;
    int keeper_ = -1;  // bound to the same port, and never listens
    std::uint16_t port_ = 0;
    std::string path_;
    int socket_ = -1;
    SSL* session_ = nullptr;
    std::string input_;
    std::mutex mutex_;
    std::vector<std::string> wire_;
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

}  // namespace thurn::support
