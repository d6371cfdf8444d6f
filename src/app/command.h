#pragma once

#include "base/message_id.h"
#include "base/result.h"
#include "config/config.h"
#include "mailauth/dkim_crypto.h"
#include "mailauth/public_suffix.h"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/value.hpp>

namespace thurn::app {

/// Exit codes of the command line (DESIGN §8.3).
enum ExitCode : int { exit_ok = 0, exit_no = 1, exit_usage = 2, exit_unreachable = 3 };

/// What every command has: where its configuration is, and how it should print.
struct CommandContext {
    std::string config_file;  // empty: look in the usual places
    bool json = false;
};

/// `--config`, else /etc/thurn/thurn.toml, else ./thurn.toml; empty when there is none.
[[nodiscard]] std::filesystem::path find_config(const CommandContext& context);
[[nodiscard]] config::Surroundings surroundings();
/// Without a file, the defaults.
/// Errors  `invalid`, also for a file that is not there: all that is wrong with a configuration ends with 2.
[[nodiscard]] base::Result<config::Loaded> load_configuration(const CommandContext& context);
[[nodiscard]] base::Result<config::Loaded> load_file(const std::filesystem::path& file);

/// Root at the command line acts as the owner of the data folder: files it makes there must be the server's.
[[nodiscard]] base::Result<void> act_as_owner(const config::Config& config);

/// Prints the error to standard error and gives its exit code: 3 when the server is not there, 2 for usage and configuration, else 1.
int complain(const base::Error& error);
/// Errors   `syntax`, naming the text.
[[nodiscard]] base::Result<base::MessageId> read_message_id(const std::string& text);
/// `2h` ago, or a moment as RFC 3339 writes it, in UTC; a day alone is its beginning.
/// Errors   `syntax`.
[[nodiscard]] base::Result<base::Time> read_moment(const std::string& text);
void print_line(std::string_view text);
void print_json(const boost::json::value& value);
/// Columns as wide as their widest cell.
void print_table(const std::vector<std::string>& head, const std::vector<std::vector<std::string>>& rows);

/// The password from standard input's first line, or from a prompt without echo, asked twice.
enum class PasswordFrom { prompt, standard_input };
[[nodiscard]] base::Result<std::string> read_password(PasswordFrom from);

// One function per command; each prints and gives the exit code.

int serve(const CommandContext& context);
int check(const CommandContext& context);
int config_show(const CommandContext& context, bool changed_only);
int config_test(const CommandContext& context, const std::string& file);
/// The mail since then, through the file's rules.
int config_replay(const CommandContext& context, const std::string& file, const std::string& since);

/// Whether an alias and an account may have the same address; the alias gets the mail then.
enum class Overlap { refuse, allow };
struct DirectoryCommand {
    std::string verb;     // add, list, show, remove, password, enable, disable, suspend, release, catch-all
    std::string address;  // or domain name
    std::vector<std::string> targets;
    std::string reason{};  // of a suspension
    PasswordFrom password_from = PasswordFrom::prompt;
    Overlap overlap = Overlap::refuse;
};
int domain_command(const CommandContext& context, const DirectoryCommand& command);
int account_command(const CommandContext& context, const DirectoryCommand& command);
int alias_command(const CommandContext& context, const DirectoryCommand& command);

/// Which keys `dkim generate` makes.
enum class DkimAlgorithm { rsa, ed25519, both };
struct DkimCommand {
    std::string verb;                          // generate, import, list, dns, check, rotate, remove
    std::string domain;                        // empty, where a verb allows it: all
    std::string selector;                      // of an Ed25519 key beside an RSA key, with `-ed25519` behind it; empty: chosen
    std::optional<DkimAlgorithm> algorithm{};  // without: both, or those there are
    std::string active_in;                     // durations, as written; empty: see docs
    std::string prepublish = "2d";
    std::string keep = "7d";
    std::vector<std::string> selectors{};  // to remove
    std::string file;                      // to import
    std::string resolver;
    bool force = false;
};
int dkim_command(const CommandContext& context, const DkimCommand& command);

struct SrsCommand {
    std::string verb;  // rotate, list
};
int srs_command(const CommandContext& context, const SrsCommand& command);
/// Has a running server take up keys that were changed, and says what came of it.
void announce_keys(const config::Config& config);

struct QueueCommand {
    std::string verb;  // list, show, retry, hold, release, delete, stats
    std::vector<std::string> ids;
    std::string from, to, site, login;
    bool all = false;
    bool yes = false;
    std::optional<std::size_t> limit = std::nullopt;  // of a listing 1000, of a change none
    bool quarantine = false;                          // about what is held, and nothing else
};
int queue_command(const CommandContext& context, const QueueCommand& command);

/// Who is turned away, by hand or for failed logins.
struct BansCommand {
    std::string verb;                   // list, add, remove
    std::vector<std::string> subjects;  // addresses, networks, logins
    std::string reason;
    std::string length;  // a duration; empty: until it is lifted
    bool nftables = false;
};
int bans_command(const CommandContext& context, const BansCommand& command);

/// What somebody should know.
struct AlarmsCommand {
    std::string since;  // a moment, or so long ago
    std::string kind;
    bool counts = false;
};
int alarms_command(const CommandContext& context, const AlarmsCommand& command);

struct TraceCommand {
    std::string id;
    std::string from, to, since, until;
    std::size_t limit = 100;
};
int trace_command(const CommandContext& context, const TraceCommand& command);

/// What would become of a message, or of one without its content. Exit code 1: it would be refused (5yz) or deferred (4yz).
struct ExplainCommand {
    std::string ip, helo, from, to, login;
    std::string file;      // `-`: standard input; empty: likewise, unless that is a terminal or empty
    std::string resolver;  // empty: as the configuration says
};
int explain(const CommandContext& context, const ExplainCommand& command);

/// Reports that others sent us about our domains.
struct ReportsCommand {
    std::string verb;                // list, show, summary, import
    std::vector<std::string> names;  // files, or the report's number
    std::string domain, since;
    std::size_t limit = 1000;
};
int reports_command(const CommandContext& context, const ReportsCommand& command);

int tool_address();

/// What the tools of mail authentication take; each uses some of it.
struct ToolOptions {
    std::string resolver;                            // `127.0.0.1:5353`; empty: the system's servers
    std::optional<std::int64_t> now = std::nullopt;  // seconds since 1970; without, the time it is
    std::string domain, selector, key_file;
    std::string authserv_id;          // empty: as `domain`
    std::string ip, helo, mail_from;  // of SPF; without `ip`, questions come as JSON lines
    std::string list_file;            // of public suffixes
    bool lines = false;               // messages come as JSON lines
};
[[nodiscard]] std::chrono::seconds time_of(const ToolOptions& options);
[[nodiscard]] base::Result<mailauth::PrivateKey> read_key(const ToolOptions& options);
int tool_dkim_verify(const ToolOptions& options);
int tool_dkim_sign(const ToolOptions& options);
int tool_arc_verify(const ToolOptions& options);
int tool_arc_seal(const ToolOptions& options);
/// Without a file, the list that the library has.
/// Errors   `invalid`.
[[nodiscard]] base::Result<mailauth::PublicSuffixList> read_public_suffixes(const std::string& file);
int tool_spf(const ToolOptions& options);
int tool_dmarc(const ToolOptions& options);
int tool_psl(const ToolOptions& options);
int tool_mime();
int tool_report();
int tool_idna_to_ascii();
int tool_idna_to_unicode();
/// `sendmail` as other programs call it; exit codes of sysexits.h.
int sendmail(int argc, char** argv);
[[nodiscard]] std::string version_text();
int print_version();

/// Reads the command line and runs the command.
int run_command_line(int argc, char** argv);

}  // namespace thurn::app
