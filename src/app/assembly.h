#pragma once

#include "config/config.h"
#include "delivery/dispatcher.h"
#include "directory/resolve.h"
#include "inbound/service.h"
#include "net/tls.h"

#include <memory>
#include <vector>

namespace thurn::app {

// From the configuration to each module's options: pure but for own_addresses().

[[nodiscard]] std::shared_ptr<const inbound::Options> inbound_options(const config::Config& config,
                                                                      std::shared_ptr<const inbound::AuthenticationOptions> authentication,
                                                                      std::shared_ptr<const mailauth::SenderRewriting> rewriting,
                                                                      std::shared_ptr<const policy::Countries> countries);
[[nodiscard]] inbound::ListenerProfile listener_profile(const config::ListenerConfig& listener);
[[nodiscard]] std::shared_ptr<const delivery::DispatcherOptions> dispatcher_options(
    const config::Config& config, std::shared_ptr<const mailauth::Signatory> signatory,
    std::shared_ptr<const mailauth::SenderRewriting> rewriting);
[[nodiscard]] delivery::SiteFinder::Options site_options(const config::Config& config);
[[nodiscard]] directory::ResolveOptions resolve_options(const config::Config& config);
/// The configured pairs, or the place of the self-signed one. Never empty.
[[nodiscard]] std::vector<net::CertificateFiles> certificate_files(const config::Config& config);
[[nodiscard]] bool self_signed_wanted(const config::Config& config);
[[nodiscard]] bool any_tls(const config::Config& config);

}  // namespace thurn::app
