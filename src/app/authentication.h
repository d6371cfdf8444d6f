#pragma once

#include "base/log.h"
#include "config/config.h"
#include "inbound/authentication.h"
#include "mailauth/sender_rewriting.h"
#include "storage/dkim_keyring.h"
#include "storage/srs_keys.h"

#include <memory>

namespace thurn::app {

/// The keys our mail is signed with: those of the configuration and those of the keyring. Null where there are none.
/// Errors   `invalid`: a key that the configuration names cannot be read. What is wrong in the keyring is logged, and the rest used.
[[nodiscard]] base::Result<std::shared_ptr<const mailauth::Signatory>> load_signatory(const config::Config& config,
                                                                                      storage::DkimKeyring& keyring, base::Log& log);

/// Errors   `invalid`: the public suffix list cannot be read.
[[nodiscard]] base::Result<std::shared_ptr<const inbound::AuthenticationOptions>> authentication_options(
    const config::Config& config, std::shared_ptr<const mailauth::Signatory> signatory);

/// Null where senders are not to be rewritten. Makes the first secret.
[[nodiscard]] base::Result<std::shared_ptr<const mailauth::SenderRewriting>> load_rewriting(const config::Config& config,
                                                                                            storage::SrsKeys& keys, base::Random& random,
                                                                                            base::Time now);

}  // namespace thurn::app
