#pragma once

#include "dns/dns.h"
#include "mailauth/dkim_canonical.h"
#include "mailauth/dkim_check.h"
#include "mailauth/dkim_message.h"
#include "mailauth/dkim_signature.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace thurn::mailauth {

/// What one DKIM-Signature is worth.
///
/// Shape    `domain`, `selector` and `algorithm` are empty where the field does not say them properly. Only a `pass` makes `domain`
///          responsible for the message.
struct DkimVerdict {
    DkimResult result = DkimResult::neutral;
    std::string reason{};  // for people; of a pass what is weak about it, mostly nothing
    std::string domain{};
    std::string selector{};
    std::string algorithm{};
    std::string identity{};  // i=
    std::string b_prefix{};  // the first 8 characters of b=: which signature it is (RFC 6008)
    std::size_t key_bits = 0;
    bool testing = false;                          // the key has t=y
    bool body_changed = false;                     // the body hash did not verify
    std::optional<std::uint64_t> signed_octets{};  // l=, where given
    std::uint64_t unsigned_octets = 0;             // of the body, behind l=
};

struct DkimVerifyOptions {
    std::chrono::seconds now{0};  // since 1970
    SignaturePolicy policy{};
    std::size_t max_signatures = 10;
};

/// Verifies the DKIM signatures of one message, without I/O (RFC 6376 §6, RFC 8301, RFC 8463).
///
/// Loop       Make it with the header and a hasher that has seen no body yet; answer questions() while the body arrives; when the hasher
///            has finished and questions() is empty, done(): take() verifies.
/// Order      Verdicts in the order of the fields, top to bottom.
/// Partial    A signature that leaves the end of the body out (l=) gives `policy`, for whoever passed the message on could write there. So
///            does one that leaves out a From field that is there (RFC 6376 §8.15).
/// Malformed  A signature that cannot be read, and each one of a header with a line that is no field, gives `permerror`, never nothing.
/// Limits     The first `max_signatures` are looked at; one more verdict, `neutral`, stands for all others.
class DkimVerifier {
public:
    /// Precondition: `header` and `hasher` outlive it.
    DkimVerifier(const MessageHeader& header, BodyHasher& hasher, DkimVerifyOptions options);
    [[nodiscard]] std::vector<dns::Question> questions() const;
    void answer(const dns::Question& question, const dns::Answer& answer);
    [[nodiscard]] bool done() const;
    [[nodiscard]] std::vector<DkimVerdict> take();  // Precondition: done()

private:
    struct Candidate {
        std::size_t field;
        std::optional<Signature> signature;  // absent: the verdict stands
        DkimVerdict verdict;
    };
    Candidate read(std::size_t field) const;
    void judge(Candidate& candidate) const;
    DkimResult check_body(const Signature& signature, DkimVerdict& verdict) const;
    [[nodiscard]] bool leaves_from_out(const Signature& signature) const;

    const MessageHeader& header_;
    const BodyHasher& hasher_;
    DkimVerifyOptions options_;
    std::vector<Candidate> candidates_;
    std::size_t left_out_ = 0;
    std::map<std::string, std::optional<dns::Answer>> keys_;  // by name; those without answer are asked
};

/// The best of them: pass, else the one that leaves most hope; `none` where there are none.
[[nodiscard]] DkimResult best_of(const std::vector<DkimVerdict>& verdicts);

}  // namespace thurn::mailauth
