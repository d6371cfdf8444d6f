// Who takes mail in, who sends it on, who reports, and who answers the command line.
#include "admin/ban_commands.h"
#include "admin/queue_commands.h"
#include "app/assembly.h"
#include "app/running_server.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

namespace thurn::app {

namespace json = boost::json;

namespace {

base::Result<smtp::ClientCredentials> read_credentials(const std::string& reference) {
    auto secret = config::read_secret(reference);
    if (!secret) return base::pass_on(secret);
    return smtp::ClientCredentials{std::move(secret->login), std::move(secret->password)};
}

}  // namespace

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

}  // namespace thurn::app
