#pragma once

#include "base/clock.h"
#include "base/message_id.h"

#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace thurn::trace {

/// Who sends what to whom, as far as it was told.
struct Parties {
    std::string listener{};  // mx, submission, sendmail, dsn
    std::string client{};    // address and port; empty when made here
    std::string client_name{};
    std::string helo{};
    std::string tls{};  // version and cipher, empty without
    std::string login{};
    std::string sender{};  // empty for the null path
    std::vector<std::string> recipients{};
    std::uint64_t size = 0;
};
/// The message was taken in: the 250 was promised.
struct Accepted : Parties {};
/// It was not, or the client did not get as far as a message. `recipients` are all that it named; who refused is `Decided`.
struct Refused : Parties {};
/// A rule decided about a recipient or the whole message.
struct Decided {
    std::string stage;     // connect, helo, auth, mail, rcpt, data, content
    std::string subject;   // the address it is about
    std::string decision;  // accept, reject, defer, …
    std::string rule;
    std::string reason;
    std::vector<std::string> left{};  // on the message, for later rules: `score = 3`, `tag = "seen"`
};
/// Where a recipient will go, and why.
struct Routed {
    std::string recipient;
    std::string next_hop;  // maildir:…, smtp site, alias
    std::string reason;    // the rule or record that led there
};
/// One try to hand over to one host or mailbox.
struct Attempted {
    std::vector<std::string> recipients;
    std::string host;  // name and address and port, or path
    std::string tls;
    std::string result;                // delivered, deferred, failed, connection failed
    std::vector<std::string> replies;  // remote replies, each once
    std::uint64_t milliseconds = 0;
    std::string remark = {};  // what was done to the message for it, mostly nothing
};
/// What the attempt means for one recipient.
struct Settled {
    std::string recipient;
    std::string outcome;        // delivered, deferred, bounced, expired, expanded, held, released, deleted
    std::string status;         // reply or reason
    base::Time next_attempt{};  // for deferred
};
/// Anything else worth telling: recovered after a crash, bounce written (with its id), retry asked for by the operator.
struct Noted {
    std::string what;
    std::string detail;
};

/// What rules asked others about, and what mail authentication found, for `config test --replay`: `spf = "pass"`. No header fields, texts and names of files.
struct Found {
    std::string recipient;  // whom it is about; empty: the whole message
    std::vector<std::string> facts;
};

using Body = std::variant<Accepted, Decided, Routed, Attempted, Settled, Noted, Refused, Found>;

/// Of those that tell; else null.
[[nodiscard]] const Parties* parties_of(const Body& body);

/// One step in the life of one message.
/// Shape    Texts hold no control octets; the journal replaces them.
struct Event {
    base::MessageId id;
    base::Time at{};
    Body body;
};

/// A line for people, without a line end: `12:00:01.123  accepted   from …`. Times are UTC.
[[nodiscard]] std::string render_text(const Event& event);
/// The story of one message: a heading with id, date and sender, then a line for each event, with the date where the day changes.
/// Shape  Every line ends with LF. Nothing for no events. No control octets and only whole UTF-8, whatever the events hold: safe for a
///        terminal.
[[nodiscard]] std::string render_story(std::span<const Event> events);
/// One JSON object on one line: {"id","at","event",…the fields by name}. A time that is not set is null.
[[nodiscard]] std::string render_json(const Event& event);

}  // namespace thurn::trace
