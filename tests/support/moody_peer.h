#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace thurn::support {

/// A server of changing moods: it knows SMTP and keeps honest books, yet answers whatever it likes, twice, or not at all.
///
/// Books    taken(): for each recipient address, the content it took responsibility for by a 250 behind the dot.
class MoodyPeer {
public:
    explicit MoodyPeer(unsigned seed) : random_(seed) {
        listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t length = sizeof address;
        ready_ = ::bind(listener_, reinterpret_cast<sockaddr*>(&address), length) == 0 && ::listen(listener_, 64) == 0 &&
                 ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length) == 0;
        port_ = ntohs(address.sin_port);
        thread_ = std::thread([this] { serve(); });
    }
    ~MoodyPeer() {
        finish();
        ::close(listener_);
    }
    MoodyPeer(const MoodyPeer&) = delete;
    MoodyPeer& operator=(const MoodyPeer&) = delete;

    [[nodiscard]] bool ready() const { return ready_; }
    [[nodiscard]] std::uint16_t port() const { return port_; }
    void finish() {
        stopping_ = true;
        if (thread_.joinable()) thread_.join();
    }
    /// After finish().
    [[nodiscard]] const std::map<std::string, std::vector<std::string>>& taken() const { return taken_; }

private:
    unsigned below(unsigned bound) { return std::uniform_int_distribution<unsigned>(0, bound - 1)(random_); }

    void serve() {
        pollfd waiting{listener_, POLLIN, 0};
        while (!stopping_) {
            if (::poll(&waiting, 1, 5) != 1) continue;
            socket_ = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
            const int on = 1;
            ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            converse();
            ::close(socket_);
        }
    }
    void converse() {
        input_.clear();
        recipients_.clear();
        mail_ = content_ = false;
        pipelining_ = below(2) == 0;
        open_ = true;
        answer("220 mx");
        while (open_ && (step() || more())) {}
    }
    bool more() {
        char octets[16384];
        const ssize_t count = ::recv(socket_, octets, sizeof octets, 0);
        if (count > 0) input_.append(octets, static_cast<std::size_t>(count));
        return count > 0;
    }
    /// Takes one command or content, if it is all there.
    bool step() {
        const std::string_view end = content_ ? "\r\n.\r\n" : "\r\n";
        const bool empty = content_ && input_.starts_with(".\r\n");
        const auto at = empty ? 0 : input_.find(end);
        if (at == std::string::npos) return false;
        const std::string taken = input_.substr(0, at);
        input_.erase(0, empty ? 3 : at + end.size());
        content_ ? end_content(taken) : obey(taken);
        return true;
    }
    void end_content(const std::string& content) {
        content_ = mail_ = false;
        const auto recipients = std::exchange(recipients_, {});
        if (!answer("250 2.0.0 taken") || recipients.empty()) return;
        for (const auto& recipient : recipients) taken_[recipient].push_back(content);
    }
    void obey(const std::string& line) {
        if (line.starts_with("EHLO")) {
            answer(pipelining_ ? "250-mx\r\n250-8BITMIME\r\n250 PIPELINING" : "250 mx");
        } else if (line.starts_with("MAIL")) {
            mail_ = answer("250 2.1.0 ok");
        } else if (line.starts_with("RCPT")) {
            if (answer(mail_ ? "250 2.1.5 ok" : "503 5.5.1 MAIL first") && mail_) recipients_.push_back(line.substr(9, line.find('>') - 9));
        } else if (line == "DATA") {
            content_ = answer(recipients_.empty() && below(2) == 0 ? "503 5.5.1 RCPT first" : "354 go on");
        } else if (line == "RSET") {
            mail_ = false;
            recipients_.clear();
            answer("250 2.0.0 ok");
        } else {
            answer("221 2.0.0 bye");
            open_ = false;
        }
    }
    /// Says it, or something else. True when the usual was said, and was a success.
    bool answer(std::string usual) {
        static constexpr const char* kMoods[] = {"450 4.2.1 busy",
                                                 "451 later",
                                                 "452 4.5.3 too many",
                                                 "550 5.1.1 who?",
                                                 "552 too much",
                                                 "554-5.7.1 no\r\n554 5.7.1 no",
                                                 "421 4.3.2 closing",
                                                 "250 2.0.0 surely",
                                                 "354 what next",
                                                 "599",
                                                 "2",
                                                 "100 wait",
                                                 "rubbish",
                                                 "250-half"};
        const unsigned mood = below(120);
        if (mood == 0) open_ = false;
        if (mood == 0) return false;
        if (mood <= std::size(kMoods)) {
            const std::string said = kMoods[mood - 1];
            open_ = !said.starts_with("421") && !said.starts_with("rub") && !said.ends_with("half") && said != "2";
            say(said + "\r\n");
            // By saying 250 or 354 where that is the success of the command, it took its part after all.
            return said.substr(0, 3) == usual.substr(0, 3);
        }
        if (mood == 20)
            say(usual + "\r\n" + usual + "\r\n");
        else
            say(usual + "\r\n");
        return usual[0] == '2' || usual[0] == '3';
    }
    void say(std::string_view text) {
        while (!text.empty()) {
            const auto part = 1 + below(static_cast<unsigned>(text.size()));
            if (::send(socket_, text.data(), part, MSG_NOSIGNAL) < 0) return;
            text.remove_prefix(part);
        }
    }

    std::mt19937 random_;
    int listener_ = -1;
    int socket_ = -1;
    bool ready_ = false;
    std::uint16_t port_ = 0;
    std::string input_;
    bool pipelining_ = false, mail_ = false, content_ = false, open_ = false;
    std::vector<std::string> recipients_;
    std::map<std::string, std::vector<std::string>> taken_;
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

}  // namespace thurn::support
