#pragma once

#include "base/result.h"
#include "directory/directory.h"
#include "mail/mailbox.h"
#include "mail/status.h"

#include <string>
#include <vector>

namespace thurn::policy {

/// What was decided, by which rule, and why: for the reply, the log and the trace.
struct Decision {
    enum class Kind { accept, defer, reject } kind = Kind::accept;
    std::string rule;          // `relay.networks`, `local-recipient`, `sender-ownership`, …
    std::string reason;        // for the trace
    std::uint16_t code = 250;  // for a refusal: 4yz or 5yz
    mail::EnhancedStatus status;
    std::string text;  // of the reply
};

inline constexpr std::string_view kRelayRule = "relay";  // of the Decision that refuses to send on a stranger's mail

enum class Role { mx, submission, lmtp };

/// An address range, `192.0.2.0/24` or `2001:db8::/32`; IPv4-mapped IPv6 addresses match IPv4 ranges.
class Network {
public:
    [[nodiscard]] bool contains(std::string_view address) const;
    [[nodiscard]] bool is_everyone() const;  // so wide that it would relay for the internet: /0, or together with others
    [[nodiscard]] const std::string& text() const { return text_; }

private:
    friend base::Result<Network> parse_network(std::string_view text);
    friend bool covers_everyone(const std::vector<Network>& networks);
    std::string text_;
    std::string prefix_;  // 16 octets, IPv4 mapped
    unsigned bits_ = 0;
};
/// Without `/`, one address.
/// Errors   `syntax`; `invalid`: bits are set behind the prefix, and which network was perhaps meant.
[[nodiscard]] base::Result<Network> parse_network(std::string_view text);
/// Whether these networks together hold all public addresses of IPv4 or of IPv6 (0.0.0.0/1 with 128.0.0.0/1 does, and 2000::/3).
[[nodiscard]] bool covers_everyone(const std::vector<Network>& networks);

/// Whom an address stands for where clients are counted: an IPv4 address for itself, an IPv6 address for its /64, since whoever has one of
/// those has all of them (RFC 6177 §2). What is no address stands for itself.
[[nodiscard]] std::string client_network(std::string_view address);
/// What it shares with its neighbours: `192.0.2.0/24`, `2001:db8:1:2::/64`. What is no address stands for itself.
[[nodiscard]] std::string client_subnet(std::string_view address);

/// What is known when a sender or recipient is given.
struct Facts {
    Role role = Role::mx;
    std::string client_address;
    std::string login;  // empty without AUTH
};

/// 530 5.7.0, RFC 4954 §6: a submission port serves logins only.
[[nodiscard]] Decision refuse_without_login();

/// RCPT: the relay rule of DESIGN §7, not configurable away, and recipients nobody has (550 5.1.1). LMTP is for our own recipients only.
/// `relayed`: the domain is one of relay.domains.
[[nodiscard]] Decision decide_recipient(const Facts& facts, const directory::Resolution& resolution, bool relayed,
                                        const std::vector<Network>& relay_networks);

/// `account`, `alias`, `unknown`, `relayed` or `foreign`: the fact recipient.kind.
[[nodiscard]] std::string_view recipient_kind(const directory::Resolution& resolution, bool relayed);

}  // namespace thurn::policy
