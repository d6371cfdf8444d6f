#pragma once

#include "app/remarks.h"
#include "config/config.h"

namespace thurn::app {

/// The keys our mail is signed with: that there are some for each domain of ours, that they can be read, and by nobody else, and that DNS has
/// their records; and the secrets that senders of forwarded mail are rewritten with. DNS is asked once, for at most five seconds.
void check_signing(const config::Config& config, Remarks& remarks);

}  // namespace thurn::app
