#include "policy/recipient_rule.h"

#include <algorithm>
#include <utility>

namespace thurn::policy {
namespace {

using Kind = Decision::Kind;

Decision accept(std::string rule, std::string reason) {
    return {.kind = Kind::accept, .rule = std::move(rule), .reason = std::move(reason), .code = 250, .status = {2, 1, 5}, .text = "OK"};
}

Decision unknown_recipient() {
    return {.kind = Kind::reject,
            .rule = "local-recipient",
            .reason = "the domain is ours, the address is nobody's",
            .code = 550,
            .status = {5, 1, 1},
            .text = "no such mailbox here"};
}

Decision relaying_denied(std::string reason) {
    return {.kind = Kind::reject,
            .rule = std::string(kRelayRule),
            .reason = std::move(reason),
            .code = 550,
            .status = {5, 7, 1},
            .text = "relaying denied"};
}

const Network* find_network(const std::vector<Network>& networks, std::string_view address) {
    const auto found = std::ranges::find_if(networks, [&](const Network& network) { return network.contains(address); });
    return found == networks.end() ? nullptr : &*found;
}

}  // namespace

Decision refuse_without_login() {
    return {.kind = Kind::reject,
            .rule = "authentication-required",
            .reason = "a submission port serves logins only",
            .code = 530,  // RFC 4954 §6
            .status = {5, 7, 0},
            .text = "authentication required"};
}

Decision decide_recipient(const Facts& facts, const directory::Resolution& resolution, bool relayed,
                          const std::vector<Network>& relay_networks) {
    if (facts.role == Role::submission && facts.login.empty()) return refuse_without_login();
    if (std::holds_alternative<directory::UnknownUser>(resolution)) return unknown_recipient();
    if (!std::holds_alternative<directory::NotLocal>(resolution)) return accept("local-recipient", "the address is ours");
    if (facts.role == Role::lmtp) return relaying_denied("the domain is not ours, and LMTP is for mailboxes that are (RFC 2033 §1)");
    if (!facts.login.empty()) return accept("authenticated", "logged in as " + facts.login);
    if (relayed) return accept("relay.domains", "we relay for this domain");
    if (const Network* network = find_network(relay_networks, facts.client_address))
        return accept("relay.networks", facts.client_address + " is in " + network->text());
    return relaying_denied("the domain is not ours, and " + facts.client_address + " is neither logged in nor in relay.networks");
}

std::string_view recipient_kind(const directory::Resolution& resolution, bool relayed) {
    if (std::holds_alternative<directory::NotLocal>(resolution)) return relayed ? "relayed" : "foreign";
    if (std::holds_alternative<directory::UnknownUser>(resolution)) return "unknown";
    return std::holds_alternative<directory::AliasFor>(resolution) ? "alias" : "account";
}

}  // namespace thurn::policy
