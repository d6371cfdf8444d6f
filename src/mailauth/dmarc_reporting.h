#pragma once

#include "base/clock.h"
#include "dns/dns.h"
#include "mail/mailbox.h"
#include "mailauth/public_suffix.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace thurn::mailauth {

// Where the reports of a domain go, and when (RFC 9990 §3.5, §4).

/// The addresses of `mailto:` URIs, each once; other URIs are left out.
/// Limits   The first five.
[[nodiscard]] std::vector<mail::Mailbox> find_report_destinations(const std::vector<std::string>& uris);

/// When the report of a UTC day is to be sent: within four hours from a quarter past the midnight that ends it, each domain at a time of
/// its own, so that they do not all come at once.
[[nodiscard]] base::Time report_due(std::chrono::sys_days day, std::string_view domain);

/// By which tag destinations are named: `rua`, or `ruf`.
enum class ReportKind { aggregate, failure };

/// Whether somebody wants reports about a domain.
struct ReportConsent {
    enum class Kind {
        own,      // he belongs to the domain
        given,    // he says so in DNS
        refused,  // he does not
        unknown,  // DNS does not answer
    };
    Kind kind = Kind::unknown;
    std::vector<mail::Mailbox> instead{};  // of `given`: where he wants them to be sent, if it is elsewhere at the same host
    std::string reason{};                  // for people
};

/// Finds out, without I/O, whether reports about `domain` may go to `host`: without asking, anybody could have floods of reports sent to
/// anybody (RFC 9990 §4).
///
/// Loop     As DmarcCheck.
class ReportConsentCheck {
public:
    /// `domain`: where the policy was found. `suffixes` must outlive it, if given.
    ReportConsentCheck(std::string_view domain, std::string_view host, const PublicSuffixList* suffixes = nullptr,
                       ReportKind kind = ReportKind::aggregate);
    [[nodiscard]] std::vector<dns::Question> questions() const;
    void answer(const dns::Question& question, const dns::Answer& answer);
    [[nodiscard]] bool done() const;
    [[nodiscard]] ReportConsent take();  // Precondition: done()
    ~ReportConsentCheck();
    ReportConsentCheck(ReportConsentCheck&&) noexcept;
    ReportConsentCheck& operator=(ReportConsentCheck&&) noexcept;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace thurn::mailauth
