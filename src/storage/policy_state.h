#pragma once

#include "base/clock.h"
#include "base/guarded.h"
#include "base/log.h"
#include "policy/kept_state.h"
#include "spool/filesystem.h"

#include <memory>
#include <string>
#include <vector>

namespace thurn::storage {

/// Keeps what policy learns over restarts, each state in a file of its own.
///
/// Use      add() each at start, save() now and then and when all has stopped.
/// Safety   A file is written under another name and renamed once it is on stable storage: after a crash there is the old one or the new one.
///          A file that is damaged is put aside as `NAME.damaged` and costs only what it remembered; the server starts without.
/// Threads  Any; blocks.
class PolicyState {
public:
    /// `files` are those of the folder. Log, clock and the states that are added outlive it.
    PolicyState(std::shared_ptr<spool::Filesystem> files, base::Log& log, const base::Clock& clock);

    /// Restores the state from its file, if there is one, and saves it there from now on.
    void add(std::string name, policy::KeptState& state);
    /// Writes the states that have changed since they were written last.
    /// Errors   `full`, `disk`: of the first that could not be written; it is tried again with the next save().
    [[nodiscard]] base::Result<void> save();

private:
    struct Kept {
        std::string name;
        policy::KeptState* state;
        std::uint64_t saved;  // its changes() at that time
    };
    void restore(const std::string& name, policy::KeptState& state);
    void put_aside(const std::string& name, const base::Error& error);
    [[nodiscard]] base::Result<void> write(const Kept& kept);

    std::shared_ptr<spool::Filesystem> files_;
    base::Log& log_;
    const base::Clock& clock_;
    base::Guarded<std::vector<Kept>> all_;  // held while files are written: two must not write the same one
};

/// What was saved last under the name, for who only looks: nothing is put aside, nothing is written.
/// Errors   `not_found`: nothing was. `corrupt`: it is damaged. `refused`, `disk`.
[[nodiscard]] base::Result<void> load_policy_state(spool::Filesystem& files, const std::string& name, policy::KeptState& state);

}  // namespace thurn::storage
