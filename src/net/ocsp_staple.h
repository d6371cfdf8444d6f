#pragma once

#include "base/result.h"
#include "net/pem.h"

#include <ctime>
#include <filesystem>
#include <string>

namespace thurn::net {

/// What the issuer says of a certificate's revocation, to be stapled to handshakes (RFC 6066 §8, RFC 6960 §4.2).
/// Shape    `der` is an OCSPResponse. `next_update` 0: newer information is to be had at any time, the response does not say when.
struct OcspStaple {
    std::string der;
    std::time_t next_update = 0;
    [[nodiscard]] bool current(std::time_t now) const { return next_update == 0 || now < next_update; }
};

/// Errors   As load_small_file(); `invalid`: no response, one that is no success, or none about `certificate`. Names the file. That its
///          signature is right is for the client to find out.
[[nodiscard]] base::Result<OcspStaple> load_ocsp_staple(const std::filesystem::path& path, X509* certificate);

}  // namespace thurn::net
