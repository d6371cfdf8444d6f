#pragma once

#include "mailauth/authentication_results.h"
#include "mailauth/dmarc.h"
#include "mailauth/origin_check.h"
#include "mailauth/signature_check.h"

#include <string>
#include <string_view>
#include <vector>

namespace thurn::mailauth {

/// All that is known of where a message comes from.
struct Findings {
    MessageOrigin asked;
    OriginFindings origin;
    SignatureFindings signatures;
    DmarcVerdict dmarc;
    std::vector<Lookup> dmarc_lookups;
};

/// What DMARC has to judge: the author, and whom SPF and DKIM vouch for. Precondition: there is an author.
[[nodiscard]] DmarcRequest dmarc_request(const OriginFindings& origin, const SignatureFindings& signatures);

/// For Authentication-Results, and the set of a sealer (RFC 8601 §2.7, RFC 8617 §4.1.1).
[[nodiscard]] AuthenticationResults results_of(const Findings& findings, std::string_view authserv_id);

/// One check told to people: `spf`, then `pass for anna@example.com: example.com ip4:192.0.2.0/24`, and what was asked for it.
struct FindingLine {
    std::string what;
    std::string detail;
};
/// Every check in the order they are made; of DKIM one for each signature.
[[nodiscard]] std::vector<FindingLine> tell(const Findings& findings);
/// Those that need no message.
[[nodiscard]] std::vector<FindingLine> tell(const MessageOrigin& asked, const OriginFindings& origin);

}  // namespace thurn::mailauth
