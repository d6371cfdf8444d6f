#pragma once

#include "app/remarks.h"
#include "config/config.h"
#include "mailauth/dkim_crypto.h"

#include <set>
#include <string>
#include <string_view>

namespace thurn::app {

/// The keys our mail is signed with: that there are some for each domain of ours, that they can be read, and by nobody else, and that DNS has
/// their records, and that none is short; and the secrets that senders of forwarded mail are rewritten with. DNS is asked once, for at most five seconds.
void check_signing(const config::Config& config, Remarks& remarks);

/// The domains of the configuration and of the directory, where there is one.
[[nodiscard]] std::set<std::string> our_domains(const config::Config& config);

/// What is to be said of a key that some receivers do not trust any more; empty for all others (RFC 8301 §3.2).
[[nodiscard]] std::string weakness_of(const mailauth::PrivateKey& key);

}  // namespace thurn::app
