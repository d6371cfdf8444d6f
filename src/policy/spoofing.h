#pragma once

#include "mailauth/findings.h"

#include <string>
#include <vector>

namespace thurn::policy {

/// A domain that a message has as its author's or its sender's, and that neither SPF nor DKIM vouches for.
struct UnprovenName {
    std::string domain;
    std::string why;  // `a message in the name of a.example fails DMARC`
    friend bool operator==(const UnprovenName&, const UnprovenName&) = default;
};

/// The author's domain first. Whoever owns one of them may want to know: DMARC says so only of domains that publish a record, and never of
/// the envelope's sender. Mail that a list or a forwarder passed on may be among it, if no signature outlived that.
/// Doubt     Where DNS gave no answer that might have proven it, the domain is not named.
/// Aligned   A domain vouches for itself, for those above and below it, and for those of its organizational domain as far as DMARC found it.
[[nodiscard]] std::vector<UnprovenName> unproven_names(const mailauth::Findings& findings);

}  // namespace thurn::policy
