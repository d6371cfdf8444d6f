#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace thurn::queue {

/// Index of a value in a Slab; half the size of a pointer, which counts with a million of them.
using Slot = std::uint32_t;
inline constexpr Slot kNoSlot = 0xffffffff;

/// Many small values of one kind, at addresses that do not change, without an allocation for each.
///
/// Shape    `Value` has a member `Slot next`, used to chain free places. Memory goes back when the last value is gone.
/// Limits   2^32 - 1 values.
template <class Value>
class Slab {
public:
    [[nodiscard]] Slot put(Value value) {
        if (free_ == kNoSlot) grow();
        const Slot slot = free_;
        free_ = (*this)[slot].next;
        (*this)[slot] = std::move(value);
        ++used_;
        return slot;
    }
    [[nodiscard]] Value take(Slot slot) {
        Value value = std::exchange((*this)[slot], Value{});
        (*this)[slot].next = std::exchange(free_, slot);
        if (--used_ == 0) clear();
        return value;
    }
    [[nodiscard]] Value& operator[](Slot slot) { return chunks_[slot / kChunk][slot % kChunk]; }
    [[nodiscard]] const Value& operator[](Slot slot) const { return chunks_[slot / kChunk][slot % kChunk]; }
    [[nodiscard]] std::size_t size() const { return used_; }

private:
    static constexpr Slot kChunk = 1024;

    void grow() {
        const Slot first = static_cast<Slot>(chunks_.size()) * kChunk;
        chunks_.push_back(std::make_unique<Value[]>(kChunk));
        for (Slot slot = first + kChunk; slot-- > first;) (*this)[slot].next = std::exchange(free_, slot);
    }
    void clear() {
        // One chunk stays, so that a queue that goes between empty and one does not allocate.
        if (chunks_.size() <= 1) return;
        chunks_.clear();
        chunks_.shrink_to_fit();
        free_ = kNoSlot;
    }

    std::vector<std::unique_ptr<Value[]>> chunks_;
    Slot free_ = kNoSlot;
    std::size_t used_ = 0;
};

/// Finds values of a Slab by a key they hold themselves: a hash table whose chains run through the values.
///
/// Shape    `Value` has members `Slot chain_next`, `Slot chain_previous` and `std::uint64_t key() const`; equal keys are allowed.
/// Cost     Constant but for the doubling of the table. 4 to 8 octets a value beside its own members.
template <class Value>
class SlabIndex {
public:
    explicit SlabIndex(Slab<Value>& slab) : slab_(slab) {}

    void insert(Slot slot) {
        if (++count_ > heads_.size()) rebuild(heads_.empty() ? 64 : heads_.size() * 2);
        link(slot);
    }
    /// Precondition: the value at `slot` is still there.
    void erase(Slot slot) {
        Value& value = slab_[slot];
        (value.chain_previous == kNoSlot ? head(value.key()) : slab_[value.chain_previous].chain_next) = value.chain_next;
        if (value.chain_next != kNoSlot) slab_[value.chain_next].chain_previous = value.chain_previous;
        if (--count_ == 0 && heads_.size() > 1024) heads_ = {};
    }
    /// The first value with that key, or kNoSlot; next() gives the others.
    [[nodiscard]] Slot find(std::uint64_t key) const { return heads_.empty() ? kNoSlot : with_key(heads_[bucket(key)], key); }
    [[nodiscard]] Slot next(Slot slot) const { return with_key(slab_[slot].chain_next, slab_[slot].key()); }

private:
    [[nodiscard]] std::size_t bucket(std::uint64_t key) const {
        key = (key ^ key >> 32) * 0x9e3779b97f4a7c15U;  // only the upper bits of the product depend on all of the key
        return static_cast<std::size_t>(key >> 32) & (heads_.size() - 1);
    }
    [[nodiscard]] Slot& head(std::uint64_t key) { return heads_[bucket(key)]; }
    [[nodiscard]] Slot with_key(Slot slot, std::uint64_t key) const {
        while (slot != kNoSlot && slab_[slot].key() != key) slot = slab_[slot].chain_next;
        return slot;
    }
    void link(Slot slot) {
        Value& value = slab_[slot];
        Slot& first = head(value.key());
        value.chain_previous = kNoSlot;
        value.chain_next = first;
        if (first != kNoSlot) slab_[first].chain_previous = slot;
        first = slot;
    }
    void rebuild(std::size_t buckets) {
        const std::vector<Slot> old = std::exchange(heads_, std::vector<Slot>(buckets, kNoSlot));
        for (Slot slot : old) {
            while (slot != kNoSlot) {
                const Slot following = slab_[slot].chain_next;
                link(slot);
                slot = following;
            }
        }
    }

    Slab<Value>& slab_;
    std::vector<Slot> heads_;  // a power of two of them
    std::size_t count_ = 0;
};

}  // namespace thurn::queue
