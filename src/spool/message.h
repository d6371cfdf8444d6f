#pragma once

#include "base/clock.h"
#include "base/message_id.h"
#include "base/octets.h"
#include "base/result.h"
#include "mail/mailbox.h"
#include "mail/parameters.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace thurn::spool {

/// Where one recipient of a stored message stands.
enum class Standing : std::uint8_t {
    waiting,    // to be tried at `due`
    in_doubt,   // an attempt had reached the final dot when the record was written; counts as waiting after a crash
    held,       // not tried until released
    delivered,  // final: handed to a mailbox or a next hop
    failed,     // final: bounced, or given up from the null path
    expanded,   // final: an alias, replaced by other recipients of this message
    deleted,    // final: removed by the operator
};
[[nodiscard]] constexpr bool is_final(Standing standing) { return standing >= Standing::delivered; }

/// Shape    `last_status` is a remote reply or our own reason, one line, at most 512 octets.
struct RecipientState {
    Standing standing = Standing::waiting;
    std::uint32_t attempts = 0;
    base::Time due{};
    std::string last_status;
    std::string site;  // where it was last routed to, for listings; may be empty
    friend bool operator==(const RecipientState&, const RecipientState&) = default;
};

/// Shape    `mailbox` is where it goes; `original` is what the originator wrote, when an alias led here, else empty. `orcpt` is `type;address`,
///          decoded (RFC 3461 §4.2), or empty.
/// Limits   At most 127 expansions.
struct Recipient {
    mail::Mailbox mailbox;
    std::string original;
    std::uint8_t expansions = 0;  // how many aliases led here; a bound on alias loops
    mail::Notify notify{};
    std::string orcpt{};
    RecipientState state;
    friend bool operator==(const Recipient&, const Recipient&) = default;
};

/// Until when it has to be delivered, and what then (RFC 2852): given back, or reported and tried further.
struct DeliverBy {
    base::Time deadline{};
    enum class After : std::uint8_t { give_back, notify } after = After::give_back;
    bool trace = false;
    friend bool operator==(const DeliverBy&, const DeliverBy&) = default;
};

/// What the originator asked for besides; the default is nothing.
///
/// Shape    `envid` is decoded, at most 100 octets. `priority` is within -9 and 9.
struct Wishes {
    mail::ReturnContent ret = mail::ReturnContent::unspecified;
    std::string envid{};            // RFC 3461 §4.4
    bool smtputf8 = false;          // addresses or header are in UTF-8 (RFC 6531)
    bool require_tls = false;       // RFC 8689 §2
    bool tls_optional = false;      // `TLS-Required: No` (RFC 8689 §3)
    std::optional<int> priority{};  // RFC 6710
    std::optional<DeliverBy> deliver_by{};
    std::optional<base::Time> release{};  // not to be sent on before (RFC 4865)
    friend bool operator==(const Wishes&, const Wishes&) = default;
};

/// Everything about a message but its content.
struct Envelope {
    mail::ReversePath sender;
    std::vector<Recipient> recipients;
    mail::BodyType body = mail::BodyType::seven_bit;  // what the content holds
    Wishes wishes{};
    std::string login;   // who submitted it; empty without AUTH
    std::string client;  // address it came from; empty when made here
    bool junk = false;   // for the junk folders of our own mailboxes: our policy says so
    friend bool operator==(const Envelope&, const Envelope&) = default;
};

/// The content of one message, header and body, CRLF line ends, without dot-stuffing. Immutable.
///
/// Threads  Any. Implementations in memory do not block; those over a file do: read() belongs on the blocking pool unless in_memory().
class Content {
public:
    virtual ~Content() = default;
    [[nodiscard]] virtual base::Octets size() const = 0;
    /// All of it when it is held in memory, else nothing.
    [[nodiscard]] virtual std::optional<std::string_view> in_memory() const = 0;
    /// Fills `into` from `offset`; fewer octets only at the end.
    [[nodiscard]] virtual base::Result<std::size_t> read(std::uint64_t offset, std::span<char> into) const = 0;
};

/// A message that is on stable storage.
struct StoredMessage {
    base::MessageId id;
    Envelope envelope;
    std::shared_ptr<const Content> content;  // shared: couriers on several loops may carry it at once
};

/// When it could go on its way for the first time: what its lifetime counts from.
[[nodiscard]] inline base::Time first_due(const StoredMessage& message) {
    return std::max(message.id.time(), message.envelope.wishes.release.value_or(base::Time::min()));
}

/// One change to one recipient. `expansion`: only with Standing::expanded, the recipients that take its place (appended to the message).
struct RecipientUpdate {
    base::MessageId id;
    std::uint32_t index = 0;
    RecipientState state;
    std::vector<Recipient> expansion;
};

}  // namespace thurn::spool
