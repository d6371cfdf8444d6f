// The command line (DESIGN §8.3): which words there are, and what they mean. The only file that knows CLI11.
#include "app/command.h"
#include "bench/bench_sink.h"
#include "bench/bench_source.h"

#include <algorithm>
#include <functional>
#include <map>
#include <ranges>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace thurn::app {

namespace {

/// A whole number from 1 on; what CLI11 itself would say is its range in full.
CLI::Validator count() {
    CLI::Validator validator(
        [](const std::string& text) {
            const bool digits = !text.empty() && text.size() < 10 && text.find_first_not_of("0123456789") == std::string::npos;
            if (digits && text.find_first_not_of('0') != std::string::npos) return std::string();
            return fmt::format("\"{}\" is no count; write a number from 1 on", text);
        },
        "");
    return validator;
}

/// One of some words, each for a value; what CLI11 itself would say shows the values too.
template <class Value>
CLI::Validator one_of(std::map<std::string, Value> words) {
    return {[words = std::move(words)](std::string& text) {
                const auto found = words.find(text);
                if (found == words.end()) return fmt::format("\"{}\" is none of {}", text, fmt::join(std::views::keys(words), ", "));
                text = std::to_string(static_cast<int>(found->second));
                return std::string();
            },
            ""};
}

constexpr const char* kFooter = R"(A server from nothing:
  thurn check                           what is missing or wrong, before the first start
  thurn domain add example.com          a domain to take mail for
  thurn account add anna@example.com    somebody with a mailbox; asks for a password
  thurn serve                           runs until it gets SIGTERM

`thurn COMMAND --help` tells more. Linked or called as `sendmail` (or `thurn sendmail …`) it takes what other programs give to sendmail.
Ends with 0 when all is well, 1 when the answer is no, 2 when the command line or the configuration is wrong, 3 when no server runs.)";

/// Collects the commands; the one that was given is run after parsing.
class CommandLine {
public:
    CommandLine() : app_("thurn, a mail server: takes mail in, keeps it safe, delivers it or passes it on", "thurn") {
        app_.set_help_flag("-h,--help", "Print this and end");
        app_.set_version_flag("--version", version_text(), "Print the version and end");
        app_.require_subcommand(1);
        app_.option_defaults()->always_capture_default();
        app_.get_formatter()->label("SUBCOMMAND", "COMMAND");
        app_.get_formatter()->label("Positionals", "What it is about");
        app_.get_formatter()->column_width(34);
        add_server_commands();
        add_directory_commands();
        add_queue_commands();
        add_quarantine_commands();
        add_bans_commands();
        add_alarms_command();
        add_trace_command();
        add_explain_command();
        add_reports_commands();
        add_tools();
        take_config_everywhere(app_, "Configuration (default: /etc/thurn/thurn.toml, then ./thurn.toml)");
        app_.footer(kFooter);  // last: what is added later would inherit it
    }

    int run(int argc, char** argv) {
        const auto words = read_words(argc, argv);
        app_.failure_message([&words](const CLI::App*, const CLI::Error& error) {
            return fmt::format("{}: {}\n`{} --help` tells what it takes.\n", words.name, error.what(), words.name);
        });
        try {
            app_.parse(argc, argv);
        } catch (const CLI::RequiredError& error) {
            return complain_of_command(words, error);
        } catch (const CLI::ParseError& error) {
            return app_.exit(error) == 0 ? exit_ok : exit_usage;
        }
        return action_();
    }

private:
    /// How far the words on the command line name a command.
    struct Words {
        const CLI::App* at;
        std::string name = "thurn";  // with the words so far
        std::string next;            // the first that is none; empty for an option or the end
    };
    static std::vector<const CLI::App*> below(const CLI::App& app) {
        return app.get_subcommands([](const CLI::App*) { return true; });
    }
    Words read_words(int argc, char** argv) const {
        Words words{.at = &app_, .next = {}};
        for (int i = 1; i < argc; ++i) {
            const std::string_view word = argv[i];
            if (word == "--config" || word == "-c") ++i;
            if (word.starts_with("--config") || word.starts_with("-c")) continue;
            const auto known = below(*words.at);
            const auto next = std::ranges::find(known, word, [](const CLI::App* app) { return app->get_name(); });
            if (next == known.end()) {
                if (!word.starts_with('-')) words.next = word;
                break;
            }
            words.at = *next;
            words.name += fmt::format(" {}", word);
        }
        return words;
    }

    /// What CLI11 calls "a subcommand is required": names the word that is none, or the words there are.
    int complain_of_command(const Words& words, const CLI::RequiredError& error) {
        std::vector<std::string> commands;
        for (const auto* command : below(*words.at)) commands.push_back(command->get_name());
        if (commands.empty())
            app_.exit(error);
        else if (!words.next.empty())
            fmt::print(stderr, "{}: there is no command \"{}\"; there are {}\n", words.name, words.next, fmt::join(commands, ", "));
        else if (words.at == &app_)
            fmt::print(stderr, "{}", app_.help());
        else
            fmt::print(stderr, "{}: name a command: {}\n`{} --help` tells what they do.\n", words.name, fmt::join(commands, ", "),
                       words.name);
        return exit_usage;
    }

    /// DESIGN §8.3: on every command, wherever it stands among its words.
    void take_config_everywhere(CLI::App& app, const char* help) {
        app.add_option("-c,--config", context_.config_file, help)->option_text("FILE");
        for (auto* command : app.get_subcommands([](const CLI::App*) { return true; })) {
            const bool reads = command->get_group() != kEngineersGroup && command->get_name() != "version";
            take_config_everywhere(*command, reads ? help : "Taken as by every command, but nothing is read from it");
            if (&app != &app_) command->group("Commands");  // else they inherit their parent's
        }
    }

    CLI::App* add(CLI::App& parent, const std::string& name, const std::string& help, std::function<int()> action) {
        auto* command = parent.add_subcommand(name, help);
        command->callback([this, action = std::move(action)] { action_ = action; });
        return command;
    }
    void add_json(CLI::App* command) { command->add_flag("--json", context_.json, "Print JSON"); }

    void add_server_commands() {
        constexpr const char* kGroup = "The server";
        add(app_, "serve", "Run the server, in the foreground", [this] { return serve(context_); })->group(kGroup);
        auto* checking =
            add(app_, "check", "Look for mistakes in configuration, certificates, DNS and data", [this] { return check(context_); });
        add_json(checking->group(kGroup));
        auto* config = app_.add_subcommand("config", "Show or test the configuration")->require_subcommand(1)->group(kGroup);
        auto* show = add(*config, "show", "Print every setting, with the line of the file it comes from",
                         [this] { return config_show(context_, changed_only_); });
        show->add_flag("--changed", changed_only_, "Only what differs from the defaults");
        add_json(show);
        auto* test = add(*config, "test", "Look for mistakes in a file that is not in use yet, and at what it would change", [this] {
            return replay_since_.empty() ? config_test(context_, file_) : config_replay(context_, file_, replay_since_);
        });
        test->add_option("file", file_, "The file")->required()->option_text(" ");
        test->add_option("--replay", replay_since_, "Tell what it would have done with the mail since then: 24h, or a time")
            ->option_text("SINCE");
        add_json(test);
        app_.add_subcommand("version", "Print the version")->group(kGroup)->callback([this] { action_ = print_version; });
    }

    CLI::App* add_verb(CLI::App& parent, const std::string& verb, const std::string& help,
                       int (*action)(const CommandContext&, const DirectoryCommand&)) {
        return add(parent, verb, help, [this, verb, action] {
            directory_.verb = verb;
            directory_.password_from = password_stdin_ ? PasswordFrom::standard_input : PasswordFrom::prompt;
            return action(context_, directory_);
        });
    }
    void add_address(CLI::App* command) {
        command->add_option("address", directory_.address, "Such as anna@example.com")->required()->option_text(" ");
    }
    void add_domain(CLI::App* command) {
        command->add_option("domain", directory_.address, "Such as example.com")->required()->option_text(" ");
    }
    void add_password(CLI::App* command) {
        command->add_flag("--password-stdin", password_stdin_, "Read the password from standard input instead of asking");
    }

    void add_force(CLI::App* command, const char* help) {
        command->add_flag_callback("--force", [this] { directory_.overlap = Overlap::allow; }, help);
    }

    void add_directory_commands() {
        add_domain_commands();
        add_account_commands();
        add_alias_commands();
        add_dkim_commands();
        add_srs_commands();
    }
    void add_domain_commands() {
        auto& domain = *app_.add_subcommand("domain", "Domains to take mail for")->require_subcommand(1)->group(kDirectoryGroup);
        add_json(add_verb(domain, "list", "List all domains", domain_command));
        add_domain(add_verb(domain, "add", "Take mail for a domain", domain_command));
        add_domain(add_verb(domain, "remove", "Take no more mail for a domain; its accounts and aliases must be gone", domain_command));
        auto* catch_all = add_verb(domain, "catch-all", "Say where mail for addresses nobody has goes", domain_command);
        add_domain(catch_all);
        catch_all->add_option("address", directory_.targets, "Where it goes; without one such mail is refused")
            ->expected(0, 1)
            ->option_text(" ");
    }
    void add_account_commands() {
        auto& account =
            *app_.add_subcommand("account", "People and programs with a mailbox")->require_subcommand(1)->group(kDirectoryGroup);
        add_json(add_verb(account, "list", "List all accounts", account_command));
        auto* show = add_verb(account, "show", "Show one account", account_command);
        add_address(show);
        add_json(show);
        auto* create = add_verb(account, "add", "Make an account", account_command);
        add_address(create);
        add_password(create);
        add_force(create, "Even where an alias takes the address's mail elsewhere");
        auto* password = add_verb(account, "password", "Change an account's password", account_command);
        add_address(password);
        add_password(password);
        add_address(add_verb(account, "enable", "Let it log in again", account_command));
        add_address(add_verb(account, "disable", "No more logins; mail for it is still taken", account_command));
        auto* suspend =
            add_verb(account, "suspend", "It sends no more mail until it is released; mail for it is taken as before", account_command);
        add_address(suspend);
        suspend->add_option("--reason", directory_.reason, "Why, for whoever reads the list")->option_text("TEXT");
        add_address(add_verb(account, "release", "Let it send mail again, as much as it did; what is held of its mail stays held",
                             account_command));
        add_address(add_verb(account, "remove", "Remove an account; the mail in its mailbox stays on the disk", account_command));
    }
    void add_alias_commands() {
        auto& alias = *app_.add_subcommand("alias", "Addresses that lead to others")->require_subcommand(1)->group(kDirectoryGroup);
        add_json(add_verb(alias, "list", "List all aliases", alias_command));
        auto* create = add_verb(alias, "add", "Lead an address to one or more others; adds to those it leads to already", alias_command);
        add_address(create);
        create->add_option("targets", directory_.targets, "Addresses it leads to")->required()->option_text(" ");
        add_force(create, "Even where an account has the address: its mailbox gets no more mail then");
        add_address(add_verb(alias, "remove", "Remove an alias, with all it leads to", alias_command));
        auto* show = add_verb(alias, "show", "Show one alias", alias_command);
        add_address(show);
        add_json(show);
    }

    CLI::App* add_dkim_verb(CLI::App& parent, const std::string& verb, const std::string& help) {
        return add(parent, verb, help, [this, verb] {
            dkim_.verb = verb;
            return dkim_command(context_, dkim_);
        });
    }
    CLI::Option* add_dkim_domain(CLI::App* command) {
        return command->add_option("domain", dkim_.domain, "Such as example.com")->option_text(" ");
    }
    void add_new_keys(CLI::App* command, const char* default_selector, const char* default_algorithm) {
        command->add_option("--selector", dkim_.selector, "What the records are named after, below _domainkey")
            ->option_text(fmt::format("NAME={}", default_selector));
        command->add_option("--algorithm", dkim_.algorithm, "rsa, ed25519 or both")
            ->transform(
                one_of<DkimAlgorithm>({{"rsa", DkimAlgorithm::rsa}, {"ed25519", DkimAlgorithm::ed25519}, {"both", DkimAlgorithm::both}}))
            ->option_text(fmt::format("KIND={}", default_algorithm));
    }
    void add_active_in(CLI::App* command) {
        command
            ->add_option("--active-in", dkim_.active_in,
                         "When to begin to sign: 2d, 12h, 0s; default: a domain's first keys at once, others in 2d")
            ->option_text("TIME");
    }
    void add_dkim_commands() {
        auto& dkim = *app_.add_subcommand("dkim", "Keys that mail is signed with")->require_subcommand(1)->group(kDirectoryGroup);
        auto* generate = add_dkim_verb(dkim, "generate", "Make keys in data_dir/keys; prints the DNS records to publish");
        add_dkim_domain(generate)->required();
        add_new_keys(generate, "s1", "both");
        add_active_in(generate);
        auto* import = add_dkim_verb(dkim, "import", "Take up a key that was made elsewhere; prints the DNS record to publish");
        add_dkim_domain(import)->required();
        import->add_option("selector", dkim_.selector, "What its record is named after, below _domainkey")->required()->option_text(" ");
        import->add_option("file", dkim_.file, "The private key, RSA or Ed25519, in PEM; it is copied")->required()->option_text(" ");
        add_active_in(import);
        add_dkim_listings(dkim);
        auto* rotate =
            add_dkim_verb(dkim, "rotate", "Make the next keys, which take over from those there are; prints the records to publish");
        add_dkim_domain(rotate)->required();
        add_new_keys(rotate, "(the day)", "(as now)");
        rotate->add_option("--prepublish", dkim_.prepublish, "How long the records are in DNS before the new keys sign")
            ->option_text("TIME=2d");
        rotate->add_option("--keep", dkim_.keep, "How long the old records stay in DNS after that")->option_text("TIME=7d");
        auto* remove = add_dkim_verb(dkim, "remove", "Delete keys whose records may go, or those named");
        add_dkim_domain(remove)->required();
        remove->add_option("selectors", dkim_.selectors, "Which; default: all that are removable")->option_text(" ");
        remove->add_flag("--force", dkim_.force, "Also those that sign, will sign, or signed mail that is still under way");
    }
    void add_dkim_listings(CLI::App& dkim) {
        auto* list = add_dkim_verb(dkim, "list", "Which keys there are, which sign, and what is to be done about them");
        add_dkim_domain(list);
        add_json(list);
        auto* dns = add_dkim_verb(dkim, "dns", "Print the DNS records of the keys, as lines of a zone file");
        add_dkim_domain(dns);
        add_json(dns);
        auto* check = add_dkim_verb(dkim, "check", "Ask DNS whether it has the records; ends with 1 when it has not");
        add_dkim_domain(check)->required();
        check->add_option("--resolver", dkim_.resolver, "DNS server to ask; default: dns.servers, else the system's")
            ->option_text("IP:PORT");
        add_json(check);
    }
    void add_srs_commands() {
        auto& srs = *app_.add_subcommand("srs", "Secrets that senders of forwarded mail are rewritten with")
                         ->require_subcommand(1)
                         ->group(kDirectoryGroup);
        const auto add_srs_verb = [this, &srs](const std::string& verb, const std::string& help) {
            return add(srs, verb, help, [this, verb] {
                srs_.verb = verb;
                return srs_command(context_, srs_);
            });
        };
        add_json(add_srs_verb("list", "How old they are, and how long each is read; never what they are"));
        add_srs_verb("rotate", "Put a new one in front; those before it are read until all they wrote is too old");
    }

    CLI::App* add_queue_verb(CLI::App& parent, const std::string& verb, const std::string& help) {
        auto* command = add(parent, verb, help, [this, verb] {
            queue_.verb = verb;
            return queue_command(context_, queue_);
        });
        add_json(command);
        return command;
    }
    void add_filter(CLI::App* command) {
        command->add_option("--from", queue_.from, "Only from this sender, such as anna@example.com, @example.com or <>")
            ->option_text("ADDRESS");
        command->add_option("--to", queue_.to, "Only with a recipient like that")->option_text("ADDRESS");
        command->add_option("--login", queue_.login, "Only what this account submitted")->option_text("NAME");
        command->add_option("--site", queue_.site, "Only bound for this site: its name as `queue list` shows it, or a host of it")
            ->option_text("SITE");
        command->add_option("--limit", queue_.limit, "At most so many messages")->check(count())->option_text("COUNT");
    }
    void add_queue_commands() {
        auto& queue = *app_.add_subcommand("queue", "Mail that waits, and why")->require_subcommand(1)->group(kMailGroup);
        add_filter(add_queue_verb(queue, "list", "List what waits, why and until when"));
        add_queue_verb(queue, "show", "Show one message with all its recipients")
            ->add_option("id", queue_.ids, "The message's id")
            ->option_text(" ")
            ->required()
            ->expected(1);
        for (const auto& [verb, help] : {std::pair{"retry", "Try again now"},
                                         {"hold", "Keep from being tried, until released"},
                                         {"release", "Let what was held go"},
                                         {"delete", "Throw away; nobody is told"}}) {
            auto* command = add_queue_verb(queue, verb, help);
            command->add_option("id", queue_.ids, "Message ids, done at once; or choose by --from, --to, --login, --site or --all")
                ->option_text(" ");
            add_filter(command);
            command->add_flag("--all", queue_.all, "Every message in the queue");
            command->add_flag(
                "--yes", queue_.yes,
                "With --from, --to, --login, --site, --all: do it; without this it only tells how many messages that would be");
        }
        add_queue_verb(queue, "stats", "Count messages, and name the sites they are bound for");
    }

    CLI::App* add_quarantine_verb(CLI::App& parent, const std::string& verb, const std::string& help) {
        auto* command = add(parent, verb, help, [this, verb] {
            queue_.verb = verb;
            queue_.quarantine = true;
            return queue_command(context_, queue_);
        });
        add_json(command);
        return command;
    }
    void add_quarantine_commands() {
        auto& quarantine = *app_.add_subcommand("quarantine", "Mail that rules, filters, scanners or you hold back")
                                ->require_subcommand(1)
                                ->group(kMailGroup);
        add_filter(add_quarantine_verb(quarantine, "list", "List what is held, and why; --to @example.com for one domain"));
        add_quarantine_verb(quarantine, "show", "Show one message with all its recipients")
            ->add_option("id", queue_.ids, "The message's id")
            ->option_text(" ")
            ->required()
            ->expected(1);
        for (const auto& [verb, help] : {std::pair{"release", "Let it go to its recipients"}, {"delete", "Throw away; nobody is told"}}) {
            auto* command = add_quarantine_verb(quarantine, verb, help);
            command->add_option("id", queue_.ids, "Message ids, done at once; or choose by --from, --to, --login, --site or --all")
                ->option_text(" ");
            add_filter(command);
            command->add_flag("--all", queue_.all, "Everything that is held");
            command->add_flag(
                "--yes", queue_.yes,
                "With --from, --to, --login, --site, --all: do it; without this it only tells how many messages that would be");
        }
    }

    void add_bans_commands() {
        auto& bans =
            *app_.add_subcommand("bans", "Who is turned away: by hand, or for failed logins")->require_subcommand(1)->group(kMailGroup);
        const auto add_verb = [&](const std::string& verb, const std::string& help) {
            auto* command = add(bans, verb, help, [this, verb] {
                bans_.verb = verb;
                return bans_command(context_, bans_);
            });
            add_json(command);
            return command;
        };
        add_verb("list", "List the bans there are, the latest first")
            ->add_flag("--nft", bans_.nftables, "Print addresses as commands for `nft -f`, to turn them away before they reach the server");
        auto* more = add_verb("add", "Turn away an address or network at connect, or a login at AUTH");
        auto* less = add_verb("remove", "Lift a ban, and forget the failed logins that led to it");
        for (auto* command : {more, less})
            command->add_option("subject", bans_.subjects, "192.0.2.1, 192.0.2.0/24, 2001:db8::/64 or anna@example.com")
                ->option_text(" ")
                ->required();
        more->add_option("--reason", bans_.reason, "Why, for whoever reads the list")->option_text("TEXT");
        more->add_option("--for", bans_.length, "How long, such as 2h or 7d; without, until it is lifted")->option_text("DURATION");
    }

    void add_alarms_command() {
        auto* command = add(app_, "alarms", "What somebody should know: accounts that send too much, attacks, rules with an alarm",
                            [this] { return alarms_command(context_, alarms_); });
        command->group(kMailGroup);
        command->add_option("--since", alarms_.since, "Seen since then: 24h (ago), 2026-11-22 or 2026-11-22T10:00:00Z")
            ->option_text("TIME");
        command->add_option("--kind", alarms_.kind, "Only of this kind, such as account or relay")->option_text("KIND");
        command->add_flag("--counts", alarms_.counts, "How many there were ever, by kind");
        add_json(command);
    }

    void add_trace_command() {
        auto* command = add(app_, "trace", "What happened to a message, step by step", [this] { return trace_command(context_, trace_); });
        command->group(kMailGroup);
        command
            ->add_option("id", trace_.id,
                         "The message's id, as the server's last reply, the log and Received: name it; or search by options")
            ->option_text(" ");
        command->add_option("--from", trace_.from, "Messages from this sender")->option_text("ADDRESS");
        command->add_option("--to", trace_.to, "Messages to this recipient")->option_text("ADDRESS");
        command->add_option("--since", trace_.since, "Taken in since then: 2h (ago), 2026-11-22 or 2026-11-22T10:00:00Z")
            ->option_text("TIME");
        command->add_option("--until", trace_.until, "Taken in until then")->option_text("TIME");
        command->add_option("--limit", trace_.limit, "At most so many messages")->check(count())->option_text("COUNT=100");
        add_json(command);
    }

    void add_explain_command() {
        auto* command = add(app_, "explain", "What would be found out about a message, and done with it; sends and counts nothing",
                            [this] { return explain(context_, explain_); });
        command->group(kMailGroup);
        command->add_option("file", explain_.file, "The message; without, standard input, unless that is a terminal or empty")
            ->option_text(" ");
        command->add_option("--ip", explain_.ip, "The client's address")->required()->option_text("ADDRESS");
        command->add_option("--helo", explain_.helo, "What it calls itself")->option_text("NAME=[ADDRESS]");
        command->add_option("--from", explain_.from, "The sender in the envelope; <> is that of bounces")
            ->required()
            ->option_text("ADDRESS");
        command->add_option("--to", explain_.to, "A recipient")->option_text("ADDRESS");
        command->add_option("--login", explain_.login, "Who has logged in; without, nobody")->option_text("ADDRESS");
        command->add_option("--resolver", explain_.resolver, "A name server, 127.0.0.1:5353, in place of the configured ones")
            ->option_text("SERVER");
        add_json(command);
    }

    CLI::App* add_reports_verb(CLI::App& parent, const std::string& verb, const std::string& help) {
        auto* command = add(parent, verb, help, [this, verb] {
            reports_.verb = verb;
            return reports_command(context_, reports_);
        });
        add_json(command);
        return command;
    }
    void add_reports_commands() {
        auto& reports = *app_.add_subcommand("reports", "What others report about mail from our domains: DMARC and TLS reports")
                             ->require_subcommand(1)
                             ->group(kMailGroup);
        auto* list = add_reports_verb(reports, "list", "List reports, the newest first");
        auto* summary = add_reports_verb(reports, "summary", "Who sends as us, from where, and whether it passes DMARC");
        for (auto* command : {list, summary}) {
            command->add_option("--domain", reports_.domain, "Only about this domain")->option_text("DOMAIN");
            command->add_option("--since", reports_.since, "Only of reports that end after that: 30d (ago), 2026-11-22")
                ->option_text("TIME");
            command->add_option("--limit", reports_.limit, "At most so many lines")->check(count())->option_text("COUNT=1000");
        }
        add_reports_verb(reports, "show", "Show one report with all its rows")
            ->add_option("id", reports_.names, "Its number, as `reports list` has it")
            ->option_text(" ")
            ->required()
            ->expected(1);
        add_reports_verb(reports, "import", "Take in reports from files: messages or attachments; each is kept once")
            ->add_option("file", reports_.names, "Files; - is standard input")
            ->option_text(" ")
            ->required();
    }

    void add_tools() {
        auto* tool = app_.add_subcommand("tool", "Parts of the server alone: questions in, answers out; reads no configuration")
                         ->require_subcommand(1);
        tool->group(kEngineersGroup);
        tool->add_subcommand("address", "Is it an address? JSON lines {id,address,smtputf8} in, {id,valid,local,domain,reason} out")
            ->callback([this] { action_ = tool_address; });
        add(*tool, "mime", "The structure of a message, as JSON: parts, their types, encodings and where they stand", tool_mime);
        add(*tool, "report", "The DMARC, TLS, ARF or DSN report in a message, as JSON", tool_report);
        add_signature_tools(*tool);
        add_spf_tool(*tool);
        add_name_tools(*tool);
        auto* load =
            app_.add_subcommand("bench", "Make load for measuring, or take it away; reads no configuration")->require_subcommand(1);
        load->group(kEngineersGroup);
        add_source(*load->add_subcommand("source", "Send mail as fast as the server takes it"));
        add_sink(*load->add_subcommand("sink", "Take mail and throw it away"));
    }

    /// DESIGN §8.5.
    CLI::App* add_tool(CLI::App& tool, const std::string& name, const std::string& help, int (*action)(const ToolOptions&)) {
        auto* command = add(tool, name, help, [this, action] { return action(tool_); });
        command->add_option("--now", tool_.now, "The time it is to be, in seconds since 1970")->option_text("EPOCH");
        return command;
    }
    void add_resolver(CLI::App* command) {
        command->add_option("--resolver", tool_.resolver, "DNS server to ask; default: the system's")->option_text("IP:PORT");
    }
    void add_signer(CLI::App* command) {
        command->add_option("--domain", tool_.domain, "Who signs: d=")->required()->option_text("DOMAIN");
        command->add_option("--selector", tool_.selector, "Which key of that domain: s=")->required()->option_text("SELECTOR");
        command->add_option("--key", tool_.key_file, "The private key, RSA or Ed25519, in PEM")->required()->option_text("FILE");
    }
    void add_lines(CLI::App* command, const std::string& forms) {
        command->add_flag("--lines", tool_.lines, "Many messages, in base64: JSON lines " + forms);
    }
    void add_signature_tools(CLI::App& tool) {
        auto* verify =
            add_tool(tool, "dkim-verify", "Verify a message's DKIM signatures: the best result, then a line for each", tool_dkim_verify);
        add_resolver(verify);
        add_lines(verify, "{id,message} in, {id,result,signatures} out");
        auto* sign = add_tool(tool, "dkim-sign", "Sign a message with DKIM; prints it signed", tool_dkim_sign);
        add_signer(sign);
        add_lines(sign, "{id,message,c,h} in, {id,field} out");
        auto* chain = add_tool(tool, "arc-verify", "Validate a message's ARC chain: pass, fail or none, then the chain", tool_arc_verify);
        add_resolver(chain);
        add_lines(chain, "{id,message} in, {id,result,reason,oldest-pass} out");
        auto* seal = add_tool(tool, "arc-seal", "Add a set to a message's ARC chain; prints it sealed", tool_arc_seal);
        add_resolver(seal);
        add_signer(seal);
        add_lines(seal, "{id,message,h} in, {id,fields} out");
        seal->add_option("--authserv-id", tool_.authserv_id, "Whose Authentication-Results of the message to seal; default: the domain's")
            ->option_text("ID");
    }
    CLI::App* add_asking_tool(CLI::App& tool, const std::string& name, const std::string& help, int (*action)(const ToolOptions&)) {
        auto* command = add_tool(tool, name, help, action);
        add_resolver(command);
        return command;
    }
    void add_spf_tool(CLI::App& tool) {
        auto* spf = add_asking_tool(
            tool, "spf", "May a client send as a domain? Without --ip: JSON lines {id,ip,helo,mailfrom} in, {id,result,explanation} out",
            tool_spf);
        spf->add_option("--ip", tool_.ip, "The client's address")->option_text("ADDRESS");
        spf->add_option("--helo", tool_.helo, "What it called itself")->option_text("NAME");
        spf->add_option("--mail-from", tool_.mail_from, "The sender; empty: the null path, so the HELO name counts")
            ->option_text("ADDRESS");
    }
    void add_name_tools(CLI::App& tool) {
        auto* dmarc = add_asking_tool(
            tool, "dmarc",
            "What comes of DMARC? JSON {headerFrom,dkimDomains,spfDomains} in, {status,policy,p,sp,np,domain,alignment,reason} out",
            tool_dmarc);
        dmarc->add_option("--list", tool_.list_file, "Go by this public suffix list, as RFC 7489, instead of the tree walk")
            ->option_text("FILE");
        auto* psl = add(tool, "psl", "Registrable domains: a name a line in, a name or null out", [this] { return tool_psl(tool_); });
        psl->add_option("--list", tool_.list_file, "The public suffix list; default: the one built in")->option_text("FILE");
        auto* idna =
            tool.add_subcommand("idna", "International domain names: a name a line in, its other form or null out")->require_subcommand(1);
        add(*idna, "to-ascii", "To A-labels, as DNS has it", tool_idna_to_ascii);
        add(*idna, "to-unicode", "To U-labels, for people", tool_idna_to_unicode);
    }

    void add_source(CLI::App& command) {
        command.add_option("--server", source_.server, "IP address");
        command.add_option("--port", source_.port, "Port");
        command.add_option("--sessions", source_.sessions, "Connections open at once");
        command.add_option("--messages", source_.messages, "Messages in all; 0: only connect");
        command.add_option("--connections", source_.connections, "With --messages 0: connections in all");
        command.add_option("--per-connection", source_.per_connection, "Messages before connecting anew; 0: keep the connection");
        command.add_option("--recipients", source_.recipients, "Recipients per message");
        command.add_option("--size", source_.size, "Octets of content");
        command.add_option_function<std::string>(
            "--field", [this](const std::string& field) { source_.fields += field + "\r\n"; },
            "Header field to put on top, such as a signature");
        command.add_option("--from", source_.sender, "Sender");
        command.add_option("--to", source_.recipient, "Recipient; % becomes a number up to --spread");
        command.add_option("--spread", source_.spread, "How many recipients % stands for");
        command.add_option("--tls", source_.tls, "none, starttls or implicit")
            ->transform(one_of<bench::SourceTls>(
                {{"none", bench::SourceTls::none}, {"starttls", bench::SourceTls::starttls}, {"implicit", bench::SourceTls::implicit}}))
            ->option_text("HOW=none");
        command.add_option("--login", source_.login, "Log in with AUTH PLAIN; the password is read from standard input");
        command.add_option("--rate", source_.rate, "Messages per second in all; 0: no limit");
        command.add_flag_callback("--json", [this] { source_.format = bench::Format::json; }, "Print JSON");
        command.callback([this] {
            action_ = [this] {
                if (!source_.login.empty()) {
                    auto password = read_password(PasswordFrom::standard_input);
                    if (!password) return complain(password.error());
                    source_.password = *std::move(password);
                }
                return bench::run_source(source_);
            };
        });
    }
    void add_sink(CLI::App& command) {
        command.add_option("--address", sink_.address, "IP address");
        command.add_option("--port", sink_.port, "Port");
        command.add_option_function<std::int64_t>(
            "--delay-ms", [this](std::int64_t delay) { sink_.delay = std::chrono::milliseconds(delay); },
            "Wait before the reply to the content");
        command.add_option("--defer-percent", sink_.defer_percent, "Contents answered 451");
        command.add_option("--reject-percent", sink_.reject_percent, "Contents answered 550");
        command.add_option("--close-percent", sink_.close_percent, "Contents answered by closing");
        command.add_option("--stop-after", sink_.stop_after, "Messages taken before it ends; 0: never");
        command.add_flag_callback("--json", [this] { sink_.format = bench::Format::json; }, "Print JSON");
        command.callback([this] { action_ = [this] { return bench::run_sink(sink_); }; });
    }

    static constexpr const char* kDirectoryGroup = "Whose mail it takes";
    static constexpr const char* kMailGroup = "The mail in it";
    static constexpr const char* kEngineersGroup = "For engineers";

    CLI::App app_;
    CommandContext context_;
    std::function<int()> action_;
    bool changed_only_ = false;
    std::string file_;
    std::string replay_since_;
    DirectoryCommand directory_;
    bool password_stdin_ = false;
    DkimCommand dkim_;
    SrsCommand srs_;
    QueueCommand queue_;
    BansCommand bans_;
    AlarmsCommand alarms_;
    TraceCommand trace_;
    ExplainCommand explain_;
    ReportsCommand reports_;
    ToolOptions tool_;
    bench::SourceOptions source_;
    bench::SinkOptions sink_;
};

}  // namespace

int run_command_line(int argc, char** argv) {
    const std::string_view name = argc > 0 ? argv[0] : "thurn";
    const auto base_name = name.substr(name.rfind('/') + 1);
    if (base_name == "sendmail" || base_name == "newaliases" || base_name == "mailq") return sendmail(argc, argv);
    if (argc > 1 && std::string_view(argv[1]) == "sendmail") return sendmail(argc - 1, argv + 1);
    return CommandLine().run(argc, argv);
}

}  // namespace thurn::app
