#pragma once

#include "base/result.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

namespace thurn::bench {

/// A file descriptor with one owner.
class Descriptor {
public:
    explicit Descriptor(int number = -1) : number_(number) {}
    ~Descriptor() { close(); }
    Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        if (this != &other) {
            close();
            number_ = std::exchange(other.number_, -1);
        }
        return *this;
    }
    [[nodiscard]] int get() const { return number_; }
    [[nodiscard]] bool open() const { return number_ >= 0; }
    void close();

private:
    int number_;
};

/// A non-blocking TCP socket under way to an IP address; writable once connected.
[[nodiscard]] base::Result<Descriptor> start_connect(const std::string& address, std::uint16_t port);
/// Result of start_connect() once writable.
[[nodiscard]] base::Result<void> connect_result(const Descriptor& socket);
/// A non-blocking listening socket with a long backlog.
[[nodiscard]] base::Result<Descriptor> listen_on(const std::string& address, std::uint16_t port);
[[nodiscard]] std::uint16_t local_port(const Descriptor& socket);

/// epoll, bare. The load tools share the machine with the server they load, so they spend as little as they can: no timers per connection,
/// no handler objects, one system call for many sockets.
///
/// Threads  One.
class Poller {
public:
    /// Something that waits on a descriptor. It must not be destroyed by another one's ready().
    class Watcher {
    public:
        virtual ~Watcher() = default;
        virtual void ready() = 0;
    };
    enum class Interest { nothing, reading, writing };

    Poller();
    void add(const Descriptor& descriptor, Interest interest, Watcher& watcher);
    void change(const Descriptor& descriptor, Interest interest, Watcher& watcher);
    /// Waits up to `limit`, calls ready() of all that are.
    void poll(std::chrono::milliseconds limit);

private:
    Descriptor epoll_;
};

}  // namespace thurn::bench
