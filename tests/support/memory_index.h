#pragma once

#include "spool/index.h"

#include <map>
#include <mutex>
#include <random>

namespace thurn::support {

/// An index in memory. After crash() it has lost a random number of its newest unsynced batches.
///
/// Threads  Any.
class MemoryIndex final : public spool::Index {
public:
    explicit MemoryIndex(std::uint64_t seed = 1) : random_(seed) {}

    [[nodiscard]] base::Result<std::optional<std::string>> get(std::string_view key) override {
        const std::lock_guard lock(mutex_);
        if (auto failed = failure(); !failed) return base::pass_on(failed);
        const auto found = keys_->find(key);
        return found == keys_->end() ? std::nullopt : std::optional(found->second);
    }
    [[nodiscard]] base::Result<void> write(const spool::IndexBatch& batch) override {
        const std::lock_guard lock(mutex_);
        if (auto failed = failure(); !failed) return failed;
        history_.push_back(keys_);
        auto changed = std::make_shared<Keys>(*keys_);
        for (const auto& [key, value] : batch.changes) {
            if (value) {
                (*changed)[key] = *value;
            } else {
                changed->erase(key);
            }
        }
        keys_ = std::move(changed);
        return {};
    }
    [[nodiscard]] base::Result<void> sync() override {
        const std::lock_guard lock(mutex_);
        if (auto failed = failure(); !failed) return failed;
        history_.clear();
        return {};
    }
    [[nodiscard]] std::unique_ptr<spool::IndexCursor> seek(std::string_view from) override {
        const std::lock_guard lock(mutex_);
        return std::make_unique<Cursor>(keys_, from, failure());
    }
    [[nodiscard]] base::Result<void> clear() override {
        const std::lock_guard lock(mutex_);
        keys_ = std::make_shared<Keys>();
        history_.clear();
        failing_ = false;
        return {};
    }

    // What tests do to it.

    void crash() {
        const std::lock_guard lock(mutex_);
        const auto kept = random_() % (history_.size() + 1);
        if (kept < history_.size()) keys_ = history_[kept];
        history_.clear();
        failing_ = false;
    }
    /// Everything gives `corrupt` until clear() or crash().
    void fail_no_more() {
        const std::lock_guard lock(mutex_);
        failing_ = false;
    }
    void fail() {
        const std::lock_guard lock(mutex_);
        failing_ = true;
    }
    [[nodiscard]] std::size_t size() const {
        const std::lock_guard lock(mutex_);
        return keys_->size();
    }

private:
    using Keys = std::map<std::string, std::string, std::less<>>;
    class Cursor final : public spool::IndexCursor {
    public:
        Cursor(std::shared_ptr<const Keys> keys, std::string_view from, base::Result<void> status)
            : keys_(std::move(keys)), at_(status ? keys_->lower_bound(from) : keys_->end()), status_(std::move(status)) {}
        [[nodiscard]] bool valid() const override { return at_ != keys_->end(); }
        [[nodiscard]] std::string_view key() const override { return at_->first; }
        [[nodiscard]] std::string_view value() const override { return at_->second; }
        void next() override { ++at_; }
        [[nodiscard]] base::Result<void> status() const override { return status_; }

    private:
        std::shared_ptr<const Keys> keys_;
        Keys::const_iterator at_;
        base::Result<void> status_;
    };
    [[nodiscard]] base::Result<void> failure() const {
        if (failing_) return base::fail(base::ErrorKind::corrupt, "index told to fail");
        return {};
    }

    mutable std::mutex mutex_;
    std::mt19937_64 random_;
    std::shared_ptr<const Keys> keys_ = std::make_shared<Keys>();
    std::vector<std::shared_ptr<const Keys>> history_;  // before each unsynced batch
    bool failing_ = false;
};

}  // namespace thurn::support
