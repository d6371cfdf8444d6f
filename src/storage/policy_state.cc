#include "storage/policy_state.h"

#include <array>
#include <utility>

namespace thurn::storage {

using base::ErrorKind;
using base::Result;

namespace {

constexpr const char* kHere = ".";
constexpr std::string_view kNew = ".new";
constexpr std::string_view kDamaged = ".damaged";
constexpr std::uint64_t kLargest = std::uint64_t{1} << 30;

Result<std::string> read_whole(spool::Filesystem& files, const std::string& name) {
    const auto file = files.open(name, spool::Access::read);
    if (!file) return std::unexpected(file.error());
    const auto size = (*file)->size();
    if (!size) return std::unexpected(size.error());
    if (*size > kLargest) return base::fail(ErrorKind::corrupt, "over 1 GiB");
    std::string octets(*size, '\0');
    const auto count = (*file)->read(0, octets);
    if (!count) return std::unexpected(count.error());
    octets.resize(*count);
    return octets;
}

Result<void> write_synced(spool::Filesystem& files, const std::string& name, std::string_view octets) {
    const auto file = files.open(name, spool::Access::create);
    if (!file) return std::unexpected(file.error());
    const std::array slices{octets};
    if (auto written = (*file)->write(0, slices); !written) return written;
    return (*file)->sync();
}

}  // namespace

Result<void> load_policy_state(spool::Filesystem& files, const std::string& name, policy::KeptState& state) {
    const auto octets = read_whole(files, name);
    if (!octets) return std::unexpected(octets.error());
    return state.restore(*octets);
}

PolicyState::PolicyState(std::shared_ptr<spool::Filesystem> files, base::Log& log, const base::Clock& clock)
    : files_(std::move(files)), log_(log), clock_(clock) {}

void PolicyState::add(std::string name, policy::KeptState& state) {
    restore(name, state);
    all_.with([&](std::vector<Kept>& all) { all.push_back({std::move(name), &state, state.changes()}); });
}

void PolicyState::restore(const std::string& name, policy::KeptState& state) {
    const auto loaded = load_policy_state(*files_, name, state);
    if (!loaded && loaded.error().kind != ErrorKind::not_found) put_aside(name, loaded.error());
}

/// Somebody may want to look at it; and the next save must not depend on it.
void PolicyState::put_aside(const std::string& name, const base::Error& error) {
    const auto aside = name + std::string(kDamaged);
    const auto moved = files_->rename(name, aside);
    log_.error("policy_state_damaged", {{"file", name},
                                        {"reason", error.detail},
                                        {"kept_as", moved ? std::string_view(aside) : std::string_view()},
                                        {"advice", "what it remembered is forgotten; nothing else is lost"}});
}

Result<void> PolicyState::save() {
    return all_.with([&](std::vector<Kept>& all) {
        Result<void> result;
        for (auto& kept : all) {
            const auto changes = kept.state->changes();  // before the snapshot: what comes meanwhile is saved once more
            if (changes == kept.saved) continue;
            auto written = write(kept);
            if (written)
                kept.saved = changes;
            else if (result)
                result = std::move(written);
        }
        return result;
    });
}

Result<void> PolicyState::write(const Kept& kept) {
    const auto fresh = kept.name + std::string(kNew);
    if (auto removed = files_->remove(fresh); !removed && removed.error().kind != ErrorKind::not_found) return removed;  // of a crash
    auto done = write_synced(*files_, fresh, kept.state->snapshot(clock_.now()));
    if (done) done = files_->rename(fresh, kept.name);
    if (done) return files_->sync_folder(kHere);
    (void)files_->remove(fresh);
    return done;
}

}  // namespace thurn::storage
