#pragma once

#include "base/result.h"
#include "dns/dns.h"
#include "mailauth/dkim_crypto.h"

#include <string>
#include <string_view>
#include <vector>

namespace thurn::mailauth {

/// A key record: the TXT at `selector._domainkey.domain`.
///
/// Shape    `key` is decoded, and empty when the key was revoked.
/// Source   RFC 6376 §3.6.1, RFC 8463 §4.
struct DkimKeyRecord {
    KeyType type = KeyType::rsa;
    std::string key;
    bool testing = false;  // t=y: the domain is trying DKIM out
    bool strict = false;   // t=s: i= must have the very domain of d=
    [[nodiscard]] bool revoked() const { return key.empty(); }
};

/// Errors   `syntax`: no tag list, or p= missing or not base64, or another version. `invalid`: a key of an unknown kind, or not for mail
///          (s=), or not for SHA-256 (h=).
[[nodiscard]] base::Result<DkimKeyRecord> parse_dkim_key_record(std::string_view text);

/// What a TXT record says for the key: `v=DKIM1; k=rsa; p=…`.
[[nodiscard]] std::string render_dkim_key_record(const PrivateKey& key);
/// The strings of a TXT record, each of at most 255 octets.
[[nodiscard]] std::vector<std::string_view> split_record(std::string_view text);
/// A line of a zone file, the text split into strings of at most 255 octets (RFC 1035 §3.3.14, RFC 6376 §3.6.2.2). `name` without the
/// trailing dot.
[[nodiscard]] std::string render_dkim_zone_line(std::string_view name, std::string_view text);

}  // namespace thurn::mailauth
