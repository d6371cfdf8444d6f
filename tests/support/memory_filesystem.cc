#include "support/memory_filesystem.h"

#include <algorithm>

namespace thurn::support {

using base::ErrorKind;
using base::Result;

namespace {

constexpr std::size_t kPage = 512;  // what a disk writes whole, or not at all

/// `.` for what lies in the root itself.
std::string folder_of(const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == std::string::npos ? "." : path.substr(0, slash);
}

}  // namespace

class MemoryFile final : public spool::File {
public:
    MemoryFile(MemoryFilesystem& filesystem, std::shared_ptr<MemoryFilesystem::Inode> inode)
        : filesystem_(filesystem), inode_(std::move(inode)), generation_(filesystem.generation_) {}

    Result<void> write(std::uint64_t offset, std::span<const std::string_view> slices) override {
        const std::lock_guard lock(filesystem_.mutex_);
        if (stale()) return gone();
        std::string octets;
        for (const auto slice : slices) octets += slice;
        auto outcome = filesystem_.count_operation();
        if (!outcome && filesystem_.failing_ == MemoryFilesystem::Failing::without_effect) return outcome;
        if (!outcome) octets.resize(filesystem_.random_() % (octets.size() + 1));  // a short write
        if (inode_->octets.size() < offset + octets.size()) inode_->octets.resize(offset + octets.size());
        inode_->octets.replace(offset, octets.size(), octets);
        inode_->unsynced.push_back({.offset = offset, .octets = std::move(octets), .resize = {}});
        return outcome;
    }
    Result<std::size_t> read(std::uint64_t offset, std::span<char> into) const override {
        const std::lock_guard lock(filesystem_.mutex_);
        if (stale()) return base::fail(ErrorKind::disk, "file of before the crash");
        if (offset >= inode_->octets.size()) return std::size_t{0};
        return inode_->octets.copy(into.data(), into.size(), offset);
    }
    Result<void> sync() override {
        std::unique_lock lock(filesystem_.mutex_);
        if (stale()) return gone();
        ++filesystem_.held_;
        filesystem_.changed_.notify_all();
        filesystem_.changed_.wait(lock, [this] { return !filesystem_.holding_; });
        --filesystem_.held_;
        ++filesystem_.file_syncs_;
        auto outcome = filesystem_.count_operation();
        if (outcome) {
            inode_->durable = inode_->octets;
            inode_->unsynced.clear();
        } else if (filesystem_.failing_ != MemoryFilesystem::Failing::without_effect) {
            filesystem_.settle_page_by_page(*inode_);
        }
        return outcome;
    }
    Result<void> allocate(std::uint64_t size) override { return resize(std::max<std::uint64_t>(size, inode_->octets.size())); }
    Result<void> truncate(std::uint64_t size) override { return resize(size); }
    Result<std::uint64_t> size() const override {
        const std::lock_guard lock(filesystem_.mutex_);
        return inode_->octets.size();
    }

private:
    bool stale() const { return generation_ != filesystem_.generation_; }
    static Result<void> gone() { return base::fail(ErrorKind::disk, "file of before the crash"); }
    Result<void> resize(std::uint64_t size) {
        const std::lock_guard lock(filesystem_.mutex_);
        if (stale()) return gone();
        if (auto counted = filesystem_.count_operation(); !counted) return counted;
        inode_->octets.resize(size);
        inode_->unsynced.push_back({.offset = 0, .octets = {}, .resize = size});
        return {};
    }

    MemoryFilesystem& filesystem_;
    std::shared_ptr<MemoryFilesystem::Inode> inode_;
    std::uint64_t generation_;
};

class MemoryLock final : public spool::FilesystemLock {
public:
    MemoryLock(MemoryFilesystem& filesystem, std::string path)
        : filesystem_(filesystem), path_(std::move(path)), generation_(filesystem.generation_) {}
    ~MemoryLock() override {
        const std::lock_guard lock(filesystem_.mutex_);
        if (generation_ == filesystem_.generation_) filesystem_.locked_.erase(path_);
    }

private:
    MemoryFilesystem& filesystem_;
    std::string path_;
    std::uint64_t generation_;
};

Result<void> MemoryFilesystem::count_operation() {
    ++operations_;
    const bool fails = fail_at_ != 0 && (failing_ == Failing::once ? operations_ == fail_at_ : operations_ >= fail_at_);
    if (fails) return base::fail(failure_, "told to fail");
    return {};
}

Result<std::unique_ptr<spool::File>> MemoryFilesystem::open(const std::string& path, spool::Access access) {
    const std::lock_guard lock(mutex_);
    auto found = names_.find(path);
    if (access == spool::Access::create) {
        if (found != names_.end()) return base::fail(ErrorKind::exists, path);
        if (auto counted = count_operation(); !counted) return base::pass_on(counted);
        note({{{path, std::make_shared<Inode>()}}});
        found = names_.find(path);
    }
    if (found == names_.end()) return base::fail(ErrorKind::not_found, path);
    return std::make_unique<MemoryFile>(*this, found->second);
}

Result<void> MemoryFilesystem::rename(const std::string& from, const std::string& to) {
    const std::lock_guard lock(mutex_);
    const auto found = names_.find(from);
    if (found == names_.end()) return base::fail(ErrorKind::not_found, from);
    if (auto counted = count_operation(); !counted) return counted;
    note({{{to, found->second}, {from, nullptr}}});
    return {};
}

Result<void> MemoryFilesystem::remove(const std::string& path) {
    const std::lock_guard lock(mutex_);
    if (!names_.contains(path)) return base::fail(ErrorKind::not_found, path);
    if (auto counted = count_operation(); !counted) return counted;
    note({{{path, nullptr}}});
    return {};
}

Result<std::vector<std::string>> MemoryFilesystem::list(const std::string& folder) {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> names;
    for (const auto& [path, inode] : names_) {
        if (path.starts_with(folder + "/")) names.push_back(path.substr(folder.size() + 1));
    }
    return names;
}

Result<void> MemoryFilesystem::make_folder(const std::string&) { return {}; }

Result<void> MemoryFilesystem::sync_folder(const std::string& folder) {
    const std::lock_guard lock(mutex_);
    if (auto counted = count_operation(); !counted) return counted;
    std::erase_if(unsynced_names_, [&](const Renaming& renaming) {
        const bool touches = std::ranges::any_of(renaming.changes, [&](const auto& change) { return folder_of(change.first) == folder; });
        if (touches) apply(durable_names_, renaming);
        return touches;
    });
    return {};
}

Result<base::Octets> MemoryFilesystem::free_space() {
    const std::lock_guard lock(mutex_);
    return free_space_;
}

Result<std::unique_ptr<spool::FilesystemLock>> MemoryFilesystem::lock(const std::string& path) {
    const std::lock_guard lock(mutex_);
    if (!locked_.insert(path).second) return base::fail(ErrorKind::refused, path + " is locked");
    return std::make_unique<MemoryLock>(*this, path);
}

void MemoryFilesystem::note(Renaming renaming) {
    apply(names_, renaming);
    unsynced_names_.push_back(std::move(renaming));
}

void MemoryFilesystem::apply(Names& names, const Renaming& renaming) {
    for (const auto& [path, inode] : renaming.changes) {
        if (inode) {
            names[path] = inode;
        } else {
            names.erase(path);
        }
    }
}

/// Brings a random part of the unsynced octets to the disk and forgets the rest.
void MemoryFilesystem::settle_page_by_page(Inode& inode) {
    for (const auto& change : inode.unsynced) {
        if (change.resize) {
            if (random_() % 2 == 0) inode.durable.resize(*change.resize);
            continue;
        }
        const auto luck = random_() % 4;  // all, nothing, or page by page
        for (std::size_t at = 0; at < change.octets.size();) {
            const auto length = std::min(kPage - (change.offset + at) % kPage, change.octets.size() - at);
            if (luck == 0 || (luck > 1 && random_() % 2 == 0)) {
                if (inode.durable.size() < change.offset + at + length) inode.durable.resize(change.offset + at + length);
                inode.durable.replace(change.offset + at, length, change.octets, at, length);
            }
            at += length;
        }
    }
    inode.unsynced.clear();
}

std::uint64_t MemoryFilesystem::operations() const {
    const std::lock_guard lock(mutex_);
    return operations_;
}

std::uint64_t MemoryFilesystem::file_syncs() const {
    const std::lock_guard lock(mutex_);
    return file_syncs_;
}

void MemoryFilesystem::fail(std::uint64_t nth, Failing how, ErrorKind kind) {
    const std::lock_guard lock(mutex_);
    fail_at_ = operations_ + nth;
    failing_ = how;
    failure_ = kind;
}

void MemoryFilesystem::fail_no_more() {
    const std::lock_guard lock(mutex_);
    fail_at_ = 0;
}

void MemoryFilesystem::crash() {
    const std::lock_guard lock(mutex_);
    const auto kept = random_() % (unsynced_names_.size() + 1);
    for (std::size_t i = 0; i < kept; ++i) apply(durable_names_, unsynced_names_[i]);
    unsynced_names_.clear();
    names_ = durable_names_;
    for (auto& [path, inode] : names_) {
        settle_page_by_page(*inode);
        inode->octets = inode->durable;
    }
    ++generation_;
    locked_.clear();
    fail_at_ = 0;
}

void MemoryFilesystem::end_process() {
    const std::lock_guard lock(mutex_);
    ++generation_;
    locked_.clear();
    fail_at_ = 0;
}

void MemoryFilesystem::set_free_space(base::Octets octets) {
    const std::lock_guard lock(mutex_);
    free_space_ = octets;
}

void MemoryFilesystem::hold_syncs() {
    const std::lock_guard lock(mutex_);
    holding_ = true;
}

void MemoryFilesystem::release_syncs() {
    const std::lock_guard lock(mutex_);
    holding_ = false;
    changed_.notify_all();
}

void MemoryFilesystem::await_held_sync() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return held_ > 0; });
}

std::string MemoryFilesystem::octets(const std::string& path) const {
    const std::lock_guard lock(mutex_);
    return names_.at(path)->octets;
}

void MemoryFilesystem::overwrite(const std::string& path, std::string octets) {
    const std::lock_guard lock(mutex_);
    if (!names_.contains(path)) names_[path] = durable_names_[path] = std::make_shared<Inode>();
    auto& inode = *names_.at(path);
    inode.octets = inode.durable = std::move(octets);
    inode.unsynced.clear();
}

bool MemoryFilesystem::exists(const std::string& path) const {
    const std::lock_guard lock(mutex_);
    return names_.contains(path);
}

}  // namespace thurn::support
