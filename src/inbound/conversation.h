#pragma once

#include "inbound/authentication.h"
#include "inbound/client.h"
#include "inbound/content_gate.h"
#include "inbound/milters.h"
#include "inbound/origin.h"
#include "inbound/service.h"
#include "inbound/session_log.h"
#include "net/proxy_header.h"
#include "net/stream.h"
#include "policy/content.h"
#include "policy/question.h"
#include "policy/situation.h"
#include "policy/walk.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <boost/asio/steady_timer.hpp>

namespace thurn::inbound {

/// One message on its way in.
struct Transaction {
    base::MessageId id;
    mail::ReversePath sender;
    spool::Wishes wishes;
    mail::BodyType declared = mail::BodyType::seven_bit;  // BODY=
    std::vector<spool::Recipient> recipients;
    struct Shown {
        mail::Mailbox named;  // by the client
        mail::Mailbox kept;   // another one where a rule redirects it
    };
    std::vector<Shown> shown;  // to content filters, where there are any: recipients
    std::vector<trace::Decided> decisions;
    std::unique_ptr<spool::Draft> draft;
    Origin forwarded;  // what XFORWARD told
    ContentGate gate;
    std::shared_ptr<Authentication> checks;              // of mail from outside
    std::string passed_on_for;                           // the domain of ours from which it goes on to another place; empty: it stays
    std::unique_ptr<mailauth::MessageSigning> signing;   // of our own mail
    std::string completion;                              // header fields that our user's program left out
    std::optional<policy::ContentDecision> verdict;      // when it was checked
    std::optional<mailauth::Findings> checked;           // what by
    std::vector<mailauth::FindingLine> findings;         // for the trace
    policy::ContentFindings content;                     // what scanners said, as far as rules asked
    std::string header;                                  // as it came, where rules or content filters ask for it
    base::Result<std::vector<mail::Mailbox>> authors{};  // whom From names, where a login may not write as everybody
    std::uint64_t declared_size = 0;                     // SIZE=; 0: not given
    policy::Marks marks;                                 // that rules left
    policy::Filing filing = policy::Filing::inbox;
    std::string filed_because;
    std::string discarded_by;           // the rule; empty: it is not
    std::vector<mail::Mailbox> copies;  // who gets it, too, as those want whom rules asked
    std::vector<trace::Found> found;    // about each recipient, as far as rules asked
    bool traced = false;
    std::chrono::steady_clock::time_point begun;  // with MAIL
    std::optional<base::Error> storage_error;     // the first one; the rest of the content is thrown away then
};

/// What rules said before there was a message; each message of the connection begins with it.
struct RuledSoFar {
    policy::Marks marks;
    std::vector<trace::Decided> decisions;
};

/// Drives one ServerSession over one connection: answers its events with what directory, policy and spool say.
///
/// Threads  The connection's loop; stop() and abort() are posted there by the service.
class Conversation : public std::enable_shared_from_this<Conversation> {
public:
    Conversation(Service& service, net::Stream stream, const ListenerProfile& profile, std::shared_ptr<const Options> options,
                 std::span<char> read_buffer, IdleConnections& idle, std::uint64_t number);
    ~Conversation();

    /// From the greeting to the close. The caller keeps the conversation alive meanwhile.
    [[nodiscard]] net::asio::awaitable<void> async_run();
    void stop();
    void abort();
    [[nodiscard]] net::asio::any_io_executor executor() { return stream_.executor(); }

private:
    template <class Value = void>
    using Awaitable = net::asio::awaitable<Value>;

    // conversation.cc: the connection
    Awaitable<bool> async_begin();
    [[nodiscard]] bool may_connect() const;
    Awaitable<bool> async_let_in();
    Awaitable<> async_turn_away(std::string_view rule, smtp::Reply reply);
    Awaitable<bool> async_hear_silence();
    Awaitable<> async_converse();
    void note_address();
    Awaitable<> async_let_others();
    Awaitable<bool> async_handle_events();
    Awaitable<bool> async_handle(smtp::ServerEvent& event);
    Awaitable<bool> async_handle_rare(smtp::ServerEvent& event);
    void note(const smtp::ServerEvent& event);
    Awaitable<bool> async_flush();
    Awaitable<bool> async_start_tls();
    [[nodiscard]] ConnectionLimits::Verdict enter_limits();
    void leave_limits();
    void look_up_name();
    [[nodiscard]] smtp::ServerOptions session_options() const;
    [[nodiscard]] smtp::ServerExtensions extensions() const;

    // conversation_proxy.cc: whom the connection is for
    Awaitable<bool> async_take_proxy_header();
    Awaitable<base::Result<net::ProxyHeader>> async_read_proxy_header();
    Awaitable<> async_become(smtp::XclientGiven given);
    void take_forwarded(const smtp::XforwardGiven& given);

    // conversation_login.cc: AUTH
    struct Proving {
        smtp::SecretWanted wanted;
        std::chrono::steady_clock::time_point begun;
        sasl::Secret secret{};
    };
    struct Refusal {
        std::string rule;
        smtp::Reply reply;
    };
    [[nodiscard]] std::optional<Refusal> find_ban() const;
    [[nodiscard]] policy::LoginGuard::Verdict judge_login(std::string_view login) const;
    Awaitable<bool> async_hold_back(std::string_view mechanism, std::string_view login);
    void refuse_login(std::string_view mechanism, std::string_view login, policy::LoginGuard::Verdict verdict);
    void count_failed_login(std::string_view login);
    [[nodiscard]] std::optional<policy::Decision> find_excess_of_failures(std::string_view login);
    [[nodiscard]] bool refuse_for_failures(std::string_view mechanism, std::string_view login);
    [[nodiscard]] policy::Situation failed_situation(const Transaction& none, std::string_view login) const;
    void count_right_login(std::string_view login);
    enum class Belief { right, suspended, wrong, locked };  // locked: since others failed while it waited for its turn
    Awaitable<> async_find_secret(smtp::SecretWanted wanted);
    Awaitable<base::Result<sasl::Secret>> async_stored_secret();
    Awaitable<base::Result<bool>> async_still_good();
    Awaitable<base::Result<Belief>> async_believe(smtp::CredentialsGiven& given);
    Awaitable<> async_check_credentials(smtp::CredentialsGiven given);
    void log_failed_proof(const smtp::Reply& reply);

    // conversation_envelope.cc: MAIL, RCPT and From
    Awaitable<> async_take_sender(smtp::SenderGiven&& given);
    Awaitable<> async_take_recipient(smtp::RecipientGiven&& given);
    void take_way_back(smtp::RecipientGiven given);
    Awaitable<base::Result<bool>> async_owns(const mail::Mailbox& address);
    [[nodiscard]] bool checks_authors() const;
    Awaitable<bool> async_pass_authors(Transaction& transaction);
    void refuse_by_author(Transaction& transaction, const policy::Decision& decision);
    [[nodiscard]] bool relayed(const mail::Domain& domain) const;
    [[nodiscard]] policy::Facts facts() const;
    [[nodiscard]] bool may_be_urgent() const;
    void refuse(std::string_view what, const std::string& subject, const policy::Decision& decision);
    void put_off(std::string_view what, const std::string& subject, const base::Error& error);

    // conversation_rules.cc: what the configuration's rules say
    [[nodiscard]] bool is_ruled(policy::Stage stage) const;
    [[nodiscard]] policy::Situation situation(const Transaction& transaction) const;
    void forget_facts(policy::Stage stage);
    Awaitable<> async_gather(std::vector<std::size_t> wanted, Transaction& transaction, const policy::Situation& now);
    Awaitable<std::vector<policy::FactValue>> async_look_up(std::vector<policy::Fact> facts, Transaction& transaction,
                                                            const policy::Situation& now);
    void report_refusals() const;
    Awaitable<policy::FactValue> async_ask_next_hop(const policy::Situation& now, net::Deadline deadline);
    Awaitable<policy::FactValue> async_ask_other(const policy::Fact& fact, Transaction& transaction, const policy::Situation& now,
                                                 net::Deadline deadline);
    [[nodiscard]] policy::FactValue greylisted(const policy::Situation& now);
    Awaitable<policy::FactValue> async_ask_directory(std::string domain);
    Awaitable<policy::Ruling> async_rule(policy::Stage stage, Transaction& transaction, const policy::Situation& now);
    Awaitable<> async_pause(std::chrono::milliseconds delay);
    [[nodiscard]] std::optional<policy::Decision> refusal_of(const policy::Ruling& ruling, policy::Stage stage) const;
    void file(Transaction& transaction, const policy::Ruling& ruling);
    /// By the rates; what they refuse with.
    [[nodiscard]] std::optional<policy::Decision> count(policy::Counted what, double amount, Transaction& transaction,
                                                        const policy::Situation& now);
    [[nodiscard]] std::optional<policy::Decision> count_unknown(const mail::Mailbox& mailbox);
    [[nodiscard]] const std::string& who() const;
    void note_excess(const policy::Excess& excess, policy::Stage stage, const mail::Mailbox* recipient, Transaction& transaction);
    Awaitable<std::optional<policy::Decision>> async_rule_connection();
    Awaitable<bool> async_pass_connection();
    Awaitable<> async_take_hello(std::string name);
    Awaitable<> async_take_login();
    Awaitable<bool> async_pass_message(policy::Stage stage);
    Awaitable<bool> async_pass_recipient(const mail::Mailbox& mailbox, const directory::Resolution& resolution,
                                         std::optional<mail::Mailbox>& redirected);
    Awaitable<bool> async_pass_content(Transaction& transaction);

    // conversation_asking.cc: rules that ask somebody
    static void note_copies(Transaction& transaction, const policy::Ruling& ruling);
    static void add_copies(Transaction& transaction);
    [[nodiscard]] policy::Question question(const policy::Rule& rule, const Transaction& transaction, const policy::Situation& now,
                                            const policy::Marks& marks, std::string_view message) const;
    Awaitable<policy::Advice> async_ask(const policy::Rule& rule, Transaction& transaction, const policy::Situation& now,
                                        const policy::Marks& marks);

    // conversation_scripts.cc
    Awaitable<policy::FactValue> async_find_fact(policy::Fact fact, Transaction& transaction, const policy::Situation& now,
                                                 const policy::Marks& marks);
    Awaitable<script::Heard> async_satisfy(const ScriptOptions& script, script::Step step, Transaction& transaction,
                                           const policy::Situation& now, const policy::Marks& marks, net::Deadline deadline);
    Awaitable<policy::Advice> async_run_script(const ScriptOptions& script, const policy::Rule& rule, Transaction& transaction,
                                               const policy::Situation& now, const policy::Marks& marks);

    // conversation_scanning.cc: what rules ask about the content
    Awaitable<policy::FactValue> async_look_inside(const policy::Fact& fact, Transaction& transaction);
    Awaitable<> async_ask_scanner(policy::ContentSource source, Transaction& transaction);
    // conversation_parts.cc
    Awaitable<> async_look_at_parts(Transaction& transaction);
    Awaitable<> async_look_into_archives(Transaction& transaction);
    template <class Verdict>
    [[nodiscard]] base::Result<Verdict> tell_scanned(Transaction& transaction, const ScannerOptions& scanner, base::Result<Verdict> verdict,
                                                     std::chrono::steady_clock::time_point begun);

    // conversation_alarms.cc: what somebody should know of
    void raise(policy::AlarmKind kind, std::string subject, const Note& note);
    void watch_for_attacks(const smtp::CommandRefused& refused);
    void watch_for_attacks(const smtp::ContentDropped& dropped);
    Awaitable<> async_watch_for_spoofing(const Transaction& transaction, const mailauth::Findings& findings);
    Awaitable<bool> async_watch_account();
    Awaitable<> async_suspend_account(std::string reason);

    // conversation_queries.cc: VRFY, EXPN and ETRN
    Awaitable<> async_verify(smtp::VerifyWanted wanted);
    Awaitable<> async_expand(smtp::ExpandWanted wanted);
    Awaitable<> async_run_queue(smtp::QueueRunWanted wanted);
    [[nodiscard]] bool may_run_queue() const;

    // conversation_authentication.cc: where content comes from, and that ours does
    [[nodiscard]] bool is_stranger() const;
    [[nodiscard]] bool removes_results() const;
    [[nodiscard]] bool signs() const;
    void begin_checks();
    void take_header(const ContentGate::Passed& passed);
    Awaitable<std::string> async_authenticate(Transaction& transaction);
    [[nodiscard]] std::string sign(Transaction& transaction);
    static void tell_signing(Transaction& transaction, const std::string& reason);
    void refuse_content(const Transaction& transaction, const policy::Decision& decision);
    void discard(Transaction& transaction);
    void tally(const Transaction& transaction, const mailauth::Findings& findings);
    void report_failure(const Transaction& transaction, const mailauth::Findings& findings);

    // conversation_filters.cc: content filters, if there are any. False: the client has its answer
    void meet_filters();
    [[nodiscard]] MilterClient filtered_client() const;
    [[nodiscard]] milter::Macros message_macros() const;
    Awaitable<bool> async_filter_sender(const smtp::MailParameters& parameters);
    Awaitable<bool> async_filter_recipient(const smtp::RecipientGiven& given);
    Awaitable<bool> async_filter_data();
    Awaitable<bool> async_filter_message(Transaction& transaction);
    Awaitable<base::Result<void>> async_rewrite(Transaction& transaction, MessageChanges changes);
    Awaitable<base::Result<void>> async_write_part(Transaction& transaction, std::string_view octets);
    void change_envelope(Transaction& transaction, MessageChanges& changes) const;
    static void remove_recipient(Transaction& transaction, const mail::Mailbox& named);

    // conversation_tracing.cc: what the trace tells of it
    void note_found(Transaction& transaction, const std::string& recipient);
    void note_refusal(std::string_view what, const std::string& subject, const policy::Decision& decision);
    void trace_accepted(Transaction& transaction, base::Octets size);
    void trace_refused(Transaction& transaction);
    [[nodiscard]] trace::Parties parties(const Transaction& transaction, base::Octets size) const;
    void trace_steps(const Transaction& transaction, base::Time at);
    [[nodiscard]] std::vector<std::string> facts_found(const Transaction& transaction) const;

    // conversation_content.cc: the content and the commit
    Awaitable<> async_begin_content();
    void close_transaction();
    void end_transaction();
    bool store_at_once(std::string_view octets);
    Awaitable<> async_store(std::string_view octets);
    void note_stored(const base::Result<void>& appended);
    Awaitable<> async_take_chunk(std::string_view octets);
    Awaitable<> async_take(ContentGate::Passed passed, bool opened_before);
    Awaitable<> async_accept(Transaction& transaction);
    [[nodiscard]] std::optional<smtp::Reply> refusal(const Transaction& transaction) const;
    [[nodiscard]] std::string complete_header() const;
    Awaitable<> async_finish_message();
    Awaitable<base::Result<base::MessageId>> async_commit(std::unique_ptr<spool::Draft> draft, spool::Envelope envelope);
    [[nodiscard]] spool::Envelope make_envelope(Transaction& transaction, base::Time now) const;
    void log_accepted(const Transaction& transaction, std::size_t recipients, base::Octets size);
    void log_spool_failure(base::MessageId id, const base::Error& error);
    [[nodiscard]] const std::string& helo_name() const;
    [[nodiscard]] std::string trace_header(const Transaction& transaction) const;
    [[nodiscard]] std::string protocol_name(const Transaction& transaction) const;

    Service& service_;
    Dependencies& with_;
    net::Stream stream_;
    const ListenerProfile& profile_;
    std::shared_ptr<const Options> options_;  // shared with the service and other conversations
    std::span<char> read_buffer_;
    IdleConnections& idle_;  // to servers outside, of this loop
    Client client_;
    SessionLog log_{with_.log, client_};
    bool in_relay_networks_ = false;  // the client's address, as it is now, where the listener relays for such
    std::string speaker_;             // the client's address before XCLIENT said another one
    std::string through_;             // who told of the client, and how; empty without PROXY and XCLIENT
    smtp::ServerSession session_;
    Origin forwarded_;                  // by XFORWARD, until the next transaction ends
    std::optional<Proving> proving_;    // the SCRAM exchange under way
    bool token_refused_ = false;        // and logged
    std::unique_ptr<Milters> milters_;  // once there is a sender, where there are any for this listener
    Transaction transaction_;
    std::string helo_;                                // as the client said it last, accepted or not
    policy::FactSheet facts_;                         // that rules asked for
    std::chrono::steady_clock::duration patience_{};  // what is left of policy.time_limit for the stage at hand
    RuledSoFar at_connect_;
    RuledSoFar so_far_;  // before MAIL
    std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
    std::uint64_t messages_ = 0;                    // accepted
    std::string counted_as_;                        // in the limits; empty: it is not
    net::asio::steady_timer* held_back_ = nullptr;  // what a login waits for
    bool reading_ = false;                          // waits for the client
    bool answered_ = false;                         // since it was last looked at
};

}  // namespace thurn::inbound
