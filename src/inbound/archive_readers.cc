#include "inbound/archive_readers.h"

#include "archive/reader.h"
#include "net/stream.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace thurn::inbound {

using base::ErrorKind;
using base::fail;
using net::asio::awaitable;

namespace {

constexpr std::size_t kMostHeard = std::size_t{16} << 20;
constexpr std::size_t kParsedOnLoop = std::size_t{16} << 10;
constexpr std::chrono::milliseconds kTurn{20};

std::unexpected<base::Error> system_trouble(std::string_view what, int number) {
    return fail(ErrorKind::refused, fmt::format("{}: {}", what, std::strerror(number)));
}

/// A process that was started; destroyed, it is killed and gone.
class Process {
public:
    explicit Process(::pid_t id = 0) : id_(id) {}
    Process(Process&& other) noexcept : id_(std::exchange(other.id_, 0)) {}
    Process& operator=(Process&&) = delete;
    ~Process() { (void)end(); }
    /// How it ended; it has if it closed its output, and else is made to. Blocks for a moment.
    int end() {
        int status = 0;
        const auto id = std::exchange(id_, 0);
        if (id == 0) return status;
        ::kill(id, SIGKILL);  // one that is ending already keeps its own status
        while (::waitpid(id, &status, 0) < 0 && errno == EINTR) {}
        return status;
    }

private:
    ::pid_t id_;
};

std::string describe(int status) {
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU) return "it took too long";
    if (WIFSIGNALED(status)) return fmt::format("killed by signal {}", WTERMSIG(status));
    if (WEXITSTATUS(status) == 3) return "it would take more memory than attachments.archive_memory";
    return fmt::format("exit code {}", WEXITSTATUS(status));
}

struct Started {
    Process process;
    Descriptor output;
};

/// What the new process is given: the archives to read, a socket to write to, nothing else.
class SpawnPlan {
public:
    SpawnPlan(int input, int output) {
        ::posix_spawn_file_actions_init(&actions_);
        ::posix_spawn_file_actions_adddup2(&actions_, input, STDIN_FILENO);
        ::posix_spawn_file_actions_adddup2(&actions_, output, STDOUT_FILENO);
        ::posix_spawn_file_actions_addopen(&actions_, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
        ::posix_spawnattr_init(&attributes_);
        sigset_t none, all;
        ::sigemptyset(&none);
        ::sigfillset(&all);
        ::posix_spawnattr_setsigmask(&attributes_, &none);
        ::posix_spawnattr_setsigdefault(&attributes_, &all);
        ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    }
    SpawnPlan(const SpawnPlan&) = delete;
    SpawnPlan& operator=(const SpawnPlan&) = delete;
    ~SpawnPlan() {
        ::posix_spawn_file_actions_destroy(&actions_);
        ::posix_spawnattr_destroy(&attributes_);
    }
    [[nodiscard]] base::Result<Process> start(const std::string& program, std::vector<std::string> arguments) const {
        std::string shown_as = "thurn";
        std::vector<char*> pointers{shown_as.data()};
        for (auto& argument : arguments) pointers.push_back(argument.data());
        pointers.push_back(nullptr);
        char* no_environment[] = {nullptr};
        ::pid_t id = 0;
        if (const auto error = ::posix_spawn(&id, program.c_str(), &actions_, &attributes_, pointers.data(), no_environment))
            return system_trouble("it could not be started", error);
        return Process(id);
    }

private:
    posix_spawn_file_actions_t actions_;
    posix_spawnattr_t attributes_;
};

archive::ReaderOptions reader_options(const AttachmentOptions& options) {
    return {.archives = options.archives,
            .sandbox = {.memory = options.memory.count, .processor = options.time_limit + std::chrono::seconds(1)}};
}

base::Result<Started> start(const std::string& program, const Descriptor& archives, const AttachmentOptions& options) {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) return system_trouble("socketpair", errno);
    Descriptor ours(ends[0]);
    const Descriptor its(ends[1]);
    auto process = SpawnPlan(archives.number(), its.number()).start(program, archive::render_arguments(reader_options(options)));
    if (!process) return base::pass_on(process);
    return Started{*std::move(process), std::move(ours)};
}

/// All it writes until it ends.
awaitable<base::Result<std::string>> async_hear(net::Stream& output, net::Deadline deadline) {
    std::string heard;
    std::array<char, 8192> piece;
    while (true) {
        const auto count = co_await output.async_read(piece, deadline);
        if (!count && count.error().kind == ErrorKind::peer_gone) co_return heard;
        if (!count) co_return std::unexpected(count.error());
        heard.append(piece.data(), *count);
        if (heard.size() > kMostHeard) co_return fail(ErrorKind::too_long, "it told more than 16 MiB");
    }
}

/// A long one, of tens of thousands of names, would hold up the loop.
awaitable<base::Result<scan::ArchiveListing>> async_parse(const std::string& heard, net::BlockingPool& pool) {
    if (heard.size() <= kParsedOnLoop) co_return scan::parse_listing(heard);
    co_return co_await pool.async_run([&heard] { return scan::parse_listing(heard); });
}

}  // namespace

Descriptor::~Descriptor() {
    if (number_ >= 0) ::close(number_);
}

ArchiveFile::ArchiveFile(const std::vector<std::string>& names) : names_(names), file_(::memfd_create("archives", MFD_CLOEXEC)) {
    if (file_.number() < 0) error_ = errno;
}

void ArchiveFile::write(std::string_view octets) {
    while (error_ == 0 && !octets.empty()) {
        const auto count = ::write(file_.number(), octets.data(), octets.size());
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) {
            error_ = count == 0 ? ENOSPC : errno;
            return;
        }
        octets.remove_prefix(static_cast<std::size_t>(count));
        size_ += static_cast<std::uint64_t>(count);
    }
}

void ArchiveFile::begin() {
    const auto& name = names_[next_++];
    const archive::FrameHead head{.name_length = name.size(), .length = 0};
    head_at_ = size_;
    length_ = 0;
    write({reinterpret_cast<const char*>(&head), sizeof head});
    write(name);
}

void ArchiveFile::octets(std::string_view decoded) {
    write(decoded);
    length_ += decoded.size();
}

void ArchiveFile::end() {
    const archive::FrameHead head{.name_length = names_[next_ - 1].size(), .length = length_};
    if (error_ == 0 && ::pwrite(file_.number(), &head, sizeof head, static_cast<::off_t>(head_at_)) != sizeof head) error_ = errno;
}

base::Result<Descriptor> ArchiveFile::take() {
    if (error_ != 0) return system_trouble("no room for its archives", error_);
    ::lseek(file_.number(), 0, SEEK_SET);
    return std::move(file_);
}

awaitable<base::Result<scan::ArchiveListing>> ArchiveReaders::async_list(Descriptor archives, std::string party,
                                                                         const AttachmentOptions& options, net::BlockingPool& pool) {
    const auto deadline = net::within(options.time_limit);
    const auto executor = co_await net::asio::this_coro::executor;
    net::asio::steady_timer pause(executor);
    FairTurns::Ticket turn(turns_, std::move(party));
    while (!turn.try_take(options.readers)) {
        if (std::chrono::steady_clock::now() >= deadline) co_return fail(ErrorKind::timed_out, "too many archives are looked at already");
        pause.expires_after(kTurn);
        co_await pause.async_wait(net::asio::as_tuple(net::asio::use_awaitable));
    }
    auto started = co_await pool.async_run([&] { return start(program_, archives, options); });
    if (!started) co_return base::pass_on(started);
    net::asio::generic::stream_protocol::socket socket(
        net::asio::local::stream_protocol::socket(executor, net::asio::local::stream_protocol(), started->output.release()));
    net::Stream output(std::move(socket));
    auto heard = co_await async_hear(output, deadline);
    const auto status = co_await pool.async_run([&] { return started->process.end(); });
    if (!heard && heard.error().kind == ErrorKind::timed_out) co_return fail(ErrorKind::timed_out, "it took too long");
    if (!heard) co_return base::pass_on(heard);
    auto listing = co_await async_parse(*heard, pool);
    if (!listing && status != 0) co_return fail(ErrorKind::peer_gone, describe(status));
    co_return listing;
}

}  // namespace thurn::inbound
