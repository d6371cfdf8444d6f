#include "spool/memory_spool.h"

#include "spool/content.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace thurn::spool {

namespace {

class MemoryDraft final : public Draft {
public:
    explicit MemoryDraft(base::MessageId id) : id_(id) {}
    [[nodiscard]] base::Result<void> append(std::string_view octets) override {
        octets_ += octets;
        return {};
    }
    [[nodiscard]] base::Result<void> put_on_top(std::string_view octets) override {
        octets_.insert(0, octets);
        return {};
    }
    [[nodiscard]] bool needs_disk(std::size_t) const override { return false; }
    [[nodiscard]] base::Octets size() const override { return {octets_.size()}; }
    [[nodiscard]] std::optional<std::string_view> in_memory() const override { return octets_; }
    [[nodiscard]] base::Result<std::size_t> read(std::uint64_t offset, std::span<char> into) const override {
        return offset < octets_.size() ? octets_.copy(into.data(), into.size(), static_cast<std::size_t>(offset)) : 0;
    }
    [[nodiscard]] base::Result<std::shared_ptr<const Content>> start_over() override {
        return std::make_shared<const MemoryContent>(std::exchange(octets_, {}));
    }
    [[nodiscard]] base::MessageId id() const { return id_; }
    [[nodiscard]] std::string take_octets() { return std::move(octets_); }

private:
    base::MessageId id_;
    std::string octets_;
};

bool lives(const Envelope& envelope) {
    return std::ranges::any_of(envelope.recipients, [](const auto& recipient) { return !is_final(recipient.state.standing); });
}

bool earlier(const DueRecipient& a, const DueRecipient& b) { return std::tie(a.due, a.id, a.index) < std::tie(b.due, b.id, b.index); }

}  // namespace

std::unique_ptr<Draft> MemorySpool::draft(base::MessageId id) { return std::make_unique<MemoryDraft>(id); }

void MemorySpool::commit(std::unique_ptr<Draft> draft, Envelope envelope, Committed done) {
    auto& own = static_cast<MemoryDraft&>(*draft);
    StoredMessage message{
        .id = own.id(), .envelope = std::move(envelope), .content = std::make_shared<const MemoryContent>(own.take_octets())};
    const auto refusal = state_.with([&](State& state) {
        if (state.refusal) return state.refusal;
        ++state.commits;
        state.newest = std::max(state.newest, message.id);
        if (lives(message.envelope)) state.messages[message.id] = message;
        return state.refusal;
    });
    if (refusal) return done(base::fail(*refusal, "told to refuse"));
    done(std::move(message));
}

void MemorySpool::apply(State& state, const RecipientUpdate& update) {
    const auto found = state.messages.find(update.id);
    if (found == state.messages.end()) return;
    auto& recipients = found->second.envelope.recipients;
    if (update.index >= recipients.size() || is_final(recipients[update.index].state.standing)) return;
    recipients[update.index].state = update.state;
    if (update.state.standing == Standing::expanded) recipients.insert(recipients.end(), update.expansion.begin(), update.expansion.end());
    if (!lives(found->second.envelope)) state.messages.erase(found);
}

void MemorySpool::update(std::vector<RecipientUpdate> updates, Sync, Updated done) {
    state_.with([&](State& state) {
        for (const auto& update : updates) apply(state, update);
    });
    if (done) done({});
}

base::Result<StoredMessage> MemorySpool::load(base::MessageId id) {
    return state_.with([&](State& state) -> base::Result<StoredMessage> {
        const auto found = state.messages.find(id);
        if (found == state.messages.end()) return base::fail(base::ErrorKind::not_found, "no message " + id.text());
        return found->second;
    });
}

base::Result<std::vector<DueRecipient>> MemorySpool::due(base::Time until, const DueRecipient* after, std::size_t limit) {
    std::vector<DueRecipient> all;
    state_.with([&](State& state) {
        for (const auto& [id, message] : state.messages) {
            for (std::uint32_t i = 0; i < message.envelope.recipients.size(); ++i) {
                const auto& recipient = message.envelope.recipients[i].state;
                const bool waits = recipient.standing == Standing::waiting || recipient.standing == Standing::in_doubt;
                const DueRecipient due{.id = id, .index = i, .due = recipient.due};
                if (waits && due.due <= until && (after == nullptr || earlier(*after, due))) all.push_back(due);
            }
        }
    });
    std::ranges::sort(all, earlier);
    if (all.size() > limit) all.resize(limit);
    return all;
}

base::Result<std::vector<Listed>> MemorySpool::list(base::MessageId after, std::size_t limit) {
    return state_.with([&](State& state) -> base::Result<std::vector<Listed>> {
        std::vector<Listed> all;
        for (auto at = state.messages.upper_bound(after); at != state.messages.end() && all.size() < limit; ++at) {
            const auto& message = at->second;
            Listed listed{.id = at->first,
                          .sender = message.envelope.sender,
                          .size = message.content->size(),
                          .wishes = message.envelope.wishes,
                          .recipients = {}};
            for (std::uint32_t i = 0; i < message.envelope.recipients.size(); ++i) {
                if (!is_final(message.envelope.recipients[i].state.standing)) {
                    listed.recipients.emplace_back(i, message.envelope.recipients[i]);
                }
            }
            all.push_back(std::move(listed));
        }
        return all;
    });
}

SpoolStats MemorySpool::stats() {
    return state_.with([](State& state) { return SpoolStats{.messages = state.messages.size(), .commits = state.commits}; });
}

base::MessageId MemorySpool::newest() {
    return state_.with([](State& state) { return state.newest; });
}

bool MemorySpool::has_room() const {
    return state_.with([](const State& state) { return state.refusal != base::ErrorKind::full; });
}

void MemorySpool::refuse_commits(std::optional<base::ErrorKind> kind) {
    state_.with([&](State& state) { state.refusal = kind; });
}

}  // namespace thurn::spool
