#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "mailauth/signatory.h"

#include <memory>
#include <string>
#include <string_view>

namespace thurn::mailauth {

// A message that is changed on its way, as for a host without 8BITMIME, loses what it was signed with; ours can be made anew.
//
// Invariant   Only what verified before the change is made anew. To go by the names in the fields would be to sign, in our name, whatever a
//             stranger hands us with a signature that is made up.

/// Our DKIM signatures that held for `original` make room for new ones. A message without is left alone, and all other signatures stay,
/// broken as they are.
/// Errors   As sign_message().
/// Limits   The first ten that name a key of ours are looked at.
[[nodiscard]] base::Result<std::string> sign_anew(const std::shared_ptr<const Signatory>& signatory, std::string_view original,
                                                  std::string changed, base::Time now);

/// Likewise of our seal, if the newest one is ours: another takes its place, which says the same of what we saw. For after sign_anew(), as a
/// seal covers signatures (RFC 8617 §4.1.2).
/// Errors   `invalid`: there is no key any more; else as ArcSealer::seal().
[[nodiscard]] base::Result<std::string> seal_anew(const std::shared_ptr<const Signatory>& signatory, std::string_view original,
                                                  std::string changed, base::Time now);

}  // namespace thurn::mailauth
