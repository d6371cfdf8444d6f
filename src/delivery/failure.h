#pragma once

#include "base/result.h"
#include "delivery/parcel.h"
#include "smtp/reply.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace thurn::delivery {

/// How far a conversation with a host had come.
enum class Stage {
    connecting,
    securing,  // TLS: the handshake, and EHLO under it
    opening,   // greeting, EHLO, AUTH
    envelope,
    content,  // the final dot has not left
    ending,   // the final dot has left: the host may have taken the message
};

/// Why a conversation came to nothing. `reply`: what the host said, if that was it.
struct Failure {
    Stage stage = Stage::connecting;
    base::Error error;
    std::optional<smtp::Reply> reply;
};

/// One line with a code and an enhanced status, at most kStatusLimit octets.
/// `host`: as Attempt has it.
[[nodiscard]] std::string describe_failure(const Failure& failure, std::string_view host);
/// What a failure means for recipients nobody will try elsewhere now. `remote_host`: who is to be named when the status is its own reply.
[[nodiscard]] RecipientOutcome outcome_of_failure(const Failure& failure, std::string_view host, const std::string& remote_host);
/// 2yz delivers, 5yz fails, all else defers.
[[nodiscard]] RecipientOutcome outcome_of_reply(const smtp::Reply& reply, const std::string& remote_host);
/// Whether a reply in the transaction only says that there were too many recipients in it, so that those left may be tried at once
/// (RFC 5321 §4.5.3.1.10, where 552 counts as 452 too).
[[nodiscard]] bool is_recipient_limit(const smtp::Reply& reply);
/// Whether a reply to RCPT says that nobody will ever get mail at that address, and not something about the client, its message or the moment.
///
/// With a status   5.1.1 (no such mailbox), 5.1.2 (no such system), 5.1.3 (syntax), 5.1.6 (moved away) and 5.1.10 (RFC 7505 §4.2: takes no mail) are
///                 about the address of the recipient and settled; 5.4.1 is what Exchange Online says of recipients that are not in its directory.
///                 Not so 5.1.0 (may be the sender's), 5.1.4 (there are even several), 5.1.7 to 5.1.9 (the sender's, and the way), 5.2.X (it is there),
///                 5.7.X (policy), and what contradicts the code (RFC 3463 §2).
/// Without         550, 551 and 553, which RFC 5321 §4.2.3 has for mailboxes; not 552 (storage) and 554 (anything). Most servers say 550 of an unknown
///                 mailbox, and some say it of a client they do not want; those are met where MAIL was taken only.
/// Source          RFC 3463 §3.2.
[[nodiscard]] bool says_no_such_mailbox(const smtp::Reply& reply);
/// Whether the host does not know the command, or has not got it (RFC 5321 §4.2.4).
[[nodiscard]] bool is_unknown_command(const smtp::Reply& reply);
/// `delivered`, `deferred`, `failed`, or several of them: the result of an Attempt.
[[nodiscard]] std::string summarize(const std::vector<RecipientOutcome>& outcomes);

/// A RecipientOutcome's status in parts: the code and `5.1.1` of `550 5.1.1 no such user`, each empty when it is not there.
struct StatusParts {
    std::optional<int> code;
    std::string_view enhanced;
};
[[nodiscard]] StatusParts split_status(std::string_view status);

inline constexpr std::size_t kStatusLimit = 512;  // octets; spool::RecipientState

}  // namespace thurn::delivery
