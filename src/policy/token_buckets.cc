// A bucket as one moment (the "generic cell rate algorithm" of ATM networks). A bucket of N that fills within P gets a token every P/N. If
// it lacks k tokens, it will be full k·P/N from now; so the moment when it is full says all, and time passes without anybody doing anything.
// Taking a token puts that moment off by P/N; there is room as long as it does not lie further away than P. Example, 3 in 1 h at 10:00: taking
// one makes it 10:20, two more 11:00, and there is no room until 10:20, when 11:20 is no more than an hour off.
#include "policy/token_buckets.h"

#include <algorithm>
#include <cmath>

namespace thurn::policy {

namespace {

constexpr SnapshotKind kKind{.name = "token buckets", .version = 1};

std::int64_t nanoseconds(auto duration) { return std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count(); }

/// One question to a bucket, in nanoseconds.
struct Question {
    Question(double amount, Limit limit, base::Time at)
        : now(nanoseconds(at.time_since_epoch())),
          period(nanoseconds(limit.period)),
          each(static_cast<double>(period) / limit.amount),
          cost(cost_of(amount)) {}

    /// Rounded down: N tokens together must not cost more than P.
    [[nodiscard]] std::int64_t cost_of(double amount) const {
        if (!(amount > 0)) return 0;
        const auto exact = amount * each;
        if (exact > static_cast<double>(period) * 1.000001) return period + 1;  // more than the bucket ever holds
        return std::clamp<std::int64_t>(static_cast<std::int64_t>(exact), 1, period);
    }
    /// How long the bucket needs to be full.
    [[nodiscard]] std::int64_t lack(std::int64_t full_at) const { return full_at <= now ? 0 : std::min(full_at - now, period); }
    [[nodiscard]] bool fits(std::int64_t full_at) const { return cost <= period - lack(full_at); }
    [[nodiscard]] double left(std::int64_t full_at) const { return static_cast<double>(period - lack(full_at)) / each; }
    [[nodiscard]] base::Duration wait(std::int64_t full_at) const {
        if (cost > period) return Taken::kNever;
        return std::chrono::ceil<base::Duration>(std::chrono::nanoseconds(std::max<std::int64_t>(lack(full_at) + cost - period, 0)));
    }

    std::int64_t now;
    std::int64_t period;
    double each;  // what one token takes to come back
    std::int64_t cost;
};

}  // namespace

HashedKey TokenBuckets::key_of(std::string_view rate, std::span<const std::string> values) const {
    KeyHasher hasher(seed_);
    hasher.add(rate);
    for (const auto& value : values) hasher.add(value);
    return hasher.finish();
}

Taken TokenBuckets::take(std::string_view rate, std::span<const std::string> values, double amount, Limit limit, base::Time now) {
    const Question question(amount, limit, now);
    const auto taken = table_.change(key_of(rate, values), now, [&](Bucket& bucket) -> Taken {
        if (!question.fits(bucket.full_at))
            return {.room = false, .left = question.left(bucket.full_at), .wait = question.wait(bucket.full_at)};
        bucket.full_at = question.now + question.lack(bucket.full_at) + question.cost;
        return {.room = true, .left = question.left(bucket.full_at)};
    });
    if (taken.room) changes_.fetch_add(1, std::memory_order_relaxed);
    return taken;
}

Taken TokenBuckets::peek(std::string_view rate, std::span<const std::string> values, double amount, Limit limit, base::Time now) const {
    const Question question(amount, limit, now);
    const auto full_at = table_.find(key_of(rate, values)).value_or(Bucket{}).full_at;
    if (!question.fits(full_at)) return {.room = false, .left = question.left(full_at), .wait = question.wait(full_at)};
    return {.room = true, .left = question.left(question.now + question.lack(full_at) + question.cost)};
}

Taken TokenBuckets::charge(std::string_view rate, std::span<const std::string> values, double amount, Limit limit, base::Time now) {
    const Question question(amount, limit, now);
    changes_.fetch_add(1, std::memory_order_relaxed);
    return table_.change(key_of(rate, values), now, [&](Bucket& bucket) -> Taken {
        Taken taken{.room = question.fits(bucket.full_at)};
        if (!taken.room) taken.wait = question.wait(bucket.full_at);
        bucket.full_at = question.now + std::min(question.lack(bucket.full_at) + question.cost, question.period);
        taken.left = question.left(bucket.full_at);
        return taken;
    });
}

std::string TokenBuckets::snapshot(base::Time now) const {
    SnapshotWriter out(kKind);
    out.number(seed_);
    table_.write(out, now);
    return std::move(out).finish();
}

base::Result<void> TokenBuckets::restore(std::string_view octets) {
    auto in = SnapshotReader::open(octets, kKind);
    if (!in) return base::pass_on(in);
    const auto seed = in->number();
    const auto buckets = HashedTable<Bucket>::read(*in);
    if (!buckets || !in->done()) return damaged_snapshot();
    table_.fill(*buckets);
    seed_ = seed;
    return {};
}

}  // namespace thurn::policy
