#pragma once

#include "base/result.h"
#include "mailauth/arc_verify.h"
#include "mailauth/dkim_canonical.h"
#include "mailauth/dkim_crypto.h"
#include "mailauth/dkim_message.h"
#include "mailauth/dkim_sign.h"

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace thurn::mailauth {

/// What an ARC-Message-Signature of ours covers: as DKIM, and the DKIM-Signature fields (RFC 8617 §4.1.2).
[[nodiscard]] std::vector<std::string> default_arc_fields();

struct ArcSealOptions {
    std::string domain;
    std::string selector;
    std::chrono::seconds now{0};  // since 1970
    std::vector<std::string> fields = default_arc_fields();
    std::vector<std::string> oversigned = {"from"};
};

/// Adds our set to a message's chain (RFC 8617 §5.1).
///
/// Loop     Make it with the header as it will be sent, and a hasher that has seen no body yet; when the hasher has finished and the chain was
///          validated, seal().
class ArcSealer {
public:
    /// Precondition: `header`, `key` and `hasher` outlive it.
    ArcSealer(const MessageHeader& header, const PrivateKey& key, BodyHasher& hasher, ArcSealOptions options);
    /// The three fields, folded, with their CRLF; they belong above the header. A chain that failed is sealed as failed, once.
    /// `results`: what we saw, `arc=` of the chain among it, as render_authentication_results() gives it.
    /// Errors   `invalid`: the chain has ended, or has 50 sets; else as DkimSigner.
    [[nodiscard]] base::Result<std::string> seal(const ArcVerdict& chain, std::string_view results) const;

private:
    [[nodiscard]] std::string render_message_signature(unsigned instance, const std::string& domain, const std::string& selector) const;
    [[nodiscard]] std::string render_seal(unsigned instance, const std::string& domain, const std::string& selector, ArcResult chain,
                                          std::string_view results, std::string_view message_signature) const;

    const MessageHeader& header_;
    const PrivateKey& key_;
    const BodyHasher& hasher_;
    ArcSealOptions options_;
};

}  // namespace thurn::mailauth
