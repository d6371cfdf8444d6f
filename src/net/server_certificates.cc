#include "base/guarded.h"
#include "net/tls.h"

#include <chrono>
#include <compare>

#include <sys/stat.h>

namespace thurn::net {

namespace {

constexpr auto kLookEvery = std::chrono::seconds(1);

/// What changes when a file is replaced or rewritten. All zero: it cannot be seen.
struct FileState {
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = 0;
    std::int64_t seconds = 0;
    std::int64_t nanoseconds = 0;
    friend bool operator==(const FileState&, const FileState&) = default;
};

FileState state_of(const std::filesystem::path& path) {
    struct stat found{};
    if (::stat(path.c_str(), &found) != 0) return {};
    return {found.st_dev, found.st_ino, found.st_size, found.st_mtim.tv_sec, found.st_mtim.tv_nsec};
}

std::vector<FileState> states_of(const std::vector<CertificateFiles>& files, const std::filesystem::path& client_ca) {
    std::vector<FileState> states;
    if (!client_ca.empty()) states.push_back(state_of(client_ca));
    for (const auto& pair : files) {
        states.push_back(state_of(pair.certificate));
        states.push_back(state_of(pair.private_key));
        if (!pair.ocsp_response.empty()) states.push_back(state_of(pair.ocsp_response));
    }
    return states;
}

}  // namespace

struct ServerCertificates::State {
    struct Loaded {
        std::shared_ptr<const TlsContext> context;
        std::vector<FileState> states;  // taken before the files were read, so that no change is missed
        std::chrono::steady_clock::time_point looked{};
    };
    std::vector<CertificateFiles> files;
    ServerTlsOptions options;
    base::Log& log;
    base::Guarded<Loaded> loaded{};

    void reload_if_changed(Loaded& now) const;
    void tell_remarks(const TlsContext& context) const;
};

ServerCertificates::ServerCertificates(std::vector<CertificateFiles> files, ServerTlsOptions options, base::Log& log)
    : state_(new State{std::move(files), std::move(options), log}) {}
ServerCertificates::~ServerCertificates() = default;

base::Result<void> ServerCertificates::load() {
    auto states = states_of(state_->files, state_->options.client_ca);
    auto context = TlsContext::for_server(state_->files, state_->options);
    if (!context) return base::pass_on(context);
    state_->tell_remarks(**context);
    state_->loaded.with([&](State::Loaded& now) { now = {*std::move(context), std::move(states), std::chrono::steady_clock::now()}; });
    return {};
}

void ServerCertificates::State::tell_remarks(const TlsContext& context) const {
    for (const auto& remark : context.remarks()) log.warning("ocsp_not_stapled", {{"reason", remark}});
}

// The new states are remembered even if the files are bad: one warning per change is enough.
void ServerCertificates::State::reload_if_changed(Loaded& now) const {
    auto states = states_of(files, options.client_ca);
    if (states == now.states) return;
    now.states = std::move(states);
    auto context = TlsContext::for_server(files, options);
    if (!context) return log.warning("certificate_not_reloaded", {{"reason", context.error().detail}});
    tell_remarks(**context);
    now.context = *std::move(context);
    log.info("certificate_reloaded", {{"certificate", files.front().certificate.native()}});
}

std::shared_ptr<const TlsContext> ServerCertificates::current_at(std::chrono::steady_clock::time_point now) {
    return state_->loaded.with([this, now](State::Loaded& loaded) {
        if (loaded.context && now - loaded.looked >= kLookEvery) {
            loaded.looked = now;
            state_->reload_if_changed(loaded);
        }
        return loaded.context;
    });
}

}  // namespace thurn::net
