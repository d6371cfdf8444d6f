#pragma once

#include "base/result.h"
#include "mailauth/arc_seal.h"
#include "mailauth/dkim_canonical.h"
#include "mailauth/dkim_message.h"
#include "mailauth/dkim_sign.h"
#include "mailauth/signing_key.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace thurn::mailauth {

/// The keys we sign with, and for whom.
///
/// Choice   The keys of the author's own domain; else of the nearest domain above it that has some, which relaxed alignment takes as well;
///          else of the fallback domain, which signs for strangers to DMARC. Of several keys each signs. Those of the third party sign
///          besides, whoever the author is (RFC 6376 §1.1: the signer need not be the author).
/// Threads  Immutable; shared by all.
class Signatory {
public:
    struct Options {
        std::vector<SigningKey> keys;
        std::string fallback_domain;                     // signs what no other key is for; empty: nobody does
        std::optional<std::chrono::seconds> lifetime{};  // of signatures
        std::string third_party_domain{};                // signs everything besides; empty: nobody does
    };
    explicit Signatory(Options options);

    /// Those that sign now for an author of that domain; views into this object.
    [[nodiscard]] std::vector<const SigningKey*> keys_for(std::string_view author_domain, base::Time now) const;
    /// Whose key seals for the domain: one seal, RSA, which everybody can check (RFC 8617 §4.1.1 takes DKIM's algorithms), if there is such a
    /// key; null where there is none.
    [[nodiscard]] const SigningKey* sealing_key(std::string_view domain, base::Time now) const;
    /// Why keys_for() is empty, for people.
    [[nodiscard]] std::string why_unsigned(std::string_view author_domain, base::Time now) const;
    /// Whether it signs now or not; null where there is none.
    [[nodiscard]] const SigningKey* find_key(std::string_view domain, std::string_view selector) const;
    [[nodiscard]] std::optional<std::chrono::seconds> lifetime() const { return lifetime_; }

private:
    [[nodiscard]] std::vector<const SigningKey*> keys_of(std::string_view domain, base::Time now) const;
    [[nodiscard]] std::vector<const SigningKey*> keys_of_author(std::string_view domain, base::Time now) const;
    std::map<std::string, std::vector<SigningKey>, std::less<>> by_domain_;
    std::string fallback_domain_;
    std::string third_party_domain_;
    std::optional<std::chrono::seconds> lifetime_;
};

/// Signs one message that passes through, with all keys for its author.
///
/// Loop     Make it with the header as it will be sent; feed() the body; finish() once.
/// Threads  One. Does not copy or move.
class MessageSigning {
public:
    /// `signatory` is kept alive. `header` with its empty line.
    MessageSigning(std::shared_ptr<const Signatory> signatory, std::string header, base::Time now);
    MessageSigning(const MessageSigning&) = delete;
    MessageSigning& operator=(const MessageSigning&) = delete;

    void feed(std::string_view octets) { body_.feed(octets); }
    /// The DKIM-Signature fields, to stand above the header; empty without a key for this author.
    /// Errors   As DkimSigner::sign().
    [[nodiscard]] base::Result<std::string> finish();
    /// With which keys, `d=example.com s=s1 a=rsa-sha256, …`; empty where there are none.
    [[nodiscard]] const std::string& keys() const { return keys_; }
    /// Why there are none, for people.
    [[nodiscard]] const std::string& reason() const { return reason_; }

private:
    std::shared_ptr<const Signatory> signatory_;
    MessageHeader header_;
    BodyHasher body_;
    std::vector<DkimSigner> signers_;
    std::string keys_;
    std::string reason_;
};

/// Likewise of a whole message, for those we write.
[[nodiscard]] base::Result<std::string> sign_message(const std::shared_ptr<const Signatory>& signatory, std::string_view message,
                                                     base::Time now);

}  // namespace thurn::mailauth
