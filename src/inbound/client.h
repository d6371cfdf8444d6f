#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace thurn::inbound {

inline constexpr std::string_view kCertificateVerified = ", client certificate verified";

/// Who talks to us, as far as we know by now: what decisions, trace and log go by.
struct Client {
    std::string session{};   // `s42`
    std::string listener{};  // mx, submission, …
    std::string address{};   // an IPv4-mapped one as IPv4
    std::string network{};   // whom it stands for, see client_network()
    std::uint16_t port = 0;
    std::string helo{};       // told by XCLIENT, in place of what the session heard
    std::string name{};       // verified reverse name, once known
    std::string tls{};        // `TLSv1.3 with TLS_AES_256_GCM_SHA384`, and kCertificateVerified
    std::string login{};      // empty without AUTH
    std::string mechanism{};  // that it logged in by
};

}  // namespace thurn::inbound
