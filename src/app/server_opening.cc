// What is claimed, bound and opened before anybody is served, the ports as root.
#include "app/assembly.h"
#include "app/running_server.h"
#include "net/endpoint.h"

#include <algorithm>

#include <boost/asio/ip/v6_only.hpp>
#include <fmt/format.h>

namespace thurn::app {

namespace {

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

/// What the administrator mends in the configuration, whatever kind it was to whoever noticed it: it decides the exit code.
std::unexpected<base::Error> misconfigured(std::string detail) { return base::fail(base::ErrorKind::invalid, std::move(detail)); }

}  // namespace

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

}  // namespace thurn::app
