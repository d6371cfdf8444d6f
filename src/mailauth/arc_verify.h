#pragma once

#include "dns/dns.h"
#include "mailauth/arc_set.h"
#include "mailauth/dkim_canonical.h"
#include "mailauth/dkim_check.h"
#include "mailauth/dkim_message.h"
#include "mailauth/dkim_signature.h"

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace thurn::mailauth {

/// `cv=` and what `arc=` of Authentication-Results says (RFC 8617 §4.4).
enum class ArcResult { none, pass, fail };
[[nodiscard]] std::string_view name_of(ArcResult result);

/// One link of a chain.
struct ArcLink {
    std::string domain;                  // d= of its seal: who vouches
    std::string selector;                // s= of its seal
    std::string authentication_results;  // what it saw: the field behind `i=…;`, still folded
};

/// What a message's chain is worth.
///
/// Shape    `links` hold instance 1 first; empty unless the whole chain could be read. `instance` is the highest one named, even then.
struct ArcVerdict {
    ArcResult result = ArcResult::none;
    std::string reason{};  // for people; empty for none and pass
    unsigned instance = 0;
    unsigned oldest_pass = 0;  // RFC 8617 §5.2: 0 when all message signatures still verify, else the oldest from which on they do
    bool ended = false;        // the newest seal says cv=fail: nobody may add to it
    std::vector<ArcLink> links{};
};

struct ArcVerifyOptions {
    std::chrono::seconds now{0};  // since 1970
    SignaturePolicy policy{};
};

/// Validates the Authenticated Received Chain of one message, without I/O (RFC 8617 §5.2).
///
/// Loop      As DkimVerifier.
/// Failures  Are permanent, those of DNS too (§5.2.1).
/// Limits    50 sets, so at most 100 questions.
class ArcVerifier {
public:
    /// Precondition: `header` and `hasher` outlive it; the hasher has seen no body yet.
    ArcVerifier(const MessageHeader& header, BodyHasher& hasher, ArcVerifyOptions options);
    [[nodiscard]] std::vector<dns::Question> questions() const;
    void answer(const dns::Question& question, const dns::Answer& answer);
    [[nodiscard]] bool done() const;
    [[nodiscard]] ArcVerdict take();  // Precondition: done()

private:
    struct Link {
        ArcSet set;
        Signature message;
        Signature seal;
    };
    base::Result<void> read_chain();
    base::Result<void> read_links(const std::vector<ArcSet>& sets);
    base::Result<Link> read_link(const ArcSet& set, unsigned instance) const;
    void fail(std::string reason);
    [[nodiscard]] std::string check_message(const Link& link) const;
    [[nodiscard]] std::string check_seal(std::size_t index) const;
    [[nodiscard]] std::string check(const Signature& signature, std::string_view digest) const;
    [[nodiscard]] unsigned find_oldest_pass() const;

    const MessageHeader& header_;
    const BodyHasher& hasher_;
    ArcVerifyOptions options_;
    ArcVerdict verdict_;
    std::vector<Link> links_;
    std::map<std::string, std::optional<dns::Answer>> keys_;
};

}  // namespace thurn::mailauth
