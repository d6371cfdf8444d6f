#include "spool/catalogue.h"

#include <algorithm>

namespace thurn::spool {

namespace {

constexpr std::size_t kCacheWeight = 20'000;  // beyond it, messages that are only read stay in the index

}  // namespace

std::optional<base::Time> Catalogue::due_of(const RecipientState& state) {
    // In doubt counts as waiting: `due` was already past when the attempt began, so after a crash it is due at once.
    const bool waits = state.standing == Standing::waiting || state.standing == Standing::in_doubt;
    return waits ? std::optional(state.due) : std::nullopt;
}

std::optional<IndexState> Catalogue::saved_state() {
    auto value = index_.get(kStateKey);
    if (!value || !*value) return std::nullopt;
    auto state = decode_state(**value);
    return state ? std::optional(*std::move(state)) : std::nullopt;
}

void Catalogue::restore(IndexState state) {
    const Lock lock(mutex_);
    state_ = std::move(state);
}

void Catalogue::start(std::uint64_t spool) {
    const Lock lock(mutex_);
    recent_ = {};
    frozen_ = {};
    frozen_state_.reset();
    state_ = {};
    state_.spool = spool;
    due_floor_.reset();
    ++epoch_;
}

// Changes

Catalogue::Entry Catalogue::fresh_entry(Stored&& stored) {
    Entry entry;
    entry.stored = std::move(stored);
    entry.changed = true;
    for (const auto& recipient : entry.stored.envelope.recipients) entry.open += is_final(recipient.state.standing) ? 0 : 1;
    return entry;
}

Catalogue::Entry Catalogue::as_written(const Entry& entry) {
    Entry copy = entry;
    copy.indexed = true;
    copy.changed = false;
    copy.shadow.clear();
    for (const auto& recipient : copy.stored.envelope.recipients) copy.shadow.push_back({due_of(recipient.state), false});
    return copy;
}

Catalogue::Entry& Catalogue::insert(base::MessageId id, Entry entry) {
    const auto& recipients = entry.stored.envelope.recipients;
    for (std::uint32_t i = 0; i < recipients.size(); ++i) {
        if (const auto due = due_of(recipients[i].state)) recent_.due.insert({.id = id, .index = i, .due = *due});
    }
    recent_.weight += 1 + recipients.size();
    return recent_.entries.insert_or_assign(id, std::move(entry)).first->second;
}

void Catalogue::account(const Stored& stored) {
    auto& use = state_.use[stored.where.segment];
    ++use.messages;
    use.octets += stored.record_octets;
    if (stored.place != Place::log) state_.file_octets += stored.content_size;
}

void Catalogue::unaccount(const Stored& stored) {
    auto& use = state_.use[stored.where.segment];
    --use.messages;
    use.octets -= stored.record_octets;
    if (stored.place != Place::log) state_.file_octets -= stored.content_size;
    if (use.messages == 0) state_.use.erase(stored.where.segment);
}

void Catalogue::put(base::MessageId id, Stored&& stored) {
    Entry entry = fresh_entry(std::move(stored));
    const Lock lock(mutex_);
    state_.newest = std::max(state_.newest, id);
    if (entry.open == 0) return;
    account(entry.stored);
    ++state_.messages;
    insert(id, std::move(entry));
}

base::Result<void> Catalogue::replace(base::MessageId id, Stored stored) {
    Lock lock(mutex_);
    auto known = fetch(lock, id);
    if (!known) return base::pass_on(known);
    if (*known == nullptr) {
        lock.unlock();
        put(id, std::move(stored));
        return {};
    }
    Entry& entry = **known;
    for (std::uint32_t i = 0; i < stored.envelope.recipients.size(); ++i) {
        auto& states = entry.stored.envelope.recipients;
        if (i < states.size()) {
            set_state(id, entry, i, stored.envelope.recipients[i].state);
        } else {
            append_expansion(id, entry, {stored.envelope.recipients[i]});
        }
    }
    unaccount(entry.stored);
    entry.stored.where = stored.where;
    entry.stored.record_octets = stored.record_octets;
    entry.changed = true;
    account(entry.stored);
    if (entry.open == 0) finish(id, entry);
    return {};
}

base::Result<void> Catalogue::update(const RecipientUpdate& update) {
    Lock lock(mutex_);
    auto found = fetch(lock, update.id);
    if (!found) return base::pass_on(found);
    if (*found == nullptr) return {};
    Entry& entry = **found;
    const auto& recipients = entry.stored.envelope.recipients;
    if (update.index >= recipients.size() || is_final(recipients[update.index].state.standing)) return {};
    set_state(update.id, entry, update.index, update.state);
    if (update.state.standing == Standing::expanded) append_expansion(update.id, entry, update.expansion);
    if (entry.open == 0) finish(update.id, entry);
    return {};
}

void Catalogue::set_state(base::MessageId id, Entry& entry, std::uint32_t index, const RecipientState& state) {
    auto& current = entry.stored.envelope.recipients[index].state;
    if (const auto due = due_of(current)) recent_.due.erase({.id = id, .index = index, .due = *due});
    if (const auto due = due_of(state)) recent_.due.insert({.id = id, .index = index, .due = *due});
    entry.open += is_final(current.standing) ? 1 : 0;
    entry.open -= is_final(state.standing) ? 1 : 0;
    current = state;
    entry.changed = true;
    if (index < entry.shadow.size()) entry.shadow[index].changed = true;
}

void Catalogue::append_expansion(base::MessageId id, Entry& entry, const std::vector<Recipient>& expansion) {
    auto& recipients = entry.stored.envelope.recipients;
    for (const auto& recipient : expansion) {
        const auto index = static_cast<std::uint32_t>(recipients.size());
        if (const auto due = due_of(recipient.state)) recent_.due.insert({.id = id, .index = index, .due = *due});
        entry.open += is_final(recipient.state.standing) ? 0 : 1;
        recipients.push_back(recipient);
        ++recent_.weight;
    }
}

base::Result<void> Catalogue::relocate(base::MessageId id, Position where, std::uint64_t record_octets) {
    Lock lock(mutex_);
    auto found = fetch(lock, id);
    if (!found) return base::pass_on(found);
    if (*found == nullptr) return {};
    auto& entry = **found;
    unaccount(entry.stored);
    entry.stored.where = where;
    entry.stored.record_octets = record_octets;
    entry.changed = true;
    account(entry.stored);
    return {};
}

base::Result<void> Catalogue::drop(base::MessageId id) {
    Lock lock(mutex_);
    auto found = fetch(lock, id);
    if (!found) return base::pass_on(found);
    if (*found != nullptr) finish(id, **found);
    return {};
}

void Catalogue::finish(base::MessageId id, Entry& entry) {
    unaccount(entry.stored);
    --state_.messages;
    if (entry.stored.place != Place::log) finished_files_.push_back(id);
    auto& recipients = entry.stored.envelope.recipients;
    for (std::uint32_t i = 0; i < recipients.size(); ++i) {
        if (const auto due = due_of(recipients[i].state)) recent_.due.erase({.id = id, .index = i, .due = *due});
    }
    recent_.weight -= recipients.size();
    if (entry.indexed) {
        entry.open = 0;
        entry.changed = true;
        entry.stored.envelope = {};
        return;
    }
    --recent_.weight;
    recent_.entries.erase(id);
}

void Catalogue::note_newest(base::MessageId id) {
    const Lock lock(mutex_);
    state_.newest = std::max(state_.newest, id);
}

// Questions

/// The entry in `recent_`, brought there if need be; null when the message does not live.
base::Result<Catalogue::Entry*> Catalogue::fetch(Lock& lock, base::MessageId id) {
    for (;;) {
        if (const auto found = recent_.entries.find(id); found != recent_.entries.end()) {
            return found->second.open == 0 ? nullptr : &found->second;
        }
        if (const auto found = frozen_.entries.find(id); found != frozen_.entries.end()) {
            return found->second.open == 0 ? nullptr : &insert(id, as_written(found->second));
        }
        const auto epoch = epoch_;
        lock.unlock();
        auto read = read_index(id);
        lock.lock();
        if (epoch != epoch_ || in_memory(id)) continue;
        if (!read) return base::pass_on(read);
        if (!*read) return nullptr;
        return &insert(id, **std::move(read));
    }
}

base::Result<std::optional<Catalogue::Entry>> Catalogue::read_index(base::MessageId id) {
    auto value = index_.get(message_key(id));
    if (!value) return base::pass_on(value);
    if (!*value) return std::nullopt;
    auto stored = decode_stored(**value);
    if (!stored) return base::pass_on(stored);
    auto& recipients = stored->first.envelope.recipients;
    const auto cursor = index_.seek(recipient_key(id, 0));
    for (std::uint32_t i = 0; i < stored->second; ++i, cursor->next()) {
        if (!cursor->valid() || cursor->key() != recipient_key(id, i)) break;
        auto recipient = decode_recipient(cursor->value());
        if (!recipient) return base::pass_on(recipient);
        recipients.push_back(*std::move(recipient));
    }
    if (auto status = cursor->status(); !status) return base::pass_on(status);
    if (recipients.size() != stored->second) return base::fail(base::ErrorKind::corrupt, "recipients are missing in the index");
    return as_written(fresh_entry(std::move(stored->first)));
}

bool Catalogue::in_memory(base::MessageId id) const { return recent_.entries.contains(id) || frozen_.entries.contains(id); }

base::Result<Stored> Catalogue::find(base::MessageId id) {
    const auto gone = [&] { return base::fail(base::ErrorKind::not_found, "no message " + id.text()); };
    for (;;) {
        Lock lock(mutex_);
        for (const auto* table : {&recent_, &frozen_}) {
            const auto found = table->entries.find(id);
            if (found == table->entries.end()) continue;
            if (found->second.open == 0) return gone();
            return found->second.stored;
        }
        const auto epoch = epoch_;
        lock.unlock();
        auto read = read_index(id);
        lock.lock();
        if (epoch != epoch_ || in_memory(id)) continue;
        if (!read) return base::pass_on(read);
        if (!*read) return gone();
        // Who loads a message will soon update it: kept, so that the committer need not read the index then.
        if (recent_.weight < kCacheWeight) return insert(id, **std::move(read)).stored;
        return std::move((*read)->stored);
    }
}

void Catalogue::collect_due(const Table& table, base::Time until, const DueRecipient* after, std::size_t limit,
                            std::vector<DueRecipient>& out) const {
    const bool overridden = &table == &frozen_;
    std::size_t count = 0;
    for (auto at = after == nullptr ? table.due.begin() : table.due.upper_bound(*after);
         at != table.due.end() && at->due <= until && count < limit; ++at) {
        if (overridden && recent_.entries.contains(at->id)) continue;
        out.push_back(*at);
        ++count;
    }
}

base::Result<void> Catalogue::collect_indexed_due(base::Time until, const DueRecipient* after, std::size_t limit,
                                                  std::vector<DueRecipient>& out) {
    std::size_t count = 0;
    std::string from = "D";
    std::uint64_t epoch = 0;
    {
        const Lock lock(mutex_);
        epoch = epoch_;
        if (after == nullptr && due_floor_) from = due_key(*due_floor_);
    }
    const auto cursor = index_.seek(after == nullptr ? from : due_key(*after));
    if (const auto first = cursor->valid() ? parse_due_key(cursor->key()) : std::nullopt; first && after == nullptr) {
        const Lock lock(mutex_);
        if (epoch == epoch_) due_floor_ = first;
    }
    for (; cursor->valid() && count < limit; cursor->next()) {
        const auto due = parse_due_key(cursor->key());
        if (!due || due->due > until) break;
        if (after != nullptr && !EarlierDue{}(*after, *due)) continue;
        const Lock lock(mutex_);
        if (in_memory(due->id)) continue;
        out.push_back(*due);
        ++count;
    }
    return cursor->status();
}

base::Result<std::vector<DueRecipient>> Catalogue::due(base::Time until, const DueRecipient* after, std::size_t limit) {
    for (int tries = 0;; ++tries) {
        std::vector<DueRecipient> all;
        std::uint64_t epoch = 0;
        {
            const Lock lock(mutex_);
            epoch = epoch_;
            collect_due(recent_, until, after, limit, all);
            collect_due(frozen_, until, after, limit, all);
        }
        if (auto read = collect_indexed_due(until, after, limit, all); !read) return base::pass_on(read);
        {
            // A checkpoint that ended meanwhile moved recipients from memory to the index: some may have been seen in neither.
            const Lock lock(mutex_);
            if (epoch != epoch_ && tries < 3) continue;
        }
        std::ranges::sort(all, EarlierDue{});
        const auto same = [](const DueRecipient& a, const DueRecipient& b) { return a.id == b.id && a.index == b.index; };
        all.erase(std::ranges::unique(all, same).begin(), all.end());
        if (all.size() > limit) all.resize(limit);
        return all;
    }
}

base::Result<std::vector<base::MessageId>> Catalogue::living_ids(base::MessageId after, std::size_t limit) {
    std::set<base::MessageId> ids;
    std::size_t count = 0;
    const auto cursor = index_.seek(message_key({after.value + 1}));
    for (; cursor->valid() && count < limit; cursor->next()) {
        const auto id = parse_message_key(cursor->key());
        if (!id) break;
        const Lock lock(mutex_);
        if (in_memory(*id)) continue;
        ids.insert(*id);
        ++count;
    }
    if (auto status = cursor->status(); !status) return base::pass_on(status);
    const Lock lock(mutex_);
    for (const auto& [id, entry] : recent_.entries) {
        if (id > after && entry.open > 0) ids.insert(id);
    }
    for (const auto& [id, entry] : frozen_.entries) {
        if (id > after && entry.open > 0 && !recent_.entries.contains(id)) ids.insert(id);
    }
    std::vector<base::MessageId> first(ids.begin(), ids.end());
    if (first.size() > limit) first.resize(limit);
    return first;
}

base::Result<std::vector<Listed>> Catalogue::list(base::MessageId after, std::size_t limit) {
    auto ids = living_ids(after, limit);
    if (!ids) return base::pass_on(ids);
    std::vector<Listed> all;
    for (const auto id : *ids) {
        auto stored = find(id);
        if (!stored && stored.error().kind == base::ErrorKind::not_found) continue;  // it has finished meanwhile
        if (!stored) return base::pass_on(stored);
        Listed listed{.id = id,
                      .sender = std::move(stored->envelope.sender),
                      .size = {stored->content_size},
                      .wishes = std::move(stored->envelope.wishes),
                      .recipients = {}};
        auto& recipients = stored->envelope.recipients;
        for (std::uint32_t i = 0; i < recipients.size(); ++i) {
            if (!is_final(recipients[i].state.standing)) listed.recipients.emplace_back(i, std::move(recipients[i]));
        }
        all.push_back(std::move(listed));
    }
    return all;
}

base::Result<std::vector<base::MessageId>> Catalogue::living_in(std::uint64_t segment) {
    std::vector<base::MessageId> inside;
    base::MessageId after;
    for (;;) {
        auto ids = living_ids(after, 10'000);
        if (!ids) return base::pass_on(ids);
        if (ids->empty()) return inside;
        for (const auto id : *ids) {
            auto stored = find(id);
            if (stored && stored->where.segment == segment) inside.push_back(id);
        }
        after = ids->back();
    }
}

std::uint64_t Catalogue::messages() const {
    const Lock lock(mutex_);
    return state_.messages;
}

base::MessageId Catalogue::newest() const {
    const Lock lock(mutex_);
    return state_.newest;
}

std::map<std::uint64_t, SegmentUse> Catalogue::use() const {
    const Lock lock(mutex_);
    return state_.use;
}

std::uint64_t Catalogue::file_octets() const {
    const Lock lock(mutex_);
    return state_.file_octets;
}

// Checkpoints

std::size_t Catalogue::weight() const {
    const Lock lock(mutex_);
    return recent_.weight;
}

void Catalogue::freeze(Position position) {
    const Lock lock(mutex_);
    if (frozen_state_) return;
    frozen_ = std::move(recent_);
    recent_ = {};
    frozen_state_ = state_;
    frozen_state_->position = position;
}

void Catalogue::add_changes(IndexBatch& batch, base::MessageId id, const Entry& entry) {
    if (!entry.changed) return;
    const auto& recipients = entry.stored.envelope.recipients;
    const auto written = static_cast<std::uint32_t>(entry.shadow.size());
    for (std::uint32_t i = 0; i < written; ++i) {
        const auto& shadow = entry.shadow[i];
        if (entry.open > 0 && !shadow.changed) continue;
        if (shadow.due) batch.erase(due_key({.id = id, .index = i, .due = *shadow.due}));
        if (entry.open == 0) batch.erase(recipient_key(id, i));
    }
    if (entry.open == 0) {
        batch.erase(message_key(id));
        return;
    }
    batch.put(message_key(id), encode_stored(entry.stored));
    for (std::uint32_t i = 0; i < recipients.size(); ++i) {
        if (i < written && !entry.shadow[i].changed) continue;
        batch.put(recipient_key(id, i), encode_recipient(recipients[i]));
        if (const auto due = due_of(recipients[i].state)) batch.put(due_key({.id = id, .index = i, .due = *due}), {});
    }
}

base::Result<void> Catalogue::write_frozen() {
    // `frozen_` does not change while `frozen_state_` is set, so it is read without the lock.
    {
        const Lock lock(mutex_);
        if (!frozen_state_) return {};
    }
    IndexBatch batch;
    for (const auto& [id, entry] : frozen_.entries) add_changes(batch, id, entry);
    batch.put(std::string(kStateKey), encode_state(*frozen_state_));
    if (auto written = index_.write(batch); !written) return written;
    Table old;
    const Lock lock(mutex_);
    state_.position = frozen_state_->position;
    frozen_state_.reset();
    std::swap(old, frozen_);
    ++epoch_;
    if (due_floor_ && !old.due.empty() && EarlierDue{}(*old.due.begin(), *due_floor_)) due_floor_ = *old.due.begin();
    return {};
}

Position Catalogue::indexed_position() const {
    const Lock lock(mutex_);
    return state_.position;
}

std::vector<base::MessageId> Catalogue::take_finished_files() {
    const Lock lock(mutex_);
    return std::exchange(finished_files_, {});
}

}  // namespace thurn::spool
