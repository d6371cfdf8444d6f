#pragma once

#include "base/result.h"
#include "inbound/attachment_options.h"
#include "inbound/fair_turns.h"
#include "net/loops.h"
#include "scan/attachments.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/awaitable.hpp>

namespace thurn::inbound {

/// A file descriptor that closes itself.
class Descriptor {
public:
    explicit Descriptor(int number = -1) : number_(number) {}
    Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(number_, other.number_);
        return *this;
    }
    ~Descriptor();
    [[nodiscard]] int number() const { return number_; }
    [[nodiscard]] int release() { return std::exchange(number_, -1); }

private:
    int number_;
};

/// The archives of one message on their way to a reader: in memory, under no name.
class ArchiveFile : public scan::LeafExtractor::Taker {
public:
    /// `names`: of the archives, in their order.
    explicit ArchiveFile(const std::vector<std::string>& names);
    void begin() override;
    void octets(std::string_view decoded) override;
    void end() override;
    /// Errors   `refused`: the system has no room for it.
    [[nodiscard]] base::Result<Descriptor> take();

private:
    void write(std::string_view octets);

    const std::vector<std::string>& names_;
    std::size_t next_ = 0;
    Descriptor file_;
    std::uint64_t size_ = 0;
    std::uint64_t head_at_ = 0;
    std::uint64_t length_ = 0;
    int error_ = 0;
};

/// Starts the processes that look into archives, one for each message that holds some and is asked about: what was written to break libarchive breaks
/// one that knows nothing, can do nothing, and is gone a moment later.
///
/// Limits   At most AttachmentOptions::readers at once, and of one party no more than FairTurns lets it have; those that wait for their turn look again
///          every 20 ms. Whatever the process does, it ends within the time limit.
/// Errors   `timed_out`: it took too long, or had no turn in time. `peer_gone`: it died; the detail tells how. `syntax`, `too_long`: it wrote what
///          is no listing. `refused`: it could not be started.
/// Threads  Any. Must outlive all that wait in it.
class ArchiveReaders {
public:
    /// `program`: what is started, with the arguments of archive::render_arguments(): thurn itself.
    explicit ArchiveReaders(std::string program) : program_(std::move(program)) {}
    /// `party`: whose archives they are, as client_network() has it.
    [[nodiscard]] net::asio::awaitable<base::Result<scan::ArchiveListing>> async_list(Descriptor archives, std::string party,
                                                                                      const AttachmentOptions& options,
                                                                                      net::BlockingPool& pool);

private:
    std::string program_;
    FairTurns turns_;
};

}  // namespace thurn::inbound
