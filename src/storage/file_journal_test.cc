#include "storage/file_journal.h"

#include "storage/posix_filesystem.h"
#include "support/fake_clock.h"
#include "support/memory_filesystem.h"

#include <atomic>
#include <filesystem>
#include <latch>
#include <mutex>
#include <thread>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace thurn::storage {
namespace {

using namespace std::chrono_literals;
using support::FakeClock;
using support::MemoryFilesystem;

constexpr base::Time kStart = FakeClock::kStart;

base::MessageId id_at(base::Time time, std::uint64_t counter = 0) {
    return {static_cast<std::uint64_t>(time.time_since_epoch().count()) << 22 | counter};
}

trace::Event accepted(base::MessageId id, std::string from, std::vector<std::string> to) {
    trace::Accepted body;
    body.sender = std::move(from);
    body.recipients = std::move(to);
    return {.id = id, .at = id.time(), .body = std::move(body)};
}
trace::Event noted(base::MessageId id, std::string what, base::Duration after = 0ms) {
    return {.id = id, .at = id.time() + after, .body = trace::Noted{std::move(what), ""}};
}
std::string what_of(const trace::Event& event) { return std::get<trace::Noted>(event.body).what; }

/// Counts lines by name.
class CountingLog final : public base::Log {
public:
    void write(base::LogLevel, std::string_view event, std::initializer_list<base::LogField>) override {
        const std::lock_guard lock(mutex_);
        ++counts_[std::string(event)];
    }
    int count(const std::string& event) {
        const std::lock_guard lock(mutex_);
        return counts_[event];
    }

private:
    std::mutex mutex_;
    std::map<std::string, int> counts_;
};

class FileJournalTest : public testing::Test {
protected:
    std::unique_ptr<FileJournal> open(FileJournalOptions options = {.write_after = 1ms}) {
        auto journal = FileJournal::open(disk_, options, clock_, log_);
        EXPECT_TRUE(journal);
        return *std::move(journal);
    }
    std::vector<std::string> files() {
        std::vector<std::string> paths;
        for (const JournalFile& each : *list_journal(*disk_)) paths.push_back(journal_path(each));
        return paths;
    }

    std::shared_ptr<MemoryFilesystem> disk_ = std::make_shared<MemoryFilesystem>();
    FakeClock clock_;
    CountingLog log_;
};

TEST_F(FileJournalTest, FindsTheEventsOfAMessageInOrderOfTime) {
    const auto journal = open();
    const auto one = id_at(kStart, 1), other = id_at(kStart, 2);
    journal->append(noted(one, "second", 5ms));
    journal->append(noted(other, "other"));
    journal->append(noted(one, "first"));
    const auto events = journal->find(one);
    ASSERT_TRUE(events);
    ASSERT_EQ(events->size(), 2U);
    EXPECT_EQ(what_of(events->at(0)), "first");
    EXPECT_EQ(what_of(events->at(1)), "second");
    EXPECT_TRUE(journal->find(id_at(kStart, 3))->empty());
}

TEST_F(FileJournalTest, FileIsNamedByWhenItWasBegun) {
    const auto journal = open();
    EXPECT_TRUE(files().empty()) << "nothing to write yet";
    journal->append(noted(id_at(kStart), "a"));
    journal->flush();
    EXPECT_EQ(files(), (std::vector<std::string>{"trace/20261122-013722-1.trc"}));
}

TEST(JournalName, ReadsOnlyItsOwn) {
    const auto file = parse_journal_name("20261122-013722-17.trc");
    ASSERT_TRUE(file);
    EXPECT_EQ(file->number, 17U);
    EXPECT_EQ(file->begun, kStart);
    EXPECT_EQ(journal_path(*file), "trace/20261122-013722-17.trc");
    for (const char* name : {"", ".trc", "20261122-013722-.trc", "20261322-013722-1.trc", "20261122-013722-1.tmp", "x0261122-013722-1.trc",
                             "20261122x013722-1.trc", "20261122-013722-1x.trc", "20261122-013722-99999999999999999999.trc"}) {
        EXPECT_FALSE(parse_journal_name(name)) << name;
    }
}

TEST_F(FileJournalTest, EveryStartBeginsANewFileAndAllAreRead) {
    const auto id = id_at(kStart);
    open()->append(noted(id, "before"));
    clock_.advance(1h);
    open()->append(noted(id, "after", 1h));
    EXPECT_EQ(files().size(), 2U);
    EXPECT_EQ(JournalReader(disk_, log_).find(id)->size(), 2U);
}

TEST_F(FileJournalTest, FilesAreSplitAtTheirSizeAndTheOldestGo) {
    const auto journal = open({.file_size = {500}, .total_size = {3000}, .write_after = 0ms});
    for (std::uint64_t n = 0; n < 100; ++n) {
        clock_.advance(1s);
        journal->append(noted(id_at(clock_.now(), n), std::string(100, 'x')));
        journal->flush();
    }
    const auto left = files();
    EXPECT_GE(left.size(), 4U);
    EXPECT_LE(left.size(), 8U);
    EXPECT_TRUE(journal->find(id_at(kStart + 1s, 0))->empty());
    EXPECT_EQ(journal->find(id_at(clock_.now(), 99))->size(), 1U);
}

TEST_F(FileJournalTest, OldFilesGoWhenTheirTimeIsOver) {
    const auto id = id_at(kStart);
    open()->append(noted(id, "old"));
    clock_.advance(1h);
    open()->append(noted(id, "younger"));
    clock_.advance(std::chrono::hours(24 * 30) + 1s);
    const auto journal = open();
    journal->append(noted(id_at(clock_.now()), "now"));
    journal->flush();
    EXPECT_EQ(files().size(), 2U) << "the second may hold events from the moment before the third was begun";
}

TEST_F(FileJournalTest, TornAndDamagedFilesCostOnlyThemselves) {
    const auto id = id_at(kStart);
    {
        const auto journal = open();
        for (int n = 0; n < 3; ++n) journal->append(noted(id, "event" + std::to_string(n)));
    }
    const std::string path = files().front();
    const std::string whole = disk_->octets(path);
    JournalReader reader(disk_, log_);
    for (std::size_t cut = 0; cut < whole.size(); ++cut) {
        disk_->overwrite(path, whole.substr(0, cut));
        const auto events = reader.find(id);
        ASSERT_TRUE(events);
        EXPECT_LT(events->size(), 3U);
    }
    for (std::size_t place = 0; place < whole.size(); ++place) {
        std::string damaged = whole;
        damaged[place] = static_cast<char>(damaged[place] ^ 0x55);
        disk_->overwrite(path, damaged);
        const auto events = reader.find(id);
        ASSERT_TRUE(events);
        EXPECT_LE(events->size(), 3U);
        for (const auto& event : *events) EXPECT_TRUE(what_of(event).starts_with("event"));
    }
    EXPECT_GT(log_.count("trace.unreadable"), 0) << "the damaged head";
    open()->append(noted(id, "event3"));
    EXPECT_FALSE(reader.find(id)->empty());
}

TEST_F(FileJournalTest, SearchesByAddressAndTime) {
    const auto journal = open();
    const auto first = id_at(kStart, 1), second = id_at(kStart + 1h, 2), third = id_at(kStart + 2h, 3);
    journal->append(accepted(first, "Alice@A.example", {"bob@b.example", "carol@c.example"}));
    journal->append(accepted(second, "alice@a.example", {"list@b.example"}));
    journal->append({.id = second, .at = second.time(), .body = trace::Settled{"bob@b.example", "delivered", "250 ok", {}}});
    journal->append({.id = third, .at = third.time(), .body = trace::Refused{{.listener = "mx", .recipients = {"bob@b.example"}}}});
    using Ids = std::vector<base::MessageId>;
    const auto found = [&journal](trace::Query query) { return *journal->search(query); };
    const auto query = [](std::string from, std::string to) {
        return trace::Query{.id = {}, .from = std::move(from), .to = std::move(to), .since = {}, .until = {}};
    };
    EXPECT_EQ(found(query("alice@a.EXAMPLE", "")), (Ids{first, second}));
    EXPECT_EQ(found(query("", "bob@b.example")), (Ids{first, second, third}));
    EXPECT_EQ(found(query("alice@a.example", "list@b.example")), (Ids{second}));
    EXPECT_EQ(found(query("alice@a.example", "bob@b.example")), (Ids{first, second})) << "conditions met by different events";
    EXPECT_EQ(found(query("alice", "")), Ids{});
    auto limited = query("", "bob@b.example");
    limited.limit = 2;
    EXPECT_EQ(found(limited), (Ids{second, third})) << "the newest";
    auto by_time = query("", "");
    EXPECT_EQ(found(by_time), (Ids{first, second, third}));
    by_time.since = kStart + 1min;
    by_time.until = kStart + 90min;
    EXPECT_EQ(found(by_time), (Ids{second}));
    auto by_id = query("", "");
    by_id.id = third;
    EXPECT_EQ(found(by_id), (Ids{third}));
}

/// Notes which files are opened.
class WatchedFilesystem final : public spool::Filesystem {
public:
    explicit WatchedFilesystem(std::shared_ptr<spool::Filesystem> inner) : inner_(std::move(inner)) {}
    base::Result<std::unique_ptr<spool::File>> open(const std::string& path, spool::Access access) override {
        opened.push_back(path);
        return inner_->open(path, access);
    }
    base::Result<void> rename(const std::string& from, const std::string& to) override { return inner_->rename(from, to); }
    base::Result<void> remove(const std::string& path) override { return inner_->remove(path); }
    base::Result<std::vector<std::string>> list(const std::string& folder) override { return inner_->list(folder); }
    base::Result<void> make_folder(const std::string& folder) override { return inner_->make_folder(folder); }
    base::Result<void> sync_folder(const std::string& folder) override { return inner_->sync_folder(folder); }
    base::Result<base::Octets> free_space() override { return inner_->free_space(); }
    base::Result<std::unique_ptr<spool::FilesystemLock>> lock(const std::string& path) override { return inner_->lock(path); }

    std::vector<std::string> opened;

private:
    std::shared_ptr<spool::Filesystem> inner_;
};

TEST_F(FileJournalTest, ReadsOnlyFilesThatMayHoldTheAnswer) {
    for (int day = 0; day < 10; ++day, clock_.advance(24h)) open()->append(noted(id_at(clock_.now()), "x"));
    const auto watched = std::make_shared<WatchedFilesystem>(disk_);
    JournalReader reader(watched, log_);
    EXPECT_EQ(reader.find(id_at(kStart + 24h * 7))->size(), 1U);
    EXPECT_EQ(watched->opened.size(), 4U) << "the file that ended on that day, and the later ones";
    watched->opened.clear();
    EXPECT_EQ(reader.search({.id = {}, .from = "", .to = "", .since = kStart + 24h * 3, .until = kStart + 24h * 4})->size(), 2U);
    EXPECT_LE(watched->opened.size(), 3U);
}

TEST_F(FileJournalTest, FailingDiskCostsEventsAndIsToldOnce) {
    const auto journal = open();
    disk_->fail(1, MemoryFilesystem::Failing::from_then_on);
    for (std::uint64_t n = 0; n < 50; ++n) {
        journal->append(noted(id_at(kStart, n), "lost"));
        journal->flush();
    }
    EXPECT_EQ(journal->dropped(), 50U);
    EXPECT_EQ(log_.count("trace.write_failed"), 1);
}

/// Writing waits for a gate.
class StalledFile final : public spool::File {
public:
    StalledFile(std::unique_ptr<spool::File> inner, std::latch& gate) : inner_(std::move(inner)), gate_(gate) {}
    base::Result<void> write(std::uint64_t offset, std::span<const std::string_view> slices) override {
        gate_.wait();
        return inner_->write(offset, slices);
    }
    base::Result<std::size_t> read(std::uint64_t offset, std::span<char> into) const override { return inner_->read(offset, into); }
    base::Result<void> sync() override { return inner_->sync(); }
    base::Result<void> allocate(std::uint64_t size) override { return inner_->allocate(size); }
    base::Result<void> truncate(std::uint64_t size) override { return inner_->truncate(size); }
    base::Result<std::uint64_t> size() const override { return inner_->size(); }

private:
    std::unique_ptr<spool::File> inner_;
    std::latch& gate_;
};
class StalledFilesystem final : public spool::Filesystem {
public:
    base::Result<std::unique_ptr<spool::File>> open(const std::string& path, spool::Access access) override {
        auto file = inner_.open(path, access);
        if (!file) return file;
        return std::make_unique<StalledFile>(*std::move(file), gate);
    }
    base::Result<void> rename(const std::string& from, const std::string& to) override { return inner_.rename(from, to); }
    base::Result<void> remove(const std::string& path) override { return inner_.remove(path); }
    base::Result<std::vector<std::string>> list(const std::string& folder) override { return inner_.list(folder); }
    base::Result<void> make_folder(const std::string& folder) override { return inner_.make_folder(folder); }
    base::Result<void> sync_folder(const std::string& folder) override { return inner_.sync_folder(folder); }
    base::Result<base::Octets> free_space() override { return inner_.free_space(); }
    base::Result<std::unique_ptr<spool::FilesystemLock>> lock(const std::string& path) override { return inner_.lock(path); }

    std::latch gate{1};

private:
    MemoryFilesystem inner_;
};

TEST_F(FileJournalTest, StalledDiskHoldsNobodyUpAndMemoryIsBounded) {
    const auto stalled = std::make_shared<StalledFilesystem>();
    const auto journal = *FileJournal::open(stalled, {.buffer = {10'000}, .write_after = 0ms}, clock_, log_);
    for (std::uint64_t n = 0; n < 10'000; ++n) journal->append(noted(id_at(kStart, n % 1000), std::string(100, 'x')));
    const auto dropped = journal->dropped();
    EXPECT_GT(dropped, 9'000U);
    EXPECT_EQ(log_.count("trace.dropping"), 1);
    stalled->gate.count_down();
    journal->flush();
    EXPECT_EQ(journal->dropped(), dropped);
    EXPECT_EQ(log_.count("trace.keeping_up_again"), 1);
    std::size_t kept = 0;
    for (std::uint64_t n = 0; n < 1000; ++n) kept += journal->find(id_at(kStart, n))->size();
    EXPECT_EQ(kept, 10'000 - dropped);
}

TEST_F(FileJournalTest, ManyThreadsLoseNothing) {
    const auto journal = open({.file_size = {20'000}, .write_at = {4096}, .write_after = 1ms});
    std::vector<std::jthread> threads;
    for (std::uint64_t thread = 0; thread < 4; ++thread) {
        threads.emplace_back([&journal, thread] {
            for (std::uint64_t n = 0; n < 500; ++n) journal->append(noted(id_at(kStart, thread), "x"));
        });
    }
    threads.clear();
    for (std::uint64_t thread = 0; thread < 4; ++thread) EXPECT_EQ(journal->find(id_at(kStart, thread))->size(), 500U);
    EXPECT_EQ(journal->dropped(), 0U);
}

TEST_F(FileJournalTest, ReaderOfAFolderThatIsNotThereFindsNothing) {
    JournalReader reader(disk_, log_);
    EXPECT_TRUE(reader.find(id_at(kStart))->empty());
    EXPECT_TRUE(reader.search({.id = {}, .from = "a@b", .to = "", .since = {}, .until = {}})->empty());
}

TEST(FileJournalOnDisk, IsReadBesideTheWriterAndForNobodyElse) {
    const auto folder = std::filesystem::path(testing::TempDir()) / ("journal" + std::to_string(::getpid()));
    std::filesystem::remove_all(folder);
    base::NullLog log;
    const FakeClock clock;
    {
        std::shared_ptr<spool::Filesystem> ours = *PosixFilesystem::open(folder.string());
        std::shared_ptr<spool::Filesystem> theirs = *PosixFilesystem::open(folder.string());
        EXPECT_TRUE(JournalReader(theirs, log).find(id_at(kStart))->empty()) << "no folder yet";
        const auto journal = *FileJournal::open(ours, {}, clock, log);
        for (int n = 0; n < 20'000; ++n) journal->append(noted(id_at(kStart, static_cast<std::uint64_t>(n) % 10), std::string(100, 'x')));
        journal->flush();
        EXPECT_EQ(JournalReader(theirs, log).find(id_at(kStart, 3))->size(), 2'000U);
        for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
            struct stat status{};
            ASSERT_EQ(::stat(entry.path().c_str(), &status), 0);
            EXPECT_EQ(status.st_mode & 077U, 0U) << entry.path();
        }
    }
    std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace thurn::storage
