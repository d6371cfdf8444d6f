#pragma once

#include "inbound/milter_connection.h"
#include "inbound/milter_options.h"
#include "inbound/session_log.h"
#include "mail/mailbox.h"
#include "mail/parameters.h"
#include "mailauth/findings.h"
#include "milter/header.h"
#include "net/loops.h"
#include "policy/recipient_rule.h"
#include "spool/spool.h"
#include "trace/event.h"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace thurn::inbound {

/// The connection as filters are told of it. `tls`: says whether HELO is to be told again.
struct MilterClient {
    milter::Client client;
    std::string helo;
    std::string tls;
    milter::Macros macros;
};

/// What filters want different about a message, each having seen what those before it did.
struct MessageChanges {
    struct AddedRecipient {
        mail::Mailbox mailbox;
        mail::Notify notify{};
    };
    std::optional<std::string> header;  // with the empty line; given with a new body, too
    std::optional<std::string> body;
    std::uint64_t body_begin = 0;  // of the body as it was, in what was stored
    std::optional<mail::ReversePath> sender;
    std::vector<AddedRecipient> added;
    std::vector<mail::Mailbox> removed;
    [[nodiscard]] bool of_content() const { return header.has_value(); }
};

/// What becomes of a message that filters have seen.
struct MilterOutcome {
    policy::Decision decision;  // accept, or a refusal
    std::string discarded_by;   // the rule of the filter that wants it thrown away; empty: none does
    std::string hold;           // why it shall wait for an operator; empty: it need not
    MessageChanges changes;
    std::vector<trace::Decided> decisions;        // for the trace: of each filter that had something to say
    std::vector<mailauth::FindingLine> findings;  // and what each did
};

/// The whole of a message, for filters to look at.
struct MilterMessage {
    spool::Draft& draft;      // what was stored of it
    std::string_view header;  // its header, as stored, with the empty line if there is one
    std::string_view on_top;  // fields that will stand above that
    milter::Macros macros;
};

/// All content filters of one SMTP session, in their order.
///
/// Loop     async_mail(), async_rcpt() for each recipient, async_data(), async_message(); then the next async_mail(). reset() when a
///          transaction ends another way. async_quit() at the end of the session.
/// Connect  With the first async_mail(), so that who never sends costs no filter anything; CONNECT and HELO are told then. A connection
///          serves all messages of the session.
/// Answers  A Decision that is not `accept` is for the client. Filters behind the one that refused do not hear of it.
/// Failing  A filter that fails is dropped for this message, and its default action taken; it is tried again with the next one.
/// Threads  The session's loop.
class Milters {
public:
    /// All outlive it. `filters`: those for this listener.
    struct Dependencies {
        std::vector<const MilterOptions*> filters;
        net::Resolver* resolver = nullptr;
        net::BlockingPool& pool;
        const SessionLog& log;
    };
    explicit Milters(Dependencies with);
    ~Milters();

    /// `arguments`: the path in angle brackets, then each parameter. `id`: for the log.
    [[nodiscard]] net::asio::awaitable<policy::Decision> async_mail(base::MessageId id, MilterClient client,
                                                                    std::vector<std::string> arguments, milter::Macros macros);
    [[nodiscard]] net::asio::awaitable<policy::Decision> async_rcpt(std::vector<std::string> arguments, milter::Macros macros);
    [[nodiscard]] net::asio::awaitable<policy::Decision> async_data(milter::Macros macros);
    /// Errors   Of reading the draft back.
    [[nodiscard]] net::asio::awaitable<base::Result<MilterOutcome>> async_message(MilterMessage message);
    /// A command that the server does not know; told with the next step.
    void note_unknown(std::string_view command);
    void reset();
    [[nodiscard]] net::asio::awaitable<void> async_quit();

private:
    struct Filter;
    class Body;
    using Step = std::function<void(milter::Session&)>;
    template <class Value = void>
    using Awaitable = net::asio::awaitable<Value>;

    // milters.cc: who is told what
    Awaitable<policy::Decision> async_each(Step step);
    Awaitable<> async_meet(Filter& filter, const MilterClient& client);
    Awaitable<> async_tell_unknown(Filter& filter);
    Awaitable<bool> async_tell(Filter& filter, Step step, MilterPatience patience);
    Awaitable<bool> async_tell_header(Filter& filter, const milter::Macros& macros, MilterPatience patience);
    Awaitable<base::Result<bool>> async_tell_body(Filter& filter, Body& body, MilterPatience patience);
    Awaitable<base::Result<void>> async_show(Filter& filter, Body& body, const milter::Macros& macros);
    void begin(base::MessageId id);

    // milters_verdict.cc: what follows from what they say
    void judge(Filter& filter, const milter::Verdict& verdict);
    void conclude(Filter& filter, const milter::Verdict& verdict, std::int64_t milliseconds);
    void fail(Filter& filter, const base::Error& error);
    void apply(Filter& filter, const std::vector<milter::Change>& changes);
    [[nodiscard]] base::Result<void> apply_to_envelope(const milter::Change& change);
    void apply_to_content(Filter& filter, const std::vector<milter::Change>& changes);
    void note(const Filter& filter, std::string what);
    void decide(const Filter& filter, std::string_view decision, std::string reason);

    Dependencies with_;
    std::vector<std::unique_ptr<Filter>> filters_;
    std::vector<std::string> unknown_;  // not told yet
    // Of the message under way:
    base::MessageId id_;
    std::optional<policy::Decision> refusal_;  // of the step under way
    MilterOutcome outcome_;
    std::optional<milter::MessageHeader> header_;
    bool header_changed_ = false;
};

}  // namespace thurn::inbound
