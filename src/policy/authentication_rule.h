#pragma once

#include "mailauth/dmarc_tally.h"
#include "mailauth/findings.h"
#include "policy/recipient_rule.h"

#include <string>
#include <vector>

namespace thurn::policy {

/// What becomes of mail that SPF, DKIM and DMARC say something about.
struct AuthenticationRules {
    enum class OnSpfFail { mark, reject } spf_fail = OnSpfFail::mark;
    enum class OnDmarcFail { mark, apply } dmarc = OnDmarcFail::apply;  // `apply`: as the author's domain asks
    enum class Quarantine { mark, junk, hold, reject } quarantine = Quarantine::junk;
    enum class OnNoAuthor { mark, reject } no_author = OnNoAuthor::reject;
    enum class OnTemperror { mark, defer } temperror = OnTemperror::mark;  // of DMARC: its policy or an aligned result cannot be had now
    std::vector<std::string> trusted_sealers{};  // domains whose ARC seals are believed about what they saw (RFC 8617 §7.2)
    friend bool operator==(const AuthenticationRules&, const AuthenticationRules&) = default;
};

/// Where a message goes that is accepted.
enum class Filing { inbox, junk, hold };

/// Shape  `disposition` is what was done, as aggregate reports tell it; where that is milder than the domain asked for, `overrides` says why.
struct ContentDecision {
    Decision decision;
    Filing filing = Filing::inbox;
    mailauth::DmarcPolicy disposition = mailauth::DmarcPolicy::none;
    std::vector<mailauth::DmarcOverrideReason> overrides{};
};

/// Decides about a message from outside when all of it was checked.
/// Source   RFC 9989 §5.3, §5.4; RFC 7372 for the codes of SPF.
[[nodiscard]] ContentDecision decide_content(const mailauth::Findings& findings, const AuthenticationRules& rules);

/// The trusted sealer that saw the message pass DMARC before it was changed; empty if there is none. All seals above that one must be trusted
/// too: each of them could have changed the message.
[[nodiscard]] std::string find_trusted_sealer(const mailauth::ArcVerdict& chain, const std::vector<std::string>& trusted);

}  // namespace thurn::policy
