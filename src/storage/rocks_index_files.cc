#include "storage/rocks_index_files.h"

namespace thurn::storage {

using rocksdb::FileOptions;
using rocksdb::FSDirectory;
using rocksdb::FSWritableFile;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

namespace {

/// Invariant: without a `target` the files are frozen, so that it is never used.
class WritableFile final : public FSWritableFile {
public:
    WritableFile(FreezingFiles& files, std::unique_ptr<FSWritableFile> target) : files_(files), target_(std::move(target)) {}

    IOStatus Append(const rocksdb::Slice& data, const IOOptions& options, IODebugContext* debug) override {
        return files_.attempt([&] { return target_->Append(data, options, debug); });
    }
    IOStatus Append(const rocksdb::Slice& data, const IOOptions& options, const rocksdb::DataVerificationInfo& verification,
                    IODebugContext* debug) override {
        return files_.attempt([&] { return target_->Append(data, options, verification, debug); });
    }
    IOStatus Truncate(std::uint64_t size, const IOOptions& options, IODebugContext* debug) override {
        return files_.attempt([&] { return target_->Truncate(size, options, debug); });
    }
    IOStatus Flush(const IOOptions& options, IODebugContext* debug) override {
        return files_.attempt([&] { return target_->Flush(options, debug); });
    }
    IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
        return files_.attempt([&] { return target_->Sync(options, debug); });
    }
    IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
        return files_.attempt([&] { return target_->Fsync(options, debug); });
    }
    IOStatus RangeSync(std::uint64_t offset, std::uint64_t octets, const IOOptions& options, IODebugContext* debug) override {
        return files_.attempt([&] { return target_->RangeSync(offset, octets, options, debug); });
    }
    // Closing cuts off what was allocated in vain. When frozen, dropping the target closes it just as well.
    IOStatus Close(const IOOptions& options, IODebugContext* debug) override {
        return files_.attempt([&] { return target_->Close(options, debug); });
    }
    // A hint, which some file systems do not know: it may fail.
    IOStatus Allocate(std::uint64_t offset, std::uint64_t octets, const IOOptions& options, IODebugContext* debug) override {
        return files_.frozen() ? IOStatus::OK() : target_->Allocate(offset, octets, options, debug);
    }
    [[nodiscard]] bool IsSyncThreadSafe() const override { return true; }  // as POSIX has it; FlushWAL() asks

private:
    FreezingFiles& files_;
    std::unique_ptr<FSWritableFile> target_;
};

class Folder final : public rocksdb::FSDirectoryWrapper {
public:
    Folder(FreezingFiles& files, std::unique_ptr<FSDirectory> target) : FSDirectoryWrapper(std::move(target)), files_(files) {}

    IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
        return files_.attempt([&] { return FSDirectoryWrapper::Fsync(options, debug); });
    }
    IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* debug, const rocksdb::DirFsyncOptions& why) override {
        return files_.attempt([&] { return FSDirectoryWrapper::FsyncWithDirOptions(options, debug, why); });
    }

private:
    FreezingFiles& files_;
};

}  // namespace

std::string FreezingFiles::reason() const {
    return reason_.with([](const auto& text) { return text; });
}

void FreezingFiles::freeze(const IOStatus& error) {
    reason_.with([&](auto& text) {
        if (text.empty()) text = error.ToString();
    });
    frozen_ = true;
}

IOStatus FreezingFiles::NewWritableFile(const std::string& name, const FileOptions& options, std::unique_ptr<FSWritableFile>* file,
                                        IODebugContext* debug) {
    std::unique_ptr<FSWritableFile> made;
    auto status = attempt([&] { return target()->NewWritableFile(name, options, &made, debug); });
    *file = std::make_unique<WritableFile>(*this, std::move(made));
    return status;
}

IOStatus FreezingFiles::ReopenWritableFile(const std::string& name, const FileOptions& options, std::unique_ptr<FSWritableFile>* file,
                                           IODebugContext* debug) {
    std::unique_ptr<FSWritableFile> made;
    auto status = attempt([&] { return target()->ReopenWritableFile(name, options, &made, debug); });
    *file = std::make_unique<WritableFile>(*this, std::move(made));
    return status;
}

IOStatus FreezingFiles::ReuseWritableFile(const std::string& name, const std::string& old_name, const FileOptions& options,
                                          std::unique_ptr<FSWritableFile>* file, IODebugContext* debug) {
    std::unique_ptr<FSWritableFile> made;
    auto status = attempt([&] { return target()->ReuseWritableFile(name, old_name, options, &made, debug); });
    *file = std::make_unique<WritableFile>(*this, std::move(made));
    return status;
}

IOStatus FreezingFiles::NewDirectory(const std::string& name, const IOOptions& options, std::unique_ptr<FSDirectory>* folder,
                                     IODebugContext* debug) {
    std::unique_ptr<FSDirectory> opened;
    auto status = target()->NewDirectory(name, options, &opened, debug);
    if (status.ok()) *folder = std::make_unique<Folder>(*this, std::move(opened));
    return status;
}

// What is in the way can be removed later: no reason to freeze.
IOStatus FreezingFiles::DeleteFile(const std::string& name, const IOOptions& options, IODebugContext* debug) {
    return frozen() ? IOStatus::OK() : target()->DeleteFile(name, options, debug);
}

IOStatus FreezingFiles::RenameFile(const std::string& from, const std::string& to, const IOOptions& options, IODebugContext* debug) {
    return attempt([&] { return target()->RenameFile(from, to, options, debug); });
}

IOStatus FreezingFiles::Truncate(const std::string& name, std::size_t size, const IOOptions& options, IODebugContext* debug) {
    return attempt([&] { return target()->Truncate(name, size, options, debug); });
}

}  // namespace thurn::storage
