#pragma once

#include "base/clock.h"
#include "base/log.h"
#include "base/message_id.h"
#include "base/random.h"
#include "directory/directory.h"
#include "inbound/attachment_options.h"
#include "inbound/authentication.h"
#include "inbound/connection_limits.h"
#include "inbound/idle_connections.h"
#include "inbound/milter_options.h"
#include "inbound/permissions.h"
#include "inbound/policy_server.h"
#include "inbound/scanner_options.h"
#include "inbound/script_options.h"
#include "mailauth/dmarc_failure.h"
#include "mailauth/sender_rewriting.h"
#include "net/loops.h"
#include "net/resolver.h"
#include "net/tls.h"
#include "policy/account_baseline.h"
#include "policy/alarm.h"
#include "policy/country.h"
#include "policy/login_guard.h"
#include "policy/recipient_rule.h"
#include "policy/rulebook.h"
#include "policy/sender_rule.h"
#include "smtp/server_session.h"
#include "spool/spool.h"
#include "trace/journal.h"

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/generic/stream_protocol.hpp>

namespace thurn::inbound {

/// How a listener treats its clients.
struct ListenerProfile {
    std::string name;  // mx, submission, submissions, lmtp
    policy::Role role = policy::Role::mx;
    smtp::TlsState tls = smtp::TlsState::offered;
    std::vector<policy::Network> networks{};             // who may connect; none: everyone
    std::vector<policy::Network> proxy_protocol_from{};  // who must say by the PROXY protocol for whom it connects
    std::vector<policy::Network> xclient_from{};         // who may say by XCLIENT who the client is
    std::vector<policy::Network> xforward_from{};        // who may say by XFORWARD who the client was
    bool relays = true;                                  // for relay_networks
};

/// What the configuration says; a snapshot, taken anew for each connection.
struct Options {
    smtp::ServerOptions session;  // host name and limits; TLS and AUTH are the listener's
    std::vector<policy::Network> relay_networks;
    std::vector<std::string> relay_domains;
    policy::SenderScope senders = policy::SenderScope::own;
    bool check_author = true;                // From too
    std::chrono::seconds future_release{0};  // how long submitted mail may be held back at its sender's wish (RFC 4865); 0: not offered
    bool cram_md5 = false;                   // offered to log in by; what it needs is stored for passwords set while it is
    std::chrono::seconds greeting_delay{0};  // on mx, but not for relay_networks: who talks before it is refused
    Disclosure vrfy = Disclosure::off;
    Disclosure expn = Disclosure::off;
    QueueRunBy etrn = QueueRunBy::relay_networks;
    std::shared_ptr<const policy::Rulebook> rulebook = std::make_shared<policy::Rulebook>();
    policy::LoginRules logins;
    policy::AccountRules accounts;
    std::shared_ptr<const AuthenticationOptions> authentication = std::make_shared<AuthenticationOptions>();
    std::vector<MilterOptions> milters{};    // in the order in which they see a message
    std::vector<ScannerOptions> scanners{};  // at most one of a kind for each role
    AttachmentOptions attachments{};
    std::vector<PolicyServerOptions> policy_servers{};             // that rules ask
    std::vector<ScriptOptions> scripts{};                          // likewise
    std::shared_ptr<const mailauth::SenderRewriting> rewriting{};  // knows the way back of bounces to what we forwarded
    std::shared_ptr<const policy::Countries> countries{};          // null: no geoip.file
    std::size_t header_size = std::size_t{256} << 10;
    std::size_t received_fields = 50;  // more mean a loop: 554 5.4.6 (RFC 5321 §6.3)
};

class ArchiveReaders;

/// What conversations work with. All of it outlives the service.
struct Dependencies {
    spool::Spool& spool;
    directory::Directory& directory;
    directory::PasswordChecker& passwords;
    directory::TokenChecker* tokens;  // without one, OAUTHBEARER and XOAUTH2 are not offered
    policy::LoginGuard& login_guard;
    trace::Journal& journal;
    base::Log& log;
    const base::Clock& clock;
    base::Random& random;
    base::MessageIdSource& ids;
    net::BlockingPool& pool;
    net::Resolver* resolver;                              // without one, clients keep their addresses for names
    net::ServerCertificates* certificates;                // without one, TLS is not offered
    std::function<void(spool::StoredMessage)> hand_over;  // called on the spool's thread as soon as a message is durable
    /// ETRN: tries what waits for recipients in a domain now, and tells how many messages that are. Without it ETRN is not offered.
    std::function<net::asio::awaitable<base::Result<std::size_t>>(std::string domain)> run_queue{};
    /// Whether a relayed recipient's next hop would take its mail. Without it `recipient.exists` is unavailable for such.
    std::function<net::asio::awaitable<base::Result<bool>>(mail::Mailbox recipient, std::chrono::seconds limit)> ask_next_hop{};
    policy::Greylist* greylist = nullptr;         // without it, `greylist_wait` is unavailable
    policy::TokenBuckets* buckets = nullptr;      // without it, nothing is counted by rates
    policy::Alarms* alarms = nullptr;             // without it, all alarms are logged
    policy::AccountBaseline* accounts = nullptr;  // without it, accounts are not watched
    mailauth::DmarcTallies* tallies = nullptr;    // without it, nobody gets aggregate reports
    mailauth::DmarcFailures* failures = nullptr;  // without it, nobody gets failure reports
    ArchiveReaders* archive_readers = nullptr;    // without it, `archive.*` are unavailable where there are archives
};

class Conversation;

/// Takes connections and holds the conversations (RFC 5321 server side) on the loops they were accepted on.
///
/// Stopping  shut_down() says 421 to all who are not sending content; the others end after their message is answered.
/// Threads   serve() on the loop of its index; configure(), shut_down() and open() on any.
class Service {
public:
    Service(Dependencies dependencies, std::size_t loops, std::size_t connections, std::size_t connections_per_address);
    ~Service();

    void configure(std::shared_ptr<const Options> options);  // shared: running conversations keep theirs
    void serve(net::asio::generic::stream_protocol::socket socket, const ListenerProfile& profile, std::size_t loop);
    void shut_down();
    /// Breaks off what is still there: the grace after shut_down() is over.
    void abort();
    [[nodiscard]] std::size_t open() const { return limits_.open(); }

private:
    friend class Conversation;
    void each_conversation(void (Conversation::*action)());
    /// False when it was run a moment ago.
    [[nodiscard]] bool queue_run_due(const std::string& domain);

    Dependencies with_;
    ConnectionLimits limits_;
    script::SharedTable shared_table_;                                                        // of scripts, over reloads
    base::Guarded<std::map<std::string, std::chrono::steady_clock::time_point>> queue_runs_;  // the last one of each relayed domain
    base::Guarded<std::shared_ptr<const Options>> options_;
    base::Guarded<std::vector<std::weak_ptr<Conversation>>> conversations_;
    std::vector<std::vector<char>> read_buffers_;  // one per loop, lent to whoever reads at the moment
    std::vector<IdleConnections> idle_;            // one per loop: to servers outside that were asked something
    std::atomic<std::uint64_t> sessions_{0};
    std::atomic<bool> stopping_{false};
};

}  // namespace thurn::inbound
