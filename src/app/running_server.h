#pragma once

#include "admin/control_server.h"
#include "app/dmarc_reporter.h"
#include "app/failure_reporter.h"
#include "app/log_sink.h"
#include "app/privileges.h"
#include "app/report_intake.h"
#include "app/server.h"
#include "app/stores.h"
#include "app/switchable_directory.h"
#include "app/system.h"
#include "app/watch.h"
#include "delivery/call_ahead.h"
#include "delivery/dispatcher.h"
#include "inbound/archive_readers.h"
#include "inbound/service.h"
#include "net/listener.h"
#include "net/local_listener.h"
#include "storage/dkim_keyring.h"
#include "storage/password.h"
#include "storage/policy_state.h"
#include "storage/srs_keys.h"

#include <future>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace thurn::app {

namespace asio = net::asio;

inline constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

/// All of a running server: it owns what the modules work with, and ends it in the right order.
/// Threads  start(), wait() and tear_down() on the main thread; all else on loop 0, once the loops run.
class Server {
public:
    Server(config::Loaded loaded, const ServerOptions& options);

    base::Result<void> start();
    void wait() { ended_.get_future().wait(); }
    void tear_down();
    base::Log& log() { return log_; }

private:
    // server.cc: start, reload and stop
    void start_listeners();
    asio::awaitable<void> async_watch_signals();
    asio::awaitable<void> async_stop();
    void reload();

    // server_opening.cc: what is claimed, bound and opened before anybody is served
    void leave_descriptors_for_files(std::size_t descriptors);
    base::Result<void> prepare_data(const Identity* owner);
    base::Result<void> claim_data();
    base::Result<void> prepare_tls();
    base::Result<void> bind_listeners();
    base::Result<void> bind_local(const config::ListenerConfig& config, const std::string& text);
    base::Result<void> drop_root(const std::optional<Identity>& identity);
    base::Result<void> open_stores();

    // server_keys.cc: what signs and rewrites
    base::Result<void> prepare_signing(const config::Config& config);
    base::Result<void> prepare_rewriting(const config::Config& config);
    base::Result<void> prepare_keys(const config::Config& config);
    asio::awaitable<void> async_watch_keys();
    base::Result<void> take_up_keys();
    asio::awaitable<admin::ControlResult> async_reload_keys();

    // server_state.cc: what policy has learnt, and what it goes by
    base::Result<void> prepare_countries(const config::Config& config);
    base::Result<void> open_state();
    base::Result<void> save_state();
    asio::awaitable<base::Result<void>> async_save_state();
    asio::awaitable<void> async_keep_state();
    asio::awaitable<void> async_watch_lists();
    void test_lists();

    // server_services.cc: who takes mail in, sends it on, reports, and answers the command line
    base::Result<delivery::Carriers> make_carriers(const config::Config& config);
    base::Result<void> make_dispatcher();
    base::Result<void> make_reporting();
    [[nodiscard]] std::string signature_of(std::string_view message) const;
    void make_service();
    std::shared_ptr<const inbound::Options> service_options(const config::Config& config) const;
    base::Result<void> open_control();

    const ServerOptions options_;
    config::Config config_;
    std::size_t connections_ = 0;                  // at once
    const std::vector<config::Setting> settings_;  // as at start
    SystemClock clock_;
    SystemRandom random_{};
    LogSink log_;
    net::Loops loops_;
    net::BlockingPool pool_;
    std::unique_ptr<net::Resolver> resolver_;
    std::unique_ptr<net::ServerCertificates> certificates_;
    std::shared_ptr<const net::TlsContext> opportunistic_;  // shared with couriers
    std::shared_ptr<const net::TlsContext> verifying_;
    policy::LoginGuard login_guard_{{.seed = random_.next()}};
    policy::TokenBuckets buckets_{{.seed = random_.next()}};  // of the rates
    policy::Greylist greylist_{{.seed = random_.next()}};
    inbound::ArchiveReaders archive_readers_{"/proc/self/exe"};  // ourselves, whatever has become of the file since
    Watch watch_{{.log = log_, .clock = clock_, .pool = pool_, .loop = loops_.loop(0), .seed = random_.next()}};
    std::unique_ptr<storage::PolicyState> state_;  // keeps what policy learns
    std::unique_ptr<storage::FileJournal> journal_;
    std::unique_ptr<SwitchableDirectory> directory_;
    std::unique_ptr<storage::DirectoryPasswordChecker> passwords_;
    std::unique_ptr<directory::TokenChecker> tokens_;
    std::optional<base::MessageIdSource> ids_;
    std::unique_ptr<spool::FilesystemLock> claim_;
    OpenSpool spool_;
    // What signs and rewrites; read at start, at reload and when the files change. Loop 0's alone from the moment the loops run.
    storage::DkimKeyring keyring_;
    storage::SrsKeys srs_keys_;
    std::shared_ptr<const inbound::AuthenticationOptions> authentication_;
    std::shared_ptr<const mailauth::SenderRewriting> rewriting_;
    std::shared_ptr<const policy::Countries> countries_;  // by geoip.file, likewise; conversations keep theirs
    config::Config current_;                              // what was reloaded last
    // As the configuration wants them; fixed at start.
    std::unique_ptr<storage::DmarcTallyStore> tallies_;
    std::unique_ptr<ReportMailer> report_mailer_;
    std::unique_ptr<DmarcReporter> reporter_;
    std::unique_ptr<FailureReporter> failure_reporter_;
    std::unique_ptr<storage::ReceivedReports> received_reports_;
    std::unique_ptr<ReportIntake> report_intake_;
    std::unique_ptr<inbound::Service> service_;
    std::unique_ptr<delivery::Dispatcher> dispatcher_;
    std::unique_ptr<delivery::CallAhead> call_ahead_;
    std::unique_ptr<admin::ControlServer> control_;
    struct Bound {
        net::Listener listener;
        inbound::ListenerProfile profile;
        std::size_t loop;
    };
    struct BoundLocally {
        net::LocalListener listener;
        inbound::ListenerProfile profile;
    };
    std::list<BoundLocally> local_listeners_;
    std::list<Bound> listeners_;               // addresses stay: conversations refer to their profile
    std::optional<asio::signal_set> signals_;  // from the moment they are listened for
    // Loop 0's alone.
    enum class Stopping { no, in_order, at_once } stopping_ = Stopping::no;
    bool delivered_ = false;  // the dispatcher has stopped
    std::promise<void> ended_;
};

}  // namespace thurn::app
