#pragma once

#include "base/clock.h"
#include "dns/ip_address.h"
#include "mailauth/spf_record.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace thurn::mailauth {

/// What is checked: whether `client` may use `domain`.
/// Shape    Made by spf_mail_from() or spf_helo(). Texts are as the client sent them.
struct SpfRequest {
    dns::IpAddress client;
    std::string local_part;
    std::string domain;
    std::string helo;
    std::string receiver = "unknown";  // our host name, for explanations that name it
    base::Time now{};                  // likewise
};
/// The MAIL FROM identity: `reverse_path` without brackets; of a null path, and of one without a local part, `postmaster@` (RFC 7208 §2.4,
/// §4.3).
[[nodiscard]] SpfRequest spf_mail_from(const dns::IpAddress& client, std::string_view helo, std::string_view reverse_path);
/// The HELO identity (RFC 7208 §2.3).
[[nodiscard]] SpfRequest spf_helo(const dns::IpAddress& client, std::string_view helo);

/// A term that was decisive, and the domain whose record has it.
struct SpfStep {
    std::string domain;
    std::string term;  // as written
    friend bool operator==(const SpfStep&, const SpfStep&) = default;
};

/// Shape   `path` leads from the domain asked about to what decided: each but the last is an `include:` or `redirect=`. Empty where no
///         record was found; the last `term` is empty where no mechanism matched or the record could not be read.
struct SpfVerdict {
    SpfResult result = SpfResult::none;
    std::string domain;  // the one that was checked
    std::vector<SpfStep> path;
    std::string explanation;  // the domain's own words for a fail, visible US-ASCII; a stranger's text
    std::string detail;       // why, for people and the trace
    unsigned lookups = 0;     // terms that asked DNS, at most 10 and the one too many
};

/// Evaluates SPF, without I/O (RFC 7208 §4 check_host()).
///
/// Loop     questions() gives what must be asked now (may be several, in parallel); answer each; repeat until done().
/// Limits   10 terms that ask DNS, 2 of them void, 10 hosts of an `mx` are permerror beyond that; 10 names of a `ptr` or `%{p}`, the rest
///          ignored (RFC 7208 §4.6.4). How long it may take is the driver's affair; 20 seconds and more are asked for there.
/// Choices  A void look-up is counted once for a term, by its own question, so an MX host without an address of the client's family is
///          none. A name that cannot exist (empty or too long label) does not match, as if it were not in DNS. `include` and `redirect` of
///          a domain without a record are permerror.
class SpfCheck {
public:
    explicit SpfCheck(SpfRequest request);
    [[nodiscard]] std::vector<dns::Question> questions() const;
    void answer(const dns::Question& question, const dns::Answer& answer);
    [[nodiscard]] bool done() const;
    [[nodiscard]] SpfVerdict take();  // Precondition: done()
    ~SpfCheck();
    SpfCheck(SpfCheck&&) noexcept;
    SpfCheck& operator=(SpfCheck&&) noexcept;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace thurn::mailauth
