#pragma once

#include "base/result.h"
#include "mail/status.h"
#include "milter/packet.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace thurn::milter {

// What a filter wants changed. Texts are as they came, without NUL, CR only before LF in values of fields; who applies them cleans and
// checks them.

/// At the end of the header.
struct AddHeader {
    std::string name;
    std::string value;
    friend bool operator==(const AddHeader&, const AddHeader&) = default;
};
/// Before the field of that position, 0 and 1 the first; beyond the last, at the end.
struct InsertHeader {
    std::uint32_t position = 0;
    std::string name;
    std::string value;
    friend bool operator==(const InsertHeader&, const InsertHeader&) = default;
};
/// The field of that name and number, 1 the first; an empty value removes it.
struct ChangeHeader {
    std::uint32_t number = 1;
    std::string name;
    std::string value;
    friend bool operator==(const ChangeHeader&, const ChangeHeader&) = default;
};
struct ChangeSender {
    std::string path;        // with or without angle brackets
    std::string parameters;  // of MAIL
    friend bool operator==(const ChangeSender&, const ChangeSender&) = default;
};
struct AddRecipient {
    std::string path;
    std::string parameters;  // of RCPT
    friend bool operator==(const AddRecipient&, const AddRecipient&) = default;
};
struct RemoveRecipient {
    std::string path;
    friend bool operator==(const RemoveRecipient&, const RemoveRecipient&) = default;
};
/// A piece of a new body; the pieces follow each other.
struct ReplaceBody {
    std::string octets;
    friend bool operator==(const ReplaceBody&, const ReplaceBody&) = default;
};
struct Quarantine {
    std::string reason;
    friend bool operator==(const Quarantine&, const Quarantine&) = default;
};
using Change = std::variant<AddHeader, InsertHeader, ChangeHeader, ChangeSender, AddRecipient, RemoveRecipient, ReplaceBody, Quarantine>;
[[nodiscard]] std::size_t octets_of(const Change& change);

/// Shape    `code` is 400..599, `status` of its class where it is given. `lines` is not empty and holds printable US-ASCII only.
struct ReplyText {
    std::uint16_t code = 0;
    std::optional<mail::EnhancedStatus> status;
    std::vector<std::string> lines;
    friend bool operator==(const ReplyText&, const ReplyText&) = default;
};
/// Reads what smfi_setreply() and smfi_setmlreply() send: `550 5.7.1 text`, or several lines; `%%` stands for `%`.
/// Errors   `syntax`: no such code, different codes in one reply, control octets; `too_long`: over 32 lines or 980 octets in one.
[[nodiscard]] base::Result<ReplyText> parse_reply_text(std::string_view text);

/// The end of a step. `accept`: no more of this message, or of this connection. `skip`: no more of the body. `connection_failed`: the filter
/// cannot go on with this connection. `shut_down`: the client is to be sent away (421).
struct Verdict {
    enum class Kind { proceed, accept, discard, reject, tempfail, reply, skip, connection_failed, shut_down } kind = Kind::proceed;
    std::optional<ReplyText> reply{};  // of Kind::reply
    friend bool operator==(const Verdict&, const Verdict&) = default;
};
/// It is still at work.
struct Progress {
    friend bool operator==(const Progress&, const Progress&) = default;
};

/// What a filter wants, in answer to what is offered. `macros[stage]`: the names it asks for; not given: the usual ones.
struct Agreement {
    std::uint32_t version = 0;
    std::uint32_t actions = 0;
    std::uint32_t steps = 0;
    std::vector<std::optional<std::vector<std::string>>> macros{};
    friend bool operator==(const Agreement&, const Agreement&) = default;
};

using Said = std::variant<Agreement, Progress, Change, Verdict>;
/// Reads one packet of a filter.
/// Errors   `syntax`: names what is wrong with which packet.
[[nodiscard]] base::Result<Said> parse_answer(const Packet& packet);

}  // namespace thurn::milter
