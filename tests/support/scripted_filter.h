#pragma once

#include "base/guarded.h"
#include "milter/packet.h"

#include <atomic>
#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace thurn::support {

/// A packet of the milter protocol.
inline std::string milter_packet(char word, std::string_view payload = {}) {
    milter::PacketWriter writer;
    writer.begin(word);
    writer.octets(payload);
    writer.end();
    return writer.take();
}

/// A content filter at a local socket, in a thread of its own: answers each command with the octets set for its letter, `c` where none are.
///
/// Heard    Each packet, its letter and the payload with `|` for NUL.
/// Special  An answer of `hang` leaves the filter silent; `progress` has it give signs of life for ever; `leave` closes the connection, after what stands before it.
class ScriptedFilter {
public:
    explicit ScriptedFilter(std::map<char, std::string> answers = {}, std::uint32_t steps = 0, std::uint32_t actions = 0x1ff)
        : answers_(std::move(answers)), steps_(steps), actions_(actions) {
        char folder[] = "/tmp/thurn-filter-XXXXXX";
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
    ~ScriptedFilter() {
        stopping_ = true;
        thread_.join();
        ::close(listener_);
        ::unlink(path_.c_str());
        ::rmdir(path_.substr(0, path_.rfind('/')).c_str());
    }
    ScriptedFilter(const ScriptedFilter&) = delete;
    ScriptedFilter& operator=(const ScriptedFilter&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] std::vector<std::string> heard() {
        return heard_.with([](auto& all) { return all; });
    }
    /// Waits until it was told to quit, or a while.
    [[nodiscard]] std::vector<std::string> heard_to_the_end() {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
        while (std::chrono::steady_clock::now() < deadline && (heard().empty() || heard().back() != "Q")) std::this_thread::yield();
        return heard();
    }
    void answer(char command, std::string octets) {
        answers_.with([&](auto& all) { all[command] = std::move(octets); });
    }
    [[nodiscard]] int connections() const { return connections_; }
    /// Waits until so many connections are at their end, or a while.
    void wait_for_ends(int count) const {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
        while (std::chrono::steady_clock::now() < deadline && ended_ < count) std::this_thread::yield();
    }

private:
    bool wait(int socket) const {
        while (!stopping_) {
            pollfd waiting{socket, POLLIN, 0};
            if (::poll(&waiting, 1, 20) == 1) return true;
        }
        return false;
    }
    void serve() {
        while (wait(listener_)) {
            const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
            ++connections_;
            converse(socket);
            ::close(socket);
            ++ended_;
        }
    }
    void converse(int socket) {
        milter::PacketReader reader(std::size_t{1} << 20);
        while (wait(socket)) {
            char octets[65536];
            const auto count = ::recv(socket, octets, sizeof octets, 0);
            if (count <= 0) return;
            reader.receive({octets, static_cast<std::size_t>(count)});
            while (const auto packet = reader.next().value())
                if (!reply(socket, *packet)) return;
        }
    }
    bool reply(int socket, const milter::Packet& packet) {
        std::string text(1, packet.word);
        for (const char c : packet.payload) text += c == '\0' ? '|' : c;
        heard_.with([&](auto& all) { all.push_back(text); });
        if (packet.word == 'O') return send(socket, agreement());
        if (packet.word == 'D' || packet.word == 'A') return true;
        if (packet.word == 'Q') return false;
        const auto octets = answers_.with([&](auto& all) { return all.contains(packet.word) ? all[packet.word] : milter_packet('c'); });
        if (octets.ends_with("leave")) {
            std::ignore = send(socket, octets.substr(0, octets.size() - 5));
            return false;
        }
        if (octets == "progress") return progress(socket);
        return octets == "hang" || octets.empty() || send(socket, octets);
    }
    bool progress(int socket) const {
        while (!stopping_ && send(socket, milter_packet('p'))) std::this_thread::sleep_for(std::chrono::milliseconds(20));
        return false;
    }
    std::string agreement() const {
        milter::PacketWriter writer;
        writer.begin('O');
        writer.number(6);
        writer.number(actions_);
        writer.number(steps_);
        writer.end();
        return writer.take();
    }
    static bool send(int socket, const std::string& octets) {
        return ::send(socket, octets.data(), octets.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(octets.size());
    }

    base::Guarded<std::map<char, std::string>> answers_;
    std::uint32_t steps_;
    std::uint32_t actions_;
    std::string path_;
    int listener_ = -1;
    base::Guarded<std::vector<std::string>> heard_;
    std::atomic<int> connections_{0};
    std::atomic<int> ended_{0};
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

}  // namespace thurn::support
