#include "delivery/content_budget.h"

#include "base/guarded.h"

namespace thurn::delivery {

/// The content of a message that was let go of. read() fails when the message has gone from the spool, and is tried again after an error.
class ContentBudget::ReadAgain final : public spool::Content {
public:
    ReadAgain(spool::Spool& spool, base::MessageId id, base::Octets size, std::shared_ptr<Count> count)
        : spool_(spool), id_(id), size_(size), count_(std::move(count)) {}
    [[nodiscard]] base::Octets size() const override { return size_; }
    [[nodiscard]] std::optional<std::string_view> in_memory() const override { return std::nullopt; }
    [[nodiscard]] base::Result<std::size_t> read(std::uint64_t offset, std::span<char> into) const override {
        const auto content = fetch();
        if (!content) return std::unexpected(content.error());
        return (*content)->read(offset, into);
    }

private:
    [[nodiscard]] base::Result<std::shared_ptr<const spool::Content>> fetch() const {
        return fetched_.with([this](auto& fetched) -> base::Result<std::shared_ptr<const spool::Content>> {
            if (fetched) return fetched;
            auto loaded = spool_.load(id_);
            if (!loaded) return base::pass_on(loaded);
            return fetched = counted(std::move(loaded->content), count_);
        });
    }

    spool::Spool& spool_;
    base::MessageId id_;
    base::Octets size_;
    std::shared_ptr<Count> count_;
    mutable base::Guarded<std::shared_ptr<const spool::Content>> fetched_;
};

std::shared_ptr<const spool::Content> ContentBudget::admit(const spool::StoredMessage& message) {
    if (!message.content->in_memory()) return message.content;
    if (held_->load() + message.content->size().count <= limit_.count) return counted(message.content, held_);
    return std::make_shared<const ReadAgain>(spool_, message.id, message.content->size(), held_);
}

/// The same content; when its last holder lets go, the count goes down.
std::shared_ptr<const spool::Content> ContentBudget::counted(std::shared_ptr<const spool::Content> content,
                                                             const std::shared_ptr<Count>& count) {
    const auto size = content->in_memory() ? content->size().count : 0;
    count->fetch_add(size);
    const auto* plain = content.get();
    return {plain, [content = std::move(content), count, size](const spool::Content*) { count->fetch_sub(size); }};
}

}  // namespace thurn::delivery
