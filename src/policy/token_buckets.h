#pragma once

#include "policy/hashed_table.h"
#include "policy/kept_state.h"
#include "policy/limit.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace thurn::policy {

/// What came of asking a bucket.
struct Taken {
    bool room = true;
    double left = 0;         // in the bucket, after taking
    base::Duration wait{0};  // until there is room for that much; kNever if it is more than the bucket holds
    static constexpr base::Duration kNever = base::Duration::max();
};

/// Rates: one bucket for each name of a rate and the values it is counted by, such as `logins` of `192.0.2.1` and `anna@example.com`.
/// A bucket is full at first, holds the limit's amount, and fills up evenly within its period.
///
/// Limits   May be changed from one call to the next: a bucket that was half empty is half empty by the new limit.
/// Memory   24 octets a bucket and 32 a bucket on average, see HashedTable; the names are not kept. Where there is no more room, the buckets are
///          forgotten that would be full again soonest.
/// Clock    A clock set back makes no bucket emptier than empty.
/// Threads  Any; restore() before anybody uses it.
class TokenBuckets final : public KeptState {
public:
    struct Options {
        std::size_t capacity = 1'000'000;
        std::uint64_t seed = 0;  // see KeyHasher
    };
    explicit TokenBuckets(Options options) : seed_(options.seed), table_(options.capacity) {}

    /// Takes `amount` if it is there, else nothing. Amounts below 0 count as 0.
    Taken take(std::string_view rate, std::span<const std::string> values, double amount, Limit limit, base::Time now);
    /// What take() would say; nothing is taken.
    [[nodiscard]] Taken peek(std::string_view rate, std::span<const std::string> values, double amount, Limit limit, base::Time now) const;
    /// Takes what is there even if it is less: for what happened already, such as an unknown recipient or octets that came.
    Taken charge(std::string_view rate, std::span<const std::string> values, double amount, Limit limit, base::Time now);

    [[nodiscard]] std::size_t size() const { return table_.size(); }
    /// Of memory.
    [[nodiscard]] std::size_t octets() const { return table_.octets(); }

    [[nodiscard]] std::string snapshot(base::Time now) const override;
    [[nodiscard]] base::Result<void> restore(std::string_view octets) override;
    [[nodiscard]] std::uint64_t changes() const override { return changes_.load(std::memory_order_relaxed); }

private:
    /// All there is to know of a bucket is when it will be full.
    struct Bucket {
        std::int64_t full_at = 0;  // nanoseconds since 1970
        [[nodiscard]] base::Time kept_until() const {
            return base::Time(std::chrono::ceil<base::Duration>(std::chrono::nanoseconds(full_at)));
        }
    };
    [[nodiscard]] HashedKey key_of(std::string_view rate, std::span<const std::string> values) const;

    std::uint64_t seed_;
    HashedTable<Bucket> table_;
    std::atomic<std::uint64_t> changes_{0};
};

}  // namespace thurn::policy
