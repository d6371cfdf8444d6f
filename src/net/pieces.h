#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>
#include <string_view>

#include <sys/uio.h>

namespace thurn::net {

/// What is still to be written of a list of pieces.
///
/// Invariant: the first piece, if there is one, has octets left.
class Pieces {
public:
    explicit Pieces(std::span<const std::string_view> pieces) : pieces_(pieces) { skip_empty(); }

    [[nodiscard]] bool empty() const { return pieces_.empty(); }

    /// Fills `into` with the next octets as iovecs; returns how many.
    [[nodiscard]] std::size_t gather(std::span<iovec> into) const {
        std::size_t count = 0;
        std::size_t skip = offset_;
        for (auto piece = pieces_.begin(); piece != pieces_.end() && count < into.size(); ++piece, skip = 0) {
            if (piece->size() == skip) continue;
            into[count++] = {const_cast<char*>(piece->data() + skip), piece->size() - skip};  // sendmsg() only reads
        }
        return count;
    }

    /// The next octets, at most `scratch.size()`, in one run; copied only if they are of several pieces.
    [[nodiscard]] std::string_view coalesce(std::span<char> scratch) const {
        const std::string_view first = pieces_.front().substr(offset_);
        if (pieces_.size() == 1 || first.size() >= scratch.size()) return first.substr(0, scratch.size());
        std::size_t filled = 0;
        std::size_t skip = offset_;
        for (auto piece = pieces_.begin(); piece != pieces_.end() && filled < scratch.size(); ++piece, skip = 0) {
            filled += piece->copy(scratch.data() + filled, scratch.size() - filled, skip);
        }
        return {scratch.data(), filled};
    }

    /// `count` octets have gone. Precondition: not more than are left.
    void advance(std::size_t count) {
        while (count > 0) {
            const std::size_t step = std::min(count, pieces_.front().size() - offset_);
            offset_ += step;
            count -= step;
            skip_empty();
        }
    }

private:
    void skip_empty() {
        while (!pieces_.empty() && pieces_.front().size() == offset_) {
            pieces_ = pieces_.subspan(1);
            offset_ = 0;
        }
    }

    std::span<const std::string_view> pieces_;
    std::size_t offset_ = 0;  // of the first piece
};

}  // namespace thurn::net
