#pragma once

#include "mailauth/arc_verify.h"
#include "mailauth/dkim_canonical.h"
#include "mailauth/dkim_message.h"
#include "mailauth/dkim_verify.h"
#include "mailauth/dmarc_author.h"
#include "mailauth/lookup.h"

#include <string>
#include <string_view>
#include <vector>

namespace thurn::mailauth {

struct SignatureFindings {
    std::vector<DkimVerdict> dkim;  // in the order of the fields
    ArcVerdict arc;
    Author author;
    std::vector<Lookup> lookups;
};

/// All that a message's signatures say: DKIM, ARC, and who its author claims to be. One pass over the body, hashed as it comes.
///
/// Loop     Make it when the header is whole; answer questions() while the body is fed; finish(); when done(), take().
/// Threads  One. Does not copy or move: its parts refer to each other.
class SignatureCheck {
public:
    /// `header` with its empty line.
    SignatureCheck(std::string header, const DkimVerifyOptions& options);
    SignatureCheck(const SignatureCheck&) = delete;
    SignatureCheck& operator=(const SignatureCheck&) = delete;

    /// For who seals what was checked: both outlive the sealer; it must be made before the first feed().
    [[nodiscard]] const MessageHeader& header() const { return header_; }
    [[nodiscard]] BodyHasher& body() { return body_; }

    void feed(std::string_view octets) { body_.feed(octets); }
    void finish() { body_.finish(); }
    [[nodiscard]] std::vector<dns::Question> questions() const;  // each once
    void answer(const dns::Question& question, const dns::Answer& answer);
    [[nodiscard]] bool done() const;
    [[nodiscard]] SignatureFindings take();  // Precondition: done()

private:
    MessageHeader header_;
    BodyHasher body_;
    DkimVerifier dkim_;
    ArcVerifier arc_;
    LookupLog lookups_;
};

}  // namespace thurn::mailauth
