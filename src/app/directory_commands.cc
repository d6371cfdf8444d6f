#include "app/command.h"
#include "app/kept_watch.h"
#include "app/privileges.h"
#include "app/stores.h"
#include "directory/resolve.h"
#include "mail/mailbox.h"

#include <algorithm>
#include <cerrno>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace thurn::app {

namespace json = boost::json;

namespace {

using Admin = storage::SqliteDirectory;

int finish(const base::Result<void>& result, const std::string& said) {
    if (!result) return complain(result.error());
    print_line(said);
    return exit_ok;
}

/// Opens the directory and runs the command on it.
template <class Command>
int with_directory(const CommandContext& context, Command command) {
    const auto loaded = load_configuration(context);
    if (!loaded) return complain(loaded.error());
    if (auto done = act_as_owner(loaded->config); !done) return complain(done.error());
    if (auto made = prepare_folder(loaded->config.data_dir, nullptr); !made) return complain(made.error());
    const auto directory = open_directory(loaded->config);
    if (!directory) return complain(directory.error());
    return command(**directory, loaded->config);
}

int list_domains(const CommandContext& context, Admin& directory, const config::Config& config) {
    const auto domains = directory.domains();
    if (!domains) return complain(domains.error());
    auto all = *domains;
    for (const auto& domain : config.domains)
        if (std::ranges::none_of(all, [&](const auto& known) { return known.first == domain.name; }))
            all.emplace_back(domain.name, domain.catch_all);
    json::array array;
    std::vector<std::vector<std::string>> rows;
    for (const auto& [name, catch_all] : all) {
        array.push_back(json::object{{"name", name}, {"catch_all", catch_all}});
        rows.push_back({name, catch_all.empty() ? "-" : catch_all});
    }
    if (context.json)
        print_json(array);
    else
        print_table({"DOMAIN", "CATCH-ALL"}, rows);
    return exit_ok;
}

/// What the server that watches over the accounts knows of them; nothing where it cannot be asked.
json::object watched(const config::Config& config, const std::vector<directory::Account>& accounts) {
    json::array logins;
    for (const auto& account : accounts) logins.push_back(json::value(account.address));
    auto answer = ask_watch(config, {{"command", "accounts.show"}, {"logins", std::move(logins)}});
    return answer && answer->is_object() ? std::move(answer->as_object()) : json::object();
}

std::string state_of(const directory::Account& account, const json::value& watch) {
    std::string state = account.enabled ? "enabled" : "disabled";
    if (const auto* held = watch.is_object() ? watch.as_object().if_contains("held_because") : nullptr; held && held->is_string())
        state += ", held: " + std::string(held->as_string());
    if (account.suspended) state += account.suspended->empty() ? ", suspended" : ", suspended: " + *account.suspended;
    return state;
}

int list_accounts(const CommandContext& context, Admin& directory, const config::Config& config, const std::string& only) {
    const auto accounts = directory.accounts();
    if (!accounts) return complain(accounts.error());
    const auto watch = watched(config, *accounts);
    json::array array;
    std::vector<std::vector<std::string>> rows;
    for (const auto& account : *accounts) {
        if (!only.empty() && account.address != only) continue;
        const auto* known = watch.if_contains(account.address);
        const auto told = known ? *known : json::value(nullptr);
        array.push_back(json::object{{"address", account.address},
                                     {"enabled", account.enabled},
                                     {"suspended", account.suspended ? json::value(*account.suspended) : json::value(nullptr)},
                                     {"watch", told}});
        rows.push_back({account.address, state_of(account, told)});
    }
    if (!only.empty() && rows.empty()) return complain({base::ErrorKind::not_found, fmt::format("there is no account {}", only)});
    if (context.json)
        print_json(array);
    else
        print_table({"ACCOUNT", "STATE"}, rows);
    return exit_ok;
}

int list_aliases(const CommandContext& context, Admin& directory, const std::string& only) {
    const auto aliases = directory.aliases();
    if (!aliases) return complain(aliases.error());
    json::array array;
    std::vector<std::vector<std::string>> rows;
    for (const auto& alias : *aliases) {
        if (!only.empty() && alias.address != only) continue;
        json::array targets;
        for (const auto& target : alias.targets) targets.push_back(json::value(target));
        array.push_back(json::object{{"address", alias.address}, {"targets", std::move(targets)}});
        rows.push_back({alias.address, fmt::format("{}", fmt::join(alias.targets, ", "))});
    }
    if (!only.empty() && rows.empty()) return complain({base::ErrorKind::not_found, fmt::format("there is no alias {}", only)});
    if (context.json)
        print_json(array);
    else
        print_table({"ALIAS", "TARGETS"}, rows);
    return exit_ok;
}

/// Which of the words given is no address; the directory alone would say only that one is not.
base::Result<void> check_addresses(const std::vector<std::string>& texts) {
    for (const auto& text : texts)
        if (const auto mailbox = mail::parse_mailbox(text, mail::Charset::utf8); !mailbox)
            return base::fail(base::ErrorKind::syntax,
                              fmt::format("\"{}\" is no address, such as anna@example.com: {}", text, mailbox.error().detail));
    return {};
}

base::Result<void> check_domain(const std::string& text) {
    const auto domain = mail::parse_domain(text, mail::Charset::utf8);
    if (domain) return {};
    return base::fail(base::ErrorKind::syntax, fmt::format("\"{}\" is no domain, such as example.com: {}", text, domain.error().detail));
}

base::Result<void> refuse_overlap(const std::string& what) {
    return base::fail(base::ErrorKind::exists, what + "; nothing was changed, --force does it all the same");
}

/// An alias comes before an account of its name, whose owner would wonder where the mail goes.
base::Result<void> expect_no_account(Admin& directory, const DirectoryCommand& command) {
    const auto account = directory.find_account(command.address);
    if (!account) return std::unexpected(account.error());
    if (!*account || command.overlap == Overlap::allow) return {};
    return refuse_overlap(fmt::format("{} is an account: an alias would take its mail, and its mailbox would get none",
                                      directory::fold_address(command.address)));
}

base::Result<void> expect_no_alias(Admin& directory, const DirectoryCommand& command) {
    const auto aliases = directory.aliases();
    if (!aliases) return std::unexpected(aliases.error());
    const auto found = std::ranges::find(*aliases, directory::fold_address(command.address), &directory::Alias::address);
    if (found == aliases->end() || command.overlap == Overlap::allow) return {};
    return refuse_overlap(fmt::format("{} is an alias: its mail goes to {}, and the mailbox of such an account would get none",
                                      found->address, fmt::join(found->targets, ", ")));
}

/// What an address that gets a meaning of its own had until now.
std::string farewell_to_catch_all(Admin& directory, const std::string& address) {
    const auto mailbox = mail::parse_mailbox(address, mail::Charset::utf8);
    if (!mailbox) return {};
    const auto before = directory.resolve(*mailbox);
    const auto* alias = before ? std::get_if<directory::AliasFor>(&*before) : nullptr;
    if (!alias || !alias->name.starts_with('@')) return {};
    return fmt::format("; until now it fell to the catch-all {}", mail::render_mailbox(alias->targets.front()));
}

int suspend(Admin& directory, const DirectoryCommand& command) {
    const auto done = directory.suspend(command.address, command.reason);
    if (!done) return complain(done.error());
    print_line(*done ? fmt::format("suspended account {}", command.address)
                     : fmt::format("account {} was suspended before; its reason stays", command.address));
    return *done ? exit_ok : exit_no;
}

/// From a suspension, and from what it is held for because it sent so much.
int release(Admin& directory, const config::Config& config, const DirectoryCommand& command) {
    const auto done = directory.release(command.address);
    if (!done) return complain(done.error());
    const auto watch = ask_watch(config, {{"command", "accounts.release"}, {"login", directory::fold_address(command.address)}});
    if (!watch && watch.error().kind != base::ErrorKind::peer_gone) return complain(watch.error());
    const bool held = watch && watch->is_bool() && watch->as_bool();
    if (!*done && !held) {
        print_line(fmt::format("account {} was neither suspended nor held", command.address));
        return exit_no;
    }
    print_line(fmt::format("released account {}", command.address));
    print_line(
        fmt::format("what is held of its mail: thurn quarantine list|release|delete --login {}", directory::fold_address(command.address)));
    return exit_ok;
}

/// Asks for the password before anything is touched.
int with_password(const DirectoryCommand& command, auto action) {
    const auto password = read_password(command.password_from);
    return password ? action(*password) : complain(password.error());
}

}  // namespace

base::Result<void> act_as_owner(const config::Config& config) {
    if (!is_root()) return {};
    if (!config.user.empty())
        if (auto identity = find_user(config.user)) {
            if (auto made = prepare_folder(config.data_dir, &*identity); !made) return made;
            return become(*identity);
        }
    struct stat facts{};
    if (::stat(config.data_dir.c_str(), &facts) != 0 || facts.st_uid == 0) return {};
    return become({facts.st_uid, facts.st_gid, {}});
}

int domain_command(const CommandContext& context, const DirectoryCommand& command) {
    if (command.verb != "list")
        if (const auto good = check_domain(command.address); !good) return complain(good.error());
    if (const auto good = check_addresses(command.targets); !good) return complain(good.error());
    return with_directory(context, [&](Admin& directory, const config::Config& config) {
        if (command.verb == "list") return list_domains(context, directory, config);
        if (command.verb == "add") return finish(directory.add_domain(command.address), fmt::format("added domain {}", command.address));
        if (command.verb == "remove")
            return finish(directory.remove_domain(command.address), fmt::format("removed domain {}", command.address));
        const auto target = command.targets.empty() ? std::string() : command.targets.front();
        return finish(directory.set_catch_all(command.address, target),
                      target.empty() ? fmt::format("{} has no catch-all", command.address)
                                     : fmt::format("unknown addresses of {} go to {}", command.address, target));
    });
}

int account_command(const CommandContext& context, const DirectoryCommand& command) {
    if (command.verb != "list")
        if (const auto good = check_addresses({command.address}); !good) return complain(good.error());
    return with_directory(context, [&](Admin& directory, const config::Config& config) {
        const auto& address = command.address;
        if (command.verb == "list" || command.verb == "show")
            return list_accounts(context, directory, config, directory::fold_address(address));
        if (command.verb == "add")
            if (const auto free = expect_no_alias(directory, command); !free) return complain(free.error());
        if (command.verb == "remove")
            return finish(directory.remove_account(address), fmt::format("removed account {}; its mail is kept", address));
        if (command.verb == "enable") return finish(directory.set_enabled(address, true), fmt::format("enabled account {}", address));
        if (command.verb == "disable") return finish(directory.set_enabled(address, false), fmt::format("disabled account {}", address));
        if (command.verb == "suspend") return suspend(directory, command);
        if (command.verb == "release") return release(directory, config, command);
        return with_password(command, [&](const std::string& password) {
            if (command.verb == "password")
                return finish(directory.set_password(address, password), fmt::format("changed the password of {}", address));
            const auto before = farewell_to_catch_all(directory, address);
            return finish(directory.add_account(address, password), fmt::format("added account {}{}", address, before));
        });
    });
}

int alias_command(const CommandContext& context, const DirectoryCommand& command) {
    auto addresses = command.targets;
    if (command.verb != "list") addresses.push_back(command.address);
    if (const auto good = check_addresses(addresses); !good) return complain(good.error());
    return with_directory(context, [&](Admin& directory, const config::Config&) {
        if (command.verb == "list" || command.verb == "show")
            return list_aliases(context, directory, directory::fold_address(command.address));
        if (command.verb == "remove")
            return finish(directory.remove_alias(command.address), fmt::format("removed alias {}", command.address));
        if (const auto free = expect_no_account(directory, command); !free) return complain(free.error());
        const auto before = farewell_to_catch_all(directory, command.address);
        return finish(directory.add_alias(command.address, command.targets),
                      fmt::format("{} leads to {}{}", command.address, fmt::join(command.targets, ", "), before));
    });
}

}  // namespace thurn::app
