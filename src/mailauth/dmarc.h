#pragma once

#include "dns/dns.h"
#include "mailauth/dmarc_record.h"
#include "mailauth/public_suffix.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace thurn::mailauth {

/// RFC 8601 §2.7.7, RFC 9989 §9.2.
enum class DmarcResult { none, pass, fail, temperror, permerror };
[[nodiscard]] std::string_view dmarc_result_name(DmarcResult result);

/// A domain that SPF or DKIM spoke of.
struct AuthenticatedDomain {
    enum class Standing { passed, temperror };  // others need not be named: they cannot make DMARC pass
    std::string domain;
    Standing standing = Standing::passed;
};

/// Shape   Domains in any case, A-labels or U-labels.
struct DmarcRequest {
    std::string author_domain;
    std::vector<AuthenticatedDomain> spf{};   // of MAIL FROM, or of HELO if that was null
    std::vector<AuthenticatedDomain> dkim{};  // `d=` of each signature
};

/// Shape   `domain`: the one that is aligned and passed, empty if there is none.
struct DmarcAligned {
    std::string domain{};
    DmarcAlignment mode = DmarcAlignment::relaxed;
};

/// Which of a record's policies is the one for the Author Domain.
enum class DmarcPolicySource { p, sp, np };

/// Shape   `record`, `policy_domain` and what follows from them are set unless the result is `none`, `permerror` or the policy could not be
///         looked up.
struct DmarcVerdict {
    DmarcResult result = DmarcResult::none;
    std::string author_domain{};
    std::string policy_domain{};          // where the record is
    std::string organizational_domain{};  // of the author; empty if it was not needed
    std::optional<DmarcRecord> record{};
    DmarcPolicySource source = DmarcPolicySource::p;
    DmarcPolicy policy = DmarcPolicy::none;       // what the domain asks for, `t` counted
    DmarcPolicy disposition = DmarcPolicy::none;  // `policy` if the result is fail
    DmarcAligned spf{};
    DmarcAligned dkim{};
    std::string reason{};  // for people and the trace
};

/// Finds the policy and judges alignment, without I/O (RFC 9989).
///
/// Loop       questions() gives what must be asked now; answer each; repeat until done().
/// Discovery  By the tree walk (§4.10), or by the public suffix list if one is given, as RFC 7489 §6.6.3 had it.
/// Limits     Eight queries for each walk; no walk for a domain that can share none with the author, or need not.
/// Errors     An answer that is needed and cannot be had is temperror, and so is a fail that a temperror of SPF or DKIM may have caused. The
///            top-level domain's answer is not needed once a record was found below it.
class DmarcCheck {
public:
    /// `suffixes` must outlive it, if given.
    explicit DmarcCheck(DmarcRequest request, const PublicSuffixList* suffixes = nullptr);
    [[nodiscard]] std::vector<dns::Question> questions() const;
    void answer(const dns::Question& question, const dns::Answer& answer);
    [[nodiscard]] bool done() const;
    [[nodiscard]] DmarcVerdict take();  // Precondition: done()
    ~DmarcCheck();
    DmarcCheck(DmarcCheck&&) noexcept;
    DmarcCheck& operator=(DmarcCheck&&) noexcept;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace thurn::mailauth
