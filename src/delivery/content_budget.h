#pragma once

#include "spool/spool.h"

#include <atomic>
#include <memory>

namespace thurn::delivery {

/// Bounds the memory that the contents of active messages take. What has no room is let go of: it is on the disk already, and whoever
/// carries it reads it from there.
///
/// Limits   Those being carried are held beyond the limit: one message for each courier.
/// Threads  Any.
class ContentBudget {
public:
    /// Precondition: `spool` outlives all contents that were admitted.
    ContentBudget(spool::Spool& spool, base::Octets limit) : spool_(spool), limit_(limit) {}

    /// The message's content, counted for as long as anybody holds it; or one that is read from the spool when it is first asked for.
    [[nodiscard]] std::shared_ptr<const spool::Content> admit(const spool::StoredMessage& message);
    [[nodiscard]] base::Octets held() const { return {held_->load()}; }

private:
    using Count = std::atomic<std::uint64_t>;
    [[nodiscard]] static std::shared_ptr<const spool::Content> counted(std::shared_ptr<const spool::Content> content,
                                                                       const std::shared_ptr<Count>& count);
    class ReadAgain;

    spool::Spool& spool_;
    base::Octets limit_;
    std::shared_ptr<Count> held_ = std::make_shared<Count>(0);  // shared: contents may outlive us
};

}  // namespace thurn::delivery
