#include "app/assembly.h"
#include "app/check_signing.h"
#include "app/command.h"
#include "app/privileges.h"
#include "app/server.h"
#include "app/stores.h"
#include "config/file_access.h"
#include "net/resolver.h"
#include "net/tls.h"

#include <cerrno>
#include <filesystem>
#include <system_error>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

namespace thurn::app {

namespace json = boost::json;

namespace {

std::string_view weight_name(Remark::Weight weight) {
    return weight == Remark::Weight::ok ? "ok" : weight == Remark::Weight::warning ? "warning" : "error";
}

void check_dates(const net::CertificateFiles& pair, Remarks& remarks) {
    const auto facts = net::inspect_certificate(pair.certificate);
    if (!facts)
        remarks.push_back({Remark::Weight::error, "tls", facts.error().detail});
    else if (facts->days_left < 0)
        remarks.push_back({Remark::Weight::error, "tls", fmt::format("{}: expired on {}", pair.certificate.string(), facts->not_after)});
    else if (facts->days_left < 14)
        remarks.push_back({Remark::Weight::warning, "tls", fmt::format("{}: expires on {}", pair.certificate.string(), facts->not_after)});
    else
        remarks.push_back(
            {Remark::Weight::ok, "tls",
             fmt::format("{}: for {}, until {}", pair.certificate.string(), fmt::join(facts->names, ", "), facts->not_after)});
}

void check_certificates(const config::Config& config, Remarks& remarks) {
    if (!any_tls(config)) {
        remarks.push_back({Remark::Weight::warning, "tls", "no listener uses TLS: passwords cannot be used, mail travels in clear text"});
        return;
    }
    const auto files = certificate_files(config);
    if (self_signed_wanted(config))
        remarks.push_back({Remark::Weight::warning, "tls",
                           "no certificate is configured: a self-signed one is used, which mail programs do not trust; set tls.certificate "
                           "and tls.private_key"});
    std::error_code ignored;
    if (self_signed_wanted(config) && !std::filesystem::exists(files.front().certificate, ignored)) return;  // made at the first start
    const auto context = net::TlsContext::for_server(files, config.tls);
    if (!context) {
        remarks.push_back({Remark::Weight::error, "tls", context.error().detail});
        return;
    }
    for (const auto& remark : (*context)->remarks()) remarks.push_back({Remark::Weight::warning, "tls", remark});
    for (const auto& pair : files) check_dates(pair, remarks);
}

void check_private_key(const std::filesystem::path& key, Remarks& remarks) {
    if (auto warning = config::warn_of_readers(key)) remarks.push_back({Remark::Weight::warning, "tls", *std::move(warning)});
}

/// Whether the server will see renewals; asked as root, who alone can tell.
void check_renewal(const config::Config& config, Remarks& remarks) {
    const auto identity = choose_identity(config);
    if (!identity || !*identity || !net::TlsContext::for_server(certificate_files(config), config.tls)) return;
    for (const auto& file : not_renewable(config, **identity))
        remarks.push_back(
            {Remark::Weight::warning, "tls",
             fmt::format("{}: user {} cannot read it, so a renewed one is used only after a restart; let the user read it, or "
                         "keep it in data_dir",
                         file.string(), (*identity)->name)});
}

void check_directory(const config::Config& config, Remarks& remarks) {
    std::error_code ignored;
    if (!std::filesystem::exists(config.directory_path, ignored)) {
        if (ignored) return;  // told by check_data()
        remarks.push_back({Remark::Weight::warning, "directory", "no domains or accounts yet: thurn domain add …, thurn account add …"});
        return;
    }
    const auto directory = open_directory(config);
    if (!directory) {
        remarks.push_back({Remark::Weight::error, "directory", directory.error().detail});
        return;
    }
    const auto domains = (*directory)->domains();
    const auto accounts = (*directory)->accounts();
    if (!domains || !accounts) {
        remarks.push_back({Remark::Weight::error, "directory", (domains ? accounts.error() : domains.error()).detail});
        return;
    }
    if (accounts->empty())
        remarks.push_back({Remark::Weight::warning, "directory", "no accounts yet: thurn account add NAME@DOMAIN"});
    else
        remarks.push_back({Remark::Weight::ok, "directory",
                           fmt::format("{} domains, {} accounts", domains->size() + config.domains.size(), accounts->size())});
}

void check_countries(const config::Config& config, Remarks& remarks) {
    if (const auto countries = open_countries(config); !countries)
        remarks.push_back({Remark::Weight::error, "geoip", countries.error().detail});
}

void check_spool(const config::Config& config, Remarks& remarks) {
    const auto quarantine = config.data_dir / "spool" / "quarantine";
    std::error_code ignored;
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(quarantine, ignored)) count += entry.is_regular_file() ? 1 : 0;
    if (count > 0)
        remarks.push_back({Remark::Weight::error, "spool",
                           fmt::format("{}: {} damaged records were set aside; each may have been a message", quarantine.string(), count)});
    const auto space = std::filesystem::space(config.data_dir, ignored);
    if (!ignored && space.available < config.limits.disk_reserve.count)
        remarks.push_back({Remark::Weight::error, "spool",
                           fmt::format("only {} octets are free: new mail is refused below {}", space.available,
                                       base::render_octets(config.limits.disk_reserve))});
}

/// Whether the server could make and use its folder, as who calls.
void check_data(const config::Config& config, Remarks& remarks) {
    auto folder = config.data_dir;
    while (::access(folder.c_str(), F_OK) != 0 && errno == ENOENT && folder.has_relative_path()) folder = folder.parent_path();
    std::error_code error;
    if (::access(folder.c_str(), R_OK | W_OK | X_OK) != 0)
        error = {errno, std::generic_category()};
    else if (!std::filesystem::is_directory(folder, error) && !error)
        error = std::make_error_code(std::errc::not_a_directory);
    if (error) remarks.push_back({Remark::Weight::error, "data_dir", fmt::format("{}: {}", folder.string(), error.message())});
}

/// Why the servers are of no use, or empty. Waits some seconds for silent ones.
std::string ask_dns(net::Resolver& resolver) {
    boost::asio::io_context loop;
    dns::Answer answer;
    boost::asio::co_spawn(loop, resolver.async_ask({"", dns::Type::soa}), [&answer](std::exception_ptr trouble, dns::Answer given) {
        if (!trouble) answer = std::move(given);
    });
    loop.run();
    return answer.status == dns::Status::failed ? fmt::format("no answer from {}: {}", fmt::join(resolver.servers(), ", "), answer.detail)
                                                : std::string();
}

/// Whether the servers answer, and pass signatures on.
void check_dns(const config::Config& config, Remarks& remarks) {
    const auto resolver =
        net::Resolver::start({.servers = config.dns_servers, .dnssec = config.dnssec, .timeout = std::chrono::seconds(3)});
    if (!resolver)
        remarks.push_back({Remark::Weight::error, "dns", resolver.error().detail});
    else if (const auto trouble = ask_dns(**resolver); !trouble.empty())
        remarks.push_back({Remark::Weight::error, "dns", trouble});
    else if (!(*resolver)->notice().empty())
        remarks.push_back({Remark::Weight::warning, "dns", (*resolver)->notice()});
    else
        remarks.push_back({Remark::Weight::ok, "dns",
                           fmt::format("{}: answers are {}", fmt::join((*resolver)->servers(), ", "),
                                       (*resolver)->validates() ? "validated" : "not validated, as dns.dnssec says")});
}

int print_remarks(const CommandContext& context, const Remarks& remarks) {
    json::array array;
    bool errors = false;
    for (const auto& remark : remarks) {
        errors |= remark.weight == Remark::Weight::error;
        array.push_back(json::object{{"weight", weight_name(remark.weight)}, {"about", remark.about}, {"text", remark.text}});
        if (!context.json) print_line(fmt::format("{:<8} {}: {}", weight_name(remark.weight), remark.about, remark.text));
    }
    if (context.json) print_json(array);
    return errors ? exit_no : exit_ok;
}

}  // namespace

int check(const CommandContext& context) {
    const auto loaded = load_configuration(context);
    if (!loaded) return complain(loaded.error());
    Remarks remarks;
    const auto file = find_config(context);
    remarks.push_back({Remark::Weight::ok, "configuration", file.empty() ? "no file: all defaults" : file.string()});
    for (const auto& warning : loaded->warnings) remarks.push_back({Remark::Weight::warning, "configuration", warning});
    check_certificates(loaded->config, remarks);
    for (const auto& pair : loaded->config.certificates) check_private_key(pair.private_key, remarks);
    check_renewal(loaded->config, remarks);
    check_dns(loaded->config, remarks);
    check_data(loaded->config, remarks);
    check_directory(loaded->config, remarks);
    check_spool(loaded->config, remarks);
    check_signing(loaded->config, remarks);
    check_countries(loaded->config, remarks);
    return print_remarks(context, remarks);
}

int config_show(const CommandContext& context, bool changed_only) {
    const auto loaded = load_configuration(context);
    if (!loaded) return complain(loaded.error());
    json::array array;
    for (const auto& setting : loaded->settings) {
        if (changed_only && !setting.changed()) continue;
        array.push_back(json::object{{"key", setting.key}, {"value", setting.value}, {"origin", setting.origin}});
        if (!context.json) print_line(fmt::format("{} = {}  # {}", setting.key, setting.value, setting.origin));
    }
    if (context.json) print_json(array);
    return exit_ok;
}

int config_test(const CommandContext& context, const std::string& file) {
    const auto loaded = load_file(file);
    if (!loaded) return complain(loaded.error());
    for (const auto& warning : loaded->warnings) print_line("warning: " + warning);
    if (!context.json) print_line(fmt::format("{}: good", file));
    return exit_ok;
}

int serve(const CommandContext& context) {
    auto loaded = load_configuration(context);
    if (!loaded) return complain(loaded.error());
    const auto ended = run_server(*std::move(loaded), {.config_file = find_config(context), .surroundings = surroundings()});
    return ended ? exit_ok : complain(ended.error());
}

}  // namespace thurn::app
