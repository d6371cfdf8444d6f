#pragma once

#include "base/result.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace thurn::spool {

/// Changes to an index that happen all together or not at all, in their order.
struct IndexBatch {
    struct Change {
        std::string key;
        std::optional<std::string> value;  // nothing: the key is removed
    };
    std::vector<Change> changes;

    void put(std::string key, std::string value) { changes.push_back({std::move(key), std::move(value)}); }
    void erase(std::string key) { changes.push_back({std::move(key), std::nullopt}); }
};

/// Walks keys upwards over the state the index had when it was made.
class IndexCursor {
public:
    virtual ~IndexCursor() = default;
    /// False at the end, and after an error: see status().
    [[nodiscard]] virtual bool valid() const = 0;
    /// Precondition of these: valid(). The views live until next().
    [[nodiscard]] virtual std::string_view key() const = 0;
    [[nodiscard]] virtual std::string_view value() const = 0;
    virtual void next() = 0;
    [[nodiscard]] virtual base::Result<void> status() const = 0;
};

/// Ordered keys and values, in memory or beside the log. It may lose its newest batches in a crash (never the middle of one, never an
/// older one before a newer one), or be lost as a whole: the log is the truth.
///
/// Errors   `disk`, `corrupt`.
/// Threads  Any.
class Index {
public:
    virtual ~Index() = default;
    [[nodiscard]] virtual base::Result<std::optional<std::string>> get(std::string_view key) = 0;
    /// Need not be on stable storage afterwards. On failure it may nevertheless be seen from now on, as a whole: write it again.
    [[nodiscard]] virtual base::Result<void> write(const IndexBatch& batch) = 0;
    /// All batches written so far are on stable storage.
    [[nodiscard]] virtual base::Result<void> sync() = 0;
    /// Stands at the first key that is not below `from`.
    [[nodiscard]] virtual std::unique_ptr<IndexCursor> seek(std::string_view from) = 0;
    /// Throws everything away, damaged or not. On failure it is as it was.
    [[nodiscard]] virtual base::Result<void> clear() = 0;
};

}  // namespace thurn::spool
