// The command line (DESIGN §8.3): which words there are, and what they mean. The only file that knows CLI11.
#include "app/command.h"
#include "bench/bench_sink.h"
#include "bench/bench_source.h"

#include <algorithm>
#include <functional>
#include <map>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace thurn::app {

namespace {

/// Collects the commands; the one that was given is run after parsing.
class CommandLine {
public:
    CommandLine() : app_("thurn, a mail server", "thurn") {
        app_.set_version_flag("--version", version_text());
        app_.require_subcommand(1);
        app_.option_defaults()->always_capture_default();
        add_server_commands();
        add_directory_commands();
        add_queue_commands();
        add_trace_command();
        add_tools();
    }

    int run(int argc, char** argv) {
        try {
            app_.parse(argc, argv);
        } catch (const CLI::RequiredError& error) {
            return complain_of_command(argc, argv, error);
        } catch (const CLI::ParseError& error) {
            return app_.exit(error) == 0 ? exit_ok : exit_usage;
        }
        return action_();
    }

private:
    /// What CLI11 calls "a subcommand is required": names the word that is none, or the words there are.
    int complain_of_command(int argc, char** argv, const CLI::RequiredError& error) {
        const auto below = [](const CLI::App& app) { return app.get_subcommands([](const CLI::App*) { return true; }); };
        const CLI::App* at = &app_;
        int word = 1;
        for (; word < argc; ++word) {
            const auto known = below(*at);
            const auto next = std::ranges::find(known, std::string_view(argv[word]), [](const CLI::App* app) { return app->get_name(); });
            if (next == known.end()) break;
            at = *next;
        }
        std::vector<std::string> commands;
        for (const auto* command : below(*at)) commands.push_back(command->get_name());
        if (commands.empty()) return app_.exit(error) == 0 ? exit_ok : exit_usage;
        std::string name = "thurn";
        for (int i = 1; i < word; ++i) name += fmt::format(" {}", argv[i]);
        if (word == argc || argv[word][0] == '-')
            fmt::print(stderr, "{}: name a command: {}\n", name, fmt::join(commands, ", "));
        else
            fmt::print(stderr, "{}: there is no command \"{}\"; there are {}\n", name, argv[word], fmt::join(commands, ", "));
        return exit_usage;
    }

    CLI::App* add(CLI::App& parent, const std::string& name, const std::string& help, std::function<int()> action) {
        auto* command = parent.add_subcommand(name, help);
        command->add_option("-c,--config", context_.config_file, "Configuration file (default: /etc/thurn/thurn.toml, then ./thurn.toml)");
        command->callback([this, action = std::move(action)] { action_ = action; });
        return command;
    }
    void add_json(CLI::App* command) { command->add_flag("--json", context_.json, "Print JSON"); }

    void add_server_commands() {
        add(app_, "serve", "Run the server in the foreground", [this] { return serve(context_); });
        add_json(add(app_, "check", "Look for mistakes in configuration, certificates and data", [this] { return check(context_); }));
        auto* config = app_.add_subcommand("config", "Show or test the configuration")->require_subcommand(1);
        auto* show = add(*config, "show", "Print the configuration in force", [this] { return config_show(context_, changed_only_); });
        show->add_flag("--changed", changed_only_, "Only what differs from the defaults");
        add_json(show);
        auto* test = add(*config, "test", "Check a file without using it", [this] { return config_test(context_, file_); });
        test->add_option("file", file_, "The file")->required();
        app_.add_subcommand("version", "Print the version")->callback([this] { action_ = print_version; });
    }

    CLI::App* add_verb(CLI::App& parent, const std::string& verb, const std::string& help,
                       int (*action)(const CommandContext&, const DirectoryCommand&)) {
        return add(parent, verb, help, [this, verb, action] {
            directory_.verb = verb;
            directory_.password_from = password_stdin_ ? PasswordFrom::standard_input : PasswordFrom::prompt;
            return action(context_, directory_);
        });
    }
    void add_address(CLI::App* command) { command->add_option("address", directory_.address, "Such as anna@example.com")->required(); }
    void add_domain(CLI::App* command) { command->add_option("domain", directory_.address, "Such as example.com")->required(); }
    void add_password(CLI::App* command) {
        command->add_flag("--password-stdin", password_stdin_, "Read the password from standard input instead of asking");
    }

    void add_directory_commands() {
        auto& domain = *app_.add_subcommand("domain", "Domains that are ours")->require_subcommand(1);
        add_json(add_verb(domain, "list", "List them", domain_command));
        add_domain(add_verb(domain, "add", "Take mail for a domain", domain_command));
        add_domain(add_verb(domain, "remove", "Forget a domain", domain_command));
        auto* catch_all = add_verb(domain, "catch-all", "Where mail for unknown addresses goes", domain_command);
        add_domain(catch_all);
        catch_all->add_option("address", directory_.targets, "Address; none to refuse such mail")->expected(0, 1);

        auto& account = *app_.add_subcommand("account", "People and programs with a mailbox")->require_subcommand(1);
        add_json(add_verb(account, "list", "List them", account_command));
        auto* show = add_verb(account, "show", "Show one", account_command);
        add_address(show);
        add_json(show);
        auto* create = add_verb(account, "add", "Make one", account_command);
        add_address(create);
        add_password(create);
        auto* password = add_verb(account, "password", "Change the password", account_command);
        add_address(password);
        add_password(password);
        add_address(add_verb(account, "enable", "Let it log in again", account_command));
        add_address(add_verb(account, "disable", "No logins; mail is still taken", account_command));
        add_address(add_verb(account, "remove", "Remove it; its mail is kept", account_command));

        auto& alias = *app_.add_subcommand("alias", "Addresses that lead to others")->require_subcommand(1);
        add_json(add_verb(alias, "list", "List them", alias_command));
        auto* create_alias = add_verb(alias, "add", "Lead an address to one or more others", alias_command);
        add_address(create_alias);
        create_alias->add_option("targets", directory_.targets, "Addresses it leads to")->required();
        add_address(add_verb(alias, "remove", "Remove it with all its targets", alias_command));
        auto* show_alias = add_verb(alias, "show", "Show one", alias_command);
        add_address(show_alias);
        add_json(show_alias);
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
        command->add_option("--from", queue_.from, "Only from this sender, or @domain");
        command->add_option("--to", queue_.to, "Only with this recipient, or @domain");
        command->add_option("--site", queue_.site, "Only bound for this site: its name as `queue list` shows it, or a host of it");
        command->add_option("--limit", queue_.limit, "At most so many messages")->check(CLI::PositiveNumber);
    }
    void add_queue_commands() {
        auto& queue = *app_.add_subcommand("queue", "Mail that waits, and why")->require_subcommand(1);
        add_filter(add_queue_verb(queue, "list", "List what waits, with the reason and until when"));
        add_queue_verb(queue, "show", "One message with all its recipients")
            ->add_option("id", queue_.ids, "Message id")
            ->required()
            ->expected(1);
        for (const auto& [verb, help] : {std::pair{"retry", "Try again now"},
                                         {"hold", "Do not try until released"},
                                         {"release", "Let held mail go"},
                                         {"delete", "Remove, without a bounce"}}) {
            auto* command = add_queue_verb(queue, verb, help);
            command->add_option("id", queue_.ids, "Message ids; or choose by --from, --to, --site, --all");
            add_filter(command);
            command->add_flag("--all", queue_.all, "All messages");
            command->add_flag("--yes", queue_.yes, "Do it, instead of telling how many it would be");
        }
        add_queue_verb(queue, "stats", "Counts, and the sites mail is bound for");
    }

    void add_trace_command() {
        auto* command = add(app_, "trace", "The story of a message", [this] { return trace_command(context_, trace_); });
        command->add_option("id", trace_.id, "Message id; or search with the options below");
        command->add_option("--from", trace_.from, "Messages from this sender");
        command->add_option("--to", trace_.to, "Messages to this recipient");
        command->add_option("--since", trace_.since, "Accepted since, such as 2h or 2026-11-22T10:00:00Z");
        command->add_option("--until", trace_.until, "Accepted until");
        command->add_option("--limit", trace_.limit, "At most so many messages")->check(CLI::PositiveNumber);
        add_json(command);
    }

    void add_tools() {
        auto* tool = app_.add_subcommand("tool", "Engines alone, for checking and debugging")->require_subcommand(1);
        tool->add_subcommand("address", "JSON lines {id,address,smtputf8} in; {id,valid,local,domain,reason} out")->callback([this] {
            action_ = tool_address;
        });
        auto* load = app_.add_subcommand("bench", "Make load, or take it away, for measuring")->require_subcommand(1);
        add_source(*load->add_subcommand("source", "Send mail as fast as the server takes it"));
        add_sink(*load->add_subcommand("sink", "Take mail and throw it away"));
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
        command.add_option("--from", source_.sender, "Sender");
        command.add_option("--to", source_.recipient, "Recipient; % becomes a number up to --spread");
        command.add_option("--spread", source_.spread, "How many recipients % stands for");
        command.add_option("--tls", source_.tls, "none, starttls or implicit")
            ->transform(CLI::CheckedTransformer(std::map<std::string, bench::SourceTls>{
                {"none", bench::SourceTls::none}, {"starttls", bench::SourceTls::starttls}, {"implicit", bench::SourceTls::implicit}}));
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

    CLI::App app_;
    CommandContext context_;
    std::function<int()> action_;
    bool changed_only_ = false;
    std::string file_;
    DirectoryCommand directory_;
    bool password_stdin_ = false;
    QueueCommand queue_;
    TraceCommand trace_;
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
