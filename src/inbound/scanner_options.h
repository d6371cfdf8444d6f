#pragma once

#include "base/octets.h"
#include "inbound/milter_options.h"
#include "policy/rule.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace thurn::inbound {

/// A scanner that is asked about content: ClamAV's clamd for viruses, SpamAssassin's spamd for spam.
struct ScannerOptions {
    enum class Kind : std::uint8_t { clamd, spamd };
    /// What becomes of a message that the scanner cannot judge: it is not there, too slow, or talks nonsense.
    enum class DefaultAction : std::uint8_t { tempfail, accept, quarantine };

    std::string name{};  // for log, trace and rules
    Kind kind = Kind::clamd;
    MilterSocket socket{};
    std::vector<policy::Role> on{policy::Role::mx};
    policy::Action action = policy::Action::reject;  // with what it finds; none: only rules of the configuration ask it
    DefaultAction default_action = DefaultAction::tempfail;
    std::chrono::seconds time_limit{60};
    base::Octets max_size = base::mebibytes(25);  // of messages that it is shown
    std::string origin = "default";               // `thurn.toml:31`
};

/// The rules that a scanner brings with it: what to do with what it finds, and when it cannot be asked. They hold on the scanner's listeners.
[[nodiscard]] std::vector<policy::RuleText> rules_of(const ScannerOptions& scanner);

}  // namespace thurn::inbound
