#pragma once

#include "base/octets.h"
#include "base/result.h"
#include "delivery/parcel.h"
#include "mail/convert.h"
#include "mailauth/signatory.h"
#include "smtp/client_session.h"
#include "spool/message.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace thurn::delivery {

/// What is known of a host when it is to be given a message.
struct HostFacts {
    const smtp::Extensions& offered;
    const std::string& name;  // as Attempt has it
    bool verified = false;    // under TLS, by a certificate that was checked as its domain or our configuration asks
    base::Time now{};
};

/// Why this host cannot be given the message, as known beforehand: its size, addresses or a header in UTF-8, REQUIRETLS, a time that cannot
/// be kept (RFC 1870, RFC 6531 §3.2, RFC 8689 §4.2.1, RFC 2852 §4.1.4).
[[nodiscard]] std::optional<RecipientOutcome> refusal(const Parcel& parcel, const HostFacts& host);

/// Whether the originator is to be told that the message was handed on, as nobody there keeps its time, or as it asked (RFC 2852 §4.1.4).
[[nodiscard]] bool relaying_is_told(const spool::Wishes& wishes, const smtp::Extensions& offered);

/// To what a content must be converted before this host can have it; nothing when it goes as it is (RFC 6152 §3, RFC 3030 §3).
[[nodiscard]] std::optional<mail::Passage> conversion_for(mail::BodyType body, const smtp::Extensions& offered);

/// Larger contents are not converted: it is done in memory.
inline constexpr base::Octets kMostConverted = base::mebibytes(32);

/// The content in that form.
/// Errors   `invalid`, `syntax`, `too_long`: it cannot be converted, as mail::convert() says; `disk`, `corrupt`: it cannot be read.
/// Threads  Reads and computes: belongs on the blocking pool.
[[nodiscard]] base::Result<std::shared_ptr<const spool::Content>> convert_content(const spool::Content& content, mail::Passage passage);

/// Signatures and the seal of ours in a content that was converted are made anew; `signatory` may be null. What cannot be signed goes as it is.
/// Threads  Computes: belongs on the blocking pool.
[[nodiscard]] std::shared_ptr<const spool::Content> sign_converted(const spool::Content& original,
                                                                   std::shared_ptr<const spool::Content> converted,
                                                                   const std::shared_ptr<const mailauth::Signatory>& signatory,
                                                                   base::Time now);

/// The envelope for the recipients at these positions of `parcel.recipients`, with all that the originator asked for. Precondition: there are
/// some, and they share a sender.
[[nodiscard]] smtp::Transaction make_transaction(const Parcel& parcel, const std::vector<std::size_t>& open, base::Time now);

}  // namespace thurn::delivery
