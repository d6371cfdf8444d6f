// Puts messages into a spool on a real disk and finishes them, as a server under load does.
//
//   spool_bench FOLDER [threads=2] [messages=100000] [content octets=10240] [depth=8]
//
// Each thread stands for an event loop and has `depth` messages under way: it commits one, and when it is told success the delivery is
// recorded without a sync.
// Printed: messages a second, CPU of the whole process per message, syncs per message.

#include "base/message_id.h"
#include "spool/segment_spool.h"
#include "storage/posix_filesystem.h"
#include "storage/rocks_index.h"

#include <cstdio>
#include <cstdlib>
#include <random>

#include <sys/resource.h>

namespace {

using namespace thurn;

class SystemClock final : public base::Clock {
public:
    [[nodiscard]] base::Time now() const override { return std::chrono::time_point_cast<base::Duration>(std::chrono::system_clock::now()); }
};

class DeviceRandom final : public base::Random {
public:
    [[nodiscard]] std::uint64_t next() override { return (std::uint64_t{device_()} << 32) | device_(); }

private:
    std::random_device device_;
};

class ErrorLog final : public base::Log {
public:
    void write(base::LogLevel level, std::string_view event, std::initializer_list<base::LogField>) override {
        if (level >= base::LogLevel::warning) std::fprintf(stderr, "%.*s\n", static_cast<int>(event.size()), event.data());
    }
};

struct Plan {
    std::size_t threads = 2;
    std::size_t messages = 100'000;
    std::size_t octets = 10'240;
    std::size_t depth = 8;
};

spool::Envelope envelope(base::Time now) {
    spool::Envelope envelope;
    envelope.sender.mailbox = {.local = "sender", .domain = mail::Domain::restored("sender.example.com")};
    spool::Recipient to;
    to.mailbox = {.local = "somebody", .domain = mail::Domain::restored("receiver.example.net")};
    to.state.due = now;
    envelope.recipients = {to};
    envelope.client = "192.0.2.25";
    return envelope;
}

/// How many messages a thread may have under way.
class Slots {
public:
    explicit Slots(std::size_t count) : free_(count) {}
    void take(std::size_t count) {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [&] { return free_ >= count; });
        free_ -= count;
    }
    void give_back() {
        const std::lock_guard lock(mutex_);
        ++free_;
        wake_.notify_one();
    }

private:
    std::mutex mutex_;
    std::condition_variable wake_;
    std::size_t free_;
};

/// One thread: keeps `depth` messages under way until it has done its share.
void write_messages(spool::Spool& spool, base::MessageIdSource& ids, const Plan& plan, const std::string& content) {
    Slots free(plan.depth);
    for (std::size_t i = 0; i < plan.messages / plan.threads; ++i) {
        free.take(1);
        const auto id = ids.next();
        auto draft = spool.draft(id);
        constexpr std::size_t kRead = 16'384;
        for (std::size_t at = 0; at < content.size(); at += kRead) {
            if (!draft->append(std::string_view(content).substr(at, kRead))) std::abort();
        }
        spool.commit(std::move(draft), envelope(id.time()), [&, id](base::Result<spool::StoredMessage> stored) {
            if (!stored) std::abort();
            spool::RecipientUpdate done;
            done.id = id;
            done.state = {.standing = spool::Standing::delivered, .attempts = 1, .due = {}, .last_status = "250 2.0.0 OK", .site = "site"};
            std::vector<spool::RecipientUpdate> updates;
            updates.push_back(std::move(done));
            spool.update(std::move(updates), spool::Sync::no, {});
            free.give_back();
        });
    }
    free.take(plan.depth);
}

double cpu_seconds() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& time) { return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6; };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

int run(const std::string& folder, const Plan& plan) {
    ErrorLog log;
    SystemClock clock;
    DeviceRandom random;
    auto files = storage::PosixFilesystem::open(folder);
    auto index = storage::RocksIndex::open(folder + "/index", {}, log);
    if (!files || !index) return 1;
    auto spool = spool::SegmentSpool::open({.filesystem = **files, .index = **index, .clock = clock, .random = random, .log = log}, {});
    if (!spool) return 1;
    base::MessageIdSource ids(clock, 1, (*spool)->newest());
    const std::string content(plan.octets, 'x');

    const auto before = (*spool)->stats();
    const auto cpu = cpu_seconds();
    const auto begun = std::chrono::steady_clock::now();
    std::vector<std::thread> writers;
    for (std::size_t i = 0; i < plan.threads; ++i) writers.emplace_back([&] { write_messages(**spool, ids, plan, content); });
    for (auto& writer : writers) writer.join();
    const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
    const auto used = cpu_seconds() - cpu;
    const auto after = (*spool)->stats();

    const auto count = static_cast<double>(after.commits - before.commits);
    std::printf("%zu threads with %zu each, %zu octets: %.0f messages/s, %.1f us CPU/message, %.3f syncs/message, %.2f ms/sync\n",
                plan.threads, plan.depth, plan.octets, count / seconds, used / count * 1e6,
                static_cast<double>(after.syncs - before.syncs) / count, seconds * 1e3 / static_cast<double>(after.syncs - before.syncs));
    return 0;
}

}  // namespace

int main(int count, char** arguments) {
    if (count < 2) {
        std::fprintf(stderr, "usage: spool_bench FOLDER [threads] [messages] [content octets] [depth]\n");
        return 2;
    }
    const auto number = [&](int at, std::size_t otherwise) { return count > at ? std::strtoull(arguments[at], nullptr, 10) : otherwise; };
    Plan plan;
    plan.threads = number(2, plan.threads);
    plan.messages = number(3, plan.messages);
    plan.octets = number(4, plan.octets);
    plan.depth = number(5, plan.depth);
    return run(arguments[1], plan);
}
