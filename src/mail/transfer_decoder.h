#pragma once

#include "mail/mime.h"

#include <string>
#include <string_view>

namespace thurn::mail {

/// Undoes a transfer encoding piece by piece, the way programs do that show mail: what is no base64 is passed over, a wrong `=` stands for itself.
///
/// Shape    feed() any split of the octets, finish() at their end: both append to `into`, the same whatever the split.
/// Limits   Linear; keeps less than 100 octets. What comes out is no longer than what went in.
/// Source   RFC 2045 §6.7, §6.8 ("all other characters must be ignored by decoding software"). Padding ends a group, not the text: some stop
///          there, others read on, and who looks for what is hidden reads on.
class TransferDecoder {
public:
    explicit TransferDecoder(TransferEncoding encoding) : encoding_(encoding) {}
    void feed(std::string_view octets, std::string& into);
    void finish(std::string& into);
    /// Nothing is to be undone: what is fed comes out as it is.
    [[nodiscard]] bool is_identity() const {
        return encoding_ != TransferEncoding::base64 && encoding_ != TransferEncoding::quoted_printable;
    }

private:
    void feed_base64(std::string_view octets, std::string& into);
    void end_group(std::string& into);
    void feed_quoted(std::string_view octets, std::string& into);
    void resolve(char c, std::string& into);

    TransferEncoding encoding_;
    unsigned bits_ = 0;
    unsigned digits_ = 0;  // of the group
    std::string held_;     // from a `=` on whose meaning is open
};

[[nodiscard]] std::string decode_transfer(TransferEncoding encoding, std::string_view octets);

}  // namespace thurn::mail
