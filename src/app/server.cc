// The wiring: who is made before whom, who runs on which thread, and in which order it all ends. Nothing here decides about mail.
#include "app/server.h"

#include "admin/ban_commands.h"
#include "admin/control_server.h"
#include "admin/queue_commands.h"
#include "app/assembly.h"
#include "app/authentication.h"
#include "app/dmarc_reporter.h"
#include "app/dnsbl_watch.h"
#include "app/failure_reporter.h"
#include "app/log_sink.h"
#include "app/privileges.h"
#include "app/report_intake.h"
#include "app/restart_needed.h"
#include "app/stores.h"
#include "app/switchable_directory.h"
#include "app/system.h"
#include "app/watch.h"
#include "delivery/call_ahead.h"
#include "inbound/archive_readers.h"
#include "net/endpoint.h"
#include "net/listener.h"
#include "net/local_listener.h"
#include "storage/password.h"
#include "storage/policy_state.h"

#include <csignal>
#include <future>
#include <list>
#include <thread>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace thurn::app {

namespace asio = net::asio;
namespace json = boost::json;

namespace {

constexpr std::size_t kBlockingThreads = 16;
constexpr std::chrono::seconds kStopGrace{5};  // for what is in transfer, in and out; what does not end by then is done again later
constexpr std::chrono::seconds kKeysWatched{30};
constexpr std::chrono::minutes kListsTested{30};
constexpr std::chrono::seconds kStateSaved{60};  // a crash costs at most so much of what policy has learnt
constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

LogFormat log_format(const config::Config& config) { return config.log_format == "json" ? LogFormat::json : LogFormat::logfmt; }

base::LogLevel log_level(const config::Config& config) {
    if (config.log_level == "debug") return base::LogLevel::debug;
    if (config.log_level == "warning") return base::LogLevel::warning;
    if (config.log_level == "error") return base::LogLevel::error;
    return base::LogLevel::info;
}

std::size_t loop_count(const config::Config& config) {
    return config.threads != 0 ? config.threads : std::max(1U, std::thread::hardware_concurrency());
}

base::Result<smtp::ClientCredentials> read_credentials(const std::string& reference) {
    auto secret = config::read_secret(reference);
    if (!secret) return base::pass_on(secret);
    return smtp::ClientCredentials{std::move(secret->login), std::move(secret->password)};
}

/// What the administrator mends in the configuration, whatever kind it was to whoever noticed it: it decides the exit code.
std::unexpected<base::Error> misconfigured(std::string detail) { return base::fail(base::ErrorKind::invalid, std::move(detail)); }

/// Our loops share a port, and so would another server of the same user, each with a part of the connections: none may be there yet.
base::Result<void> check_free(const asio::ip::tcp::endpoint& endpoint) {
    asio::io_context loop;
    asio::ip::tcp::acceptor probe(loop);
    boost::system::error_code error;
    probe.open(endpoint.protocol(), error);
    if (!error) probe.set_option(asio::socket_base::reuse_address(true), error);
    if (!error && endpoint.address().is_v6()) probe.set_option(asio::ip::v6_only(true), error);
    if (!error) probe.bind(endpoint, error);
    if (!error) return {};
    return base::fail(base::ErrorKind::refused, fmt::format("cannot listen on {}: {}", net::render_endpoint(endpoint), error.message()));
}

class Server {
public:
    Server(config::Loaded loaded, const ServerOptions& options)
        : options_(options),
          config_(std::move(loaded.config)),
          settings_(std::move(loaded.settings)),
          log_(log_format(config_), log_level(config_), clock_),
          loops_(loop_count(config_)),
          pool_(kBlockingThreads),
          keyring_(config_.data_dir / "keys"),
          srs_keys_(config_.data_dir / "keys"),
          current_(config_) {
        for (const auto& warning : loaded.warnings) log_.warning("configuration", {{"warning", warning}});
    }

    base::Result<void> start();
    void wait() { ended_.get_future().wait(); }
    void tear_down();
    base::Log& log() { return log_; }

private:
    void leave_descriptors_for_files(std::size_t descriptors);
    base::Result<void> prepare_data(const Identity* owner);
    base::Result<void> claim_data();
    base::Result<void> prepare_tls();
    base::Result<void> bind_listeners();
    base::Result<void> bind_local(const config::ListenerConfig& config, const std::string& text);
    base::Result<void> drop_root(const std::optional<Identity>& identity);
    base::Result<void> open_stores();
    base::Result<void> open_state();
    base::Result<void> make_dispatcher();
    base::Result<delivery::Carriers> make_carriers(const config::Config& config);
    base::Result<void> prepare_signing(const config::Config& config);
    base::Result<void> prepare_rewriting(const config::Config& config);
    base::Result<void> prepare_keys(const config::Config& config);
    base::Result<void> prepare_countries(const config::Config& config);
    std::shared_ptr<const inbound::Options> service_options(const config::Config& config) const;
    void make_service();
    asio::awaitable<void> async_watch_keys();
    asio::awaitable<void> async_watch_lists();
    void test_lists();
    asio::awaitable<void> async_keep_state();
    asio::awaitable<base::Result<void>> async_save_state();
    base::Result<void> save_state();
    base::Result<void> take_up_keys();
    asio::awaitable<admin::ControlResult> async_reload_keys();
    base::Result<void> open_control();
    base::Result<void> make_reporting();
    [[nodiscard]] std::string signature_of(std::string_view message) const;
    void start_listeners();
    asio::awaitable<void> async_watch_signals();
    asio::awaitable<void> async_stop();
    void reload();

    const ServerOptions options_;
    config::Config config_;
    std::size_t connections_ = 0;                  // at once
    const std::vector<config::Setting> settings_;  // as at start
    SystemClock clock_;
    SystemRandom random_;
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

base::Result<void> Server::start() {
    leave_descriptors_for_files(raise_descriptor_limit());
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGHUP, SIG_IGN);  // until async_watch_signals() listens for it: a reload that comes too early must not end us
    const auto identity = choose_identity(config_);
    if (!identity) return std::unexpected(identity.error());
    const std::function<base::Result<void>()> steps[] = {
        [&] { return prepare_data(identity->has_value() ? &**identity : nullptr); },
        [&] { return claim_data(); },
        [&] { return prepare_tls(); },
        [&] { return bind_listeners(); },
        [&] { return drop_root(*identity); },
        [&] { return open_stores(); },
        [&] { return prepare_keys(config_); },
        [&] { return prepare_countries(config_); },
        [&] { return open_state(); },
        [&] { return make_dispatcher(); },
        [&] { return make_reporting(); },
        [&] { return open_control(); },
    };
    for (const auto& step : steps)
        if (auto done = step(); !done) return done;
    make_service();
    start_listeners();
    dispatcher_->start();
    if (reporter_) reporter_->start();
    watch_.start(*spool_.spool);
    signals_.emplace(loops_.loop(0), SIGTERM, SIGINT, SIGHUP);
    asio::co_spawn(loops_.loop(0), async_watch_signals(), asio::detached);
    asio::co_spawn(loops_.loop(0), async_watch_keys(), asio::detached);
    asio::co_spawn(loops_.loop(0), async_watch_lists(), asio::detached);
    asio::co_spawn(loops_.loop(0), async_keep_state(), asio::detached);
    loops_.start();
    log_.info("started", {{"hostname", config_.hostname}, {"loops", loops_.count()}, {"data_dir", config_.data_dir.string()}});
    return {};
}

/// Clients must not use up what the spool, the mailboxes and deliveries need.
void Server::leave_descriptors_for_files(std::size_t descriptors) {
    const auto most = descriptors - std::min<std::size_t>(descriptors / 2, 2000);
    connections_ = std::min(config_.limits.connections, most);
    if (connections_ < config_.limits.connections)
        log_.warning("few_descriptors", {{"allowed", descriptors},
                                         {"connections", connections_},
                                         {"advice", "raise the limit of open files (LimitNOFILE=, ulimit -n) for limits.connections"}});
}

base::Result<void> Server::prepare_data(const Identity* owner) {
    for (const auto* name : {"", "spool", "trace", "mail", "tls", "keys", "policy"}) {
        const auto folder = *name ? config_.data_dir / name : config_.data_dir;
        if (auto made = prepare_folder(folder, owner); !made) return made;
    }
    return owner ? hand_over_folder(config_.data_dir, *owner) : base::Result<void>{};
}

/// Before the ports: they are shared by SO_REUSEPORT, so a second server could take connections away from the first and then fail.
base::Result<void> Server::claim_data() {
    auto claim = claim_spool(config_);
    if (!claim) return base::pass_on(claim);
    claim_ = *std::move(claim);
    return {};
}

base::Result<void> Server::prepare_tls() {
    auto opportunistic = net::TlsContext::for_client(net::TlsContext::Verify::no, {}, config_.outbound_tls);
    if (!opportunistic) return misconfigured("outbound: " + opportunistic.error().detail);
    auto verifying = net::TlsContext::for_client(net::TlsContext::Verify::yes, {}, config_.outbound_tls);
    if (!verifying) return base::pass_on(verifying);
    opportunistic_ = *std::move(opportunistic);
    verifying_ = *std::move(verifying);
    if (!any_tls(config_)) return {};
    const auto files = certificate_files(config_);
    if (self_signed_wanted(config_)) {
        if (auto made = net::make_self_signed(files.front(), config_.hostname); !made) return made;
        log_.warning("self_signed_certificate", {{"file", files.front().certificate.string()},
                                                 {"advice", "mail programs will not trust it; set tls.certificate and tls.private_key"}});
    }
    certificates_ = std::make_unique<net::ServerCertificates>(files, config_.tls, log_);
    const auto loaded = certificates_->load();
    return loaded ? loaded : misconfigured((self_signed_wanted(config_) ? "" : "tls: ") + loaded.error().detail);
}

/// One loop has it: the kernel shares no connections out at a path.
base::Result<void> Server::bind_local(const config::ListenerConfig& config, const std::string& text) {
    const net::LocalListenerOptions options{.path = text.substr(config::kLocalSocket.size()), .mode = config.socket_mode};
    auto listener = net::LocalListener::bind(loops_.loop(0), options, log_);
    if (!listener) return base::pass_on(listener);
    local_listeners_.push_back({*std::move(listener), listener_profile(config)});
    log_.info("listening", {{"address", text}, {"role", config.name()}});
    return {};
}

/// Each loop has its own listener at each address; the kernel shares connections out.
base::Result<void> Server::bind_listeners() {
    const auto sharing = loops_.count() > 1 ? net::ListenerOptions::Sharing::among_loops : net::ListenerOptions::Sharing::none;
    for (const auto& config : config_.listeners)
        for (const auto& text : config.bind) {
            if (text.starts_with(config::kLocalSocket)) {
                if (auto bound = bind_local(config, text); !bound) return bound;
                continue;
            }
            const auto endpoint = net::parse_endpoint(text, 25);
            if (!endpoint) return std::unexpected(endpoint.error());
            if (auto free = check_free(*endpoint); !free) return free;
            for (std::size_t loop = 0; loop < loops_.count(); ++loop) {
                auto listener = net::Listener::bind(loops_.loop(loop), {.endpoint = *endpoint, .sharing = sharing}, log_);
                if (!listener) return base::pass_on(listener);
                listeners_.push_back({*std::move(listener), listener_profile(config), loop});
            }
            log_.info("listening", {{"address", text}, {"role", config.name()}});
        }
    return {};
}

base::Result<void> Server::drop_root(const std::optional<Identity>& identity) {
    if (identity) {
        // What root just made in the data folder is the new user's now.
        if (auto done = hand_over_folder(config_.data_dir, *identity); !done) return done;
        for (const auto& file : not_renewable(config_, *identity))
            log_.warning("certificate_not_renewable",
                         {{"file", file.string()},
                          {"user", identity->name},
                          {"advice", "let the user read it, or keep it in data_dir; now a renewed one is used only after a restart"}});
        if (auto done = become(*identity); !done) return done;
        log_.info("privileges_dropped", {{"user", identity->name}});
    } else if (is_root()) {
        log_.warning("running_as_root", {{"advice", "set user = \"…\""}});
    }
    forbid_new_privileges();
    return {};
}

base::Result<void> Server::open_stores() {
    auto journal = open_journal(config_, clock_, log_);
    if (!journal) return base::pass_on(journal);
    journal_ = *std::move(journal);
    auto directory = open_directory(config_);
    if (!directory) return base::pass_on(directory);
    directory_ = std::make_unique<SwitchableDirectory>(*std::move(directory));
    passwords_ = std::make_unique<storage::DirectoryPasswordChecker>(*directory_, clock_, random_);
    auto tokens = make_token_checker(config_.oauth, clock_);
    if (!tokens) return base::pass_on(tokens);
    tokens_ = *std::move(tokens);
    auto spool = open_spool(config_, clock_, random_, log_);
    if (!spool) return base::pass_on(spool);
    spool_ = *std::move(spool);
    ids_.emplace(clock_, std::uint16_t{0}, spool_.spool->newest());
    return {};
}

base::Result<void> Server::open_state() {
    auto files = storage::PosixFilesystem::open((config_.data_dir / "policy").string());
    if (!files) return base::pass_on(files);
    state_ = std::make_unique<storage::PolicyState>(*std::move(files), log_, clock_);
    state_->add("logins", login_guard_);
    state_->add("rates", buckets_);
    state_->add("greylist", greylist_);
    watch_.keep_in(*state_);
    watch_.configure(config_);
    return {};
}

base::Result<void> Server::prepare_countries(const config::Config& config) {
    auto countries = open_countries(config);
    if (!countries) return base::pass_on(countries);
    countries_ = *std::move(countries);
    return {};
}

base::Result<void> Server::save_state() {
    auto saved = state_->save();
    if (!saved) log_.error("policy_state_not_saved", {{"reason", saved.error().detail}});
    return saved;
}

asio::awaitable<base::Result<void>> Server::async_save_state() {
    co_return co_await pool_.async_run([this] { return save_state(); });
}

asio::awaitable<void> Server::async_keep_state() {
    asio::steady_timer pause(loops_.loop(0));
    while (stopping_ == Stopping::no) {
        pause.expires_after(kStateSaved);
        co_await pause.async_wait(as_result);
        if (stopping_ == Stopping::no) (void)co_await async_save_state();
    }
}

base::Result<delivery::Carriers> Server::make_carriers(const config::Config& config) {
    const delivery::SmtpCourierOptions courier{
        .hello_name = config.outbound_hello,
        .connect_timeout = config.outbound_connect_timeout,
        .greeting_timeout = config.outbound_greeting_timeout,
        .command_timeout = config.outbound_command_timeout,
        .content_timeout = config.outbound_content_timeout,
        .ending_timeout = config.outbound_ending_timeout,
        .hello_timeout = config.outbound_hello_timeout,
        .mail_timeout = config.outbound_mail_timeout,
        .rcpt_timeout = config.outbound_rcpt_timeout,
        .data_timeout = config.outbound_data_timeout,
        .sources = config.outbound_sources,
        .chunking = config.outbound_chunking ? smtp::Chunking::when_offered : smtp::Chunking::when_needed,
        .random = &random_,
        .signatory = authentication_->signatory};
    return delivery::Carriers{
        .options = dispatcher_options(config, authentication_->signatory, rewriting_),
        .router = std::make_shared<const route::Router>(config.routes, *directory_, config.mailboxes),
        .sites = std::make_shared<delivery::SiteFinder>(*resolver_, random_, site_options(config), read_credentials),
        .smtp = std::make_shared<const delivery::SmtpCourier>(courier, opportunistic_, verifying_, pool_, log_),
        .maildir = std::make_shared<const delivery::Maildir>(
            delivery::MaildirOptions{.path_template = config.maildir_path, .hostname = config.hostname, .started = clock_.now()}),
    };
}

base::Result<void> Server::make_dispatcher() {
    auto resolver = net::Resolver::start({.servers = config_.dns_servers, .dnssec = config_.dnssec});
    if (!resolver) return base::pass_on(resolver);
    resolver_ = *std::move(resolver);
    if (!resolver_->notice().empty()) log_.warning("dns_not_validated", {{"reason", resolver_->notice()}});
    auto carriers = make_carriers(config_);
    if (!carriers) return base::pass_on(carriers);
    dispatcher_ = std::make_unique<delivery::Dispatcher>(
        delivery::DispatcherDependencies{.spool = *spool_.spool,
                                         .journal = *journal_,
                                         .log = log_,
                                         .clock = clock_,
                                         .random = random_,
                                         .ids = *ids_,
                                         .loops = loops_,
                                         .pool = pool_,
                                         .directory = *directory_,
                                         .bounced = [this](const std::string& login) { watch_.note_bounce(login); }},
        config_.scheduler, *std::move(carriers), loops_.loop(0).get_executor());
    call_ahead_ = std::make_unique<delivery::CallAhead>(
        dispatcher_->home(), [this](mail::Mailbox recipient) { return dispatcher_->async_ask_next_hop(std::move(recipient)); });
    return {};
}

/// What we report to other domains, and what of others' reports we keep.
base::Result<void> Server::make_reporting() {
    const auto& wanted = config_.reports;
    const auto path = config_.data_dir / "reports.db";
    report_mailer_ = std::make_unique<ReportMailer>(
        ReportMailer::Dependencies{.spool = *spool_.spool,
                                   .journal = *journal_,
                                   .clock = clock_,
                                   .ids = *ids_,
                                   .pool = pool_,
                                   .resolver = *resolver_,
                                   .sign = [this](std::string_view message) { return signature_of(message); },
                                   .hand_over = [this](spool::StoredMessage message) { dispatcher_->accept(std::move(message)); }});
    watch_.tell_by(*report_mailer_);
    if (wanted.send) {
        auto tallies = storage::DmarcTallyStore::open({.path = path});
        if (!tallies) return base::pass_on(tallies);
        tallies_ = *std::move(tallies);
        reporter_ = std::make_unique<DmarcReporter>(
            DmarcReporterOptions{.hostname = config_.hostname,
                                 .organization = wanted.organization,
                                 .from = *mail::parse_mailbox(wanted.from),
                                 .per_hour = wanted.per_hour,
                                 .suffixes = authentication_->suffixes},
            DmarcReporterDependencies{.tallies = *tallies_, .log = log_, .clock = clock_, .pool = pool_, .mailer = *report_mailer_},
            loops_.loop(0).get_executor());
    }
    if (wanted.failure)
        failure_reporter_ = std::make_unique<FailureReporter>(
            FailureReporter::Options{.hostname = config_.hostname,
                                     .from = *mail::parse_mailbox(wanted.from),
                                     .quota = {.per_domain = wanted.failure_per_hour, .in_all = wanted.per_hour},
                                     .suffixes = authentication_->suffixes},
            *report_mailer_, log_, clock_, loops_.loop(0).get_executor());
    if (!wanted.mailbox.empty()) {
        auto reports = storage::ReceivedReports::open({.path = path});
        if (!reports) return base::pass_on(reports);
        received_reports_ = *std::move(reports);
        report_intake_ = std::make_unique<ReportIntake>(
            *mail::parse_mailbox(wanted.mailbox, mail::Charset::utf8),
            ReportIntake::Dependencies{.reports = *received_reports_, .log = log_, .clock = clock_, .pool = pool_},
            loops_.loop(0).get_executor());
    }
    return {};
}

/// A report that cannot be signed is sent without.
std::string Server::signature_of(std::string_view message) const {
    const auto& signatory = authentication_->signatory;
    return signatory ? mailauth::sign_message(signatory, message, clock_.now()).value_or(std::string()) : std::string();
}

void Server::make_service() {
    service_ = std::make_unique<inbound::Service>(
        inbound::Dependencies{
            .spool = *spool_.spool,
            .directory = *directory_,
            .passwords = *passwords_,
            .tokens = tokens_.get(),
            .login_guard = login_guard_,
            .journal = *journal_,
            .log = log_,
            .clock = clock_,
            .random = random_,
            .ids = *ids_,
            .pool = pool_,
            .resolver = resolver_.get(),
            .certificates = certificates_.get(),
            .hand_over =
                [this](spool::StoredMessage message) {
                    if (report_intake_) report_intake_->consider(message);
                    dispatcher_->accept(std::move(message));
                },
            .run_queue =
                [this](std::string domain) { return admin::async_retry_domain(*spool_.spool, *dispatcher_, pool_, std::move(domain)); },
            .ask_next_hop = [this](mail::Mailbox recipient,
                                   std::chrono::seconds limit) { return call_ahead_->async_exists(std::move(recipient), limit); },
            .greylist = &greylist_,
            .buckets = &buckets_,
            .alarms = &watch_,
            .accounts = watch_.accounts(),
            .tallies = tallies_.get(),
            .failures = failure_reporter_.get(),
            .archive_readers = &archive_readers_},
        loops_.count(), connections_, config_.limits.connections_per_ip);
    service_->configure(service_options(config_));
}

/// What conversations go by, with the keys that were read last.
std::shared_ptr<const inbound::Options> Server::service_options(const config::Config& config) const {
    return inbound_options(config, authentication_, rewriting_, countries_);
}

base::Result<void> Server::prepare_signing(const config::Config& config) {
    auto signatory = load_signatory(config, keyring_, log_);
    if (!signatory) return base::pass_on(signatory);
    auto authentication = authentication_options(config, *std::move(signatory));
    if (!authentication) return base::pass_on(authentication);
    authentication_ = *std::move(authentication);
    return {};
}

base::Result<void> Server::prepare_rewriting(const config::Config& config) {
    auto rewriting = load_rewriting(config, srs_keys_, random_, clock_.now());
    if (!rewriting) return base::pass_on(rewriting);
    rewriting_ = *std::move(rewriting);
    return {};
}

base::Result<void> Server::prepare_keys(const config::Config& config) {
    if (auto done = prepare_signing(config); !done) return done;
    return prepare_rewriting(config);
}

/// Also what `thurn dkim` and `thurn srs` could not tell us of, and what was changed by hand.
asio::awaitable<void> Server::async_watch_keys() {
    asio::steady_timer pause(loops_.loop(0));
    while (stopping_ == Stopping::no) {
        pause.expires_after(kKeysWatched);
        co_await pause.async_wait(as_result);
        if (stopping_ == Stopping::no && (keyring_.changed() || (current_.srs && srs_keys_.changed()))) (void)take_up_keys();
    }
}

asio::awaitable<void> Server::async_watch_lists() {
    asio::steady_timer pause(loops_.loop(0));
    while (stopping_ == Stopping::no) {
        test_lists();
        pause.expires_after(kListsTested);
        co_await pause.async_wait(as_result);
    }
}

void Server::test_lists() { asio::co_spawn(loops_.loop(0), async_test_lists(*resolver_, current_.rulebook, log_), asio::detached); }

/// Keys to sign with and secrets to rewrite with, each for themselves: what cannot be read stays as it was, and keeps nothing else back.
base::Result<void> Server::take_up_keys() {
    base::Result<void> all;
    for (const auto read : {&Server::prepare_signing, &Server::prepare_rewriting}) {
        auto done = (this->*read)(current_);
        if (done) continue;
        log_.error("keys_not_read", {{"reason", done.error().detail}});
        if (all) all = std::move(done);
    }
    auto carriers = make_carriers(current_);
    if (!carriers) return base::pass_on(carriers);
    dispatcher_->configure(*std::move(carriers));
    service_->configure(service_options(current_));
    if (all) log_.info("keys_read");
    return all;
}

/// The command line changed them, and tells what came of it.
asio::awaitable<admin::ControlResult> Server::async_reload_keys() {
    if (auto taken = take_up_keys(); !taken) co_return base::pass_on(taken);
    co_return json::value(true);
}

base::Result<void> Server::open_control() {
    auto handlers = admin::queue_handlers(*spool_.spool, *dispatcher_, pool_);
    handlers.merge(admin::ban_handlers(login_guard_, clock_, log_, [this] { return async_save_state(); }));
    watch_.save_by([this] { return async_save_state(); });
    handlers.merge(watch_.handlers());
    handlers["trace.flush"] = [this](json::object) -> asio::awaitable<admin::ControlResult> {
        return pool_.async_run([this]() -> admin::ControlResult {
            journal_->flush();
            return json::value(true);
        });
    };
    handlers["keys.reload"] = [this](json::object) { return async_reload_keys(); };
    control_ = std::make_unique<admin::ControlServer>(loops_.loop(0), std::move(handlers), log_);
    return control_->listen(config_.data_dir / "control.sock");
}

void Server::start_listeners() {
    for (auto& bound : listeners_)
        bound.listener.start(
            [this, &bound](asio::ip::tcp::socket socket) { service_->serve(std::move(socket), bound.profile, bound.loop); });
    for (auto& bound : local_listeners_)
        bound.listener.start([this, &bound](auto socket) { service_->serve(std::move(socket), bound.profile, 0); });
}

/// The first SIGTERM or SIGINT stops in order, a second one ends the waiting.
asio::awaitable<void> Server::async_watch_signals() {
    while (true) {
        const auto [error, number] = co_await signals_->async_wait(as_result);
        if (error) break;
        if (number == SIGHUP) {
            if (stopping_ == Stopping::no) reload();
        } else if (stopping_ == Stopping::no) {
            stopping_ = Stopping::in_order;
            asio::co_spawn(loops_.loop(0), async_stop(), asio::detached);
        } else if (stopping_ == Stopping::in_order) {
            stopping_ = Stopping::at_once;
            log_.info("stopping_at_once");
        }
    }
    ended_.set_value();
}

/// Accepts no more and begins no more; what is in transfer, in and out, has one grace to end. What a peer holds up longer is not lost: a
/// client was not told 250 and tries again, a delivery waits in the spool.
asio::awaitable<void> Server::async_stop() {
    log_.info("stopping", {{"conversations", service_->open()}});
    control_->close();
    for (auto& bound : listeners_) bound.listener.close();
    for (auto& bound : local_listeners_) bound.listener.close();
    service_->shut_down();
    if (reporter_) reporter_->stop();
    const auto until = std::chrono::steady_clock::now() + kStopGrace;
    asio::co_spawn(loops_.loop(0), dispatcher_->async_stop(kStopGrace), [this](std::exception_ptr) { delivered_ = true; });
    asio::steady_timer pause(loops_.loop(0));
    while (stopping_ == Stopping::in_order && (!delivered_ || service_->open() > 0) && std::chrono::steady_clock::now() < until) {
        pause.expires_after(std::chrono::milliseconds(20));
        co_await pause.async_wait(as_result);
    }
    if (!delivered_ || service_->open() > 0)
        log_.warning("transfers_cut_short", {{"conversations", service_->open()}, {"deliveries", delivered_ ? "ended" : "cut short"}});
    service_->abort();
    co_await dispatcher_->async_stop(std::chrono::milliseconds(0));  // records what has ended meanwhile
    signals_->cancel();
}

/// All threads end before anything is let go: those of the pool call into the spool, the spool's into the dispatcher, all into the loops.
/// What still waits is destroyed while all that it refers to exists.
void Server::tear_down() {
    loops_.halt();
    pool_.stop();
    resolver_->stop();
    (void)save_state();
    if (tallies_)
        if (auto flushed = tallies_->flush(); !flushed) log_.error("dmarc_tallies_not_written", {{"reason", flushed.error().detail}});
    spool_.spool.reset();
    loops_.stop();
    log_.info("stopped");
}

/// On loop 0, where the dispatcher lives. A file that is not right as a whole changes nothing.
void Server::reload() {
    auto loaded = config::load_config(options_.config_file, options_.surroundings);
    if (!loaded) {
        log_.error("reload_failed", {{"reason", loaded.error().detail}});
        return;
    }
    if (loaded->config.data_dir != config_.data_dir) {  // mail, accounts and queue would be looked for in two places
        log_.error("reload_failed", {{"reason", fmt::format("data_dir cannot change while the server runs: it is {}, the file says {}",
                                                            config_.data_dir.string(), loaded->config.data_dir.string())}});
        return;
    }
    if (auto keys = prepare_keys(loaded->config); !keys) {
        log_.error("reload_failed", {{"reason", keys.error().detail}});
        return;
    }
    auto directory = open_directory(loaded->config);
    if (!directory) {
        log_.error("reload_failed", {{"reason", directory.error().detail}});
        return;
    }
    auto countries = open_countries(loaded->config);
    if (!countries) {
        log_.error("reload_failed", {{"reason", countries.error().detail}});
        return;
    }
    auto carriers = make_carriers(loaded->config);
    if (!carriers) {
        log_.error("reload_failed", {{"reason", carriers.error().detail}});
        return;
    }
    directory_->switch_to(*std::move(directory));
    dispatcher_->configure(*std::move(carriers));
    countries_ = *std::move(countries);
    service_->configure(service_options(loaded->config));
    watch_.configure(loaded->config);
    current_ = loaded->config;
    test_lists();
    log_.info("reloaded", {{"file", options_.config_file.string()}});
    if (const auto keys = changes_for_a_restart(settings_, loaded->settings); !keys.empty())
        log_.warning("restart_needed", {{"settings", fmt::format("{}", fmt::join(keys, ", "))}});
}

}  // namespace

base::Result<void> run_server(config::Loaded loaded, const ServerOptions& options) {
    Server server(std::move(loaded), options);
    auto started = server.start();
    if (!started) return started;
    server.wait();
    server.tear_down();
    return {};
}

}  // namespace thurn::app
