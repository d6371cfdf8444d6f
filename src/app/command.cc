#include "app/command.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <iostream>

#include <boost/json/serialize.hpp>
#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

namespace thurn::app {

namespace {

/// The machine's full name: what the kernel calls it, completed by the resolver if it has no dot.
std::string system_hostname() {
    char name[256] = {};
    if (::gethostname(name, sizeof name - 1) != 0) return "localhost";
    if (std::strchr(name, '.')) return name;
    addrinfo hints{};
    hints.ai_flags = AI_CANONNAME;
    addrinfo* found = nullptr;
    if (::getaddrinfo(name, nullptr, &hints, &found) != 0) return name;
    std::string canonical = found->ai_canonname ? found->ai_canonname : name;
    ::freeaddrinfo(found);
    return canonical;
}

/// Turns the terminal's echo off for as long as it lives.
class Silence {
public:
    Silence() {
        active_ = ::tcgetattr(STDIN_FILENO, &before_) == 0;
        auto quiet = before_;
        quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        if (active_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    }
    ~Silence() {
        if (active_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
    }
    Silence(const Silence&) = delete;
    Silence& operator=(const Silence&) = delete;

private:
    termios before_{};
    bool active_ = false;
};

base::Result<std::string> prompt_line(const char* question) {
    fmt::print(stderr, "{}", question);
    const Silence silence;
    std::string line;
    const bool read = static_cast<bool>(std::getline(std::cin, line));
    fmt::print(stderr, "\n");
    if (!read) return base::fail(base::ErrorKind::invalid, "no password was given");
    return line;
}

}  // namespace

std::filesystem::path find_config(const CommandContext& context) {
    if (!context.config_file.empty()) return context.config_file;
    for (const auto* candidate : {"/etc/thurn/thurn.toml", "thurn.toml"}) {
        std::error_code ignored;
        if (std::filesystem::exists(candidate, ignored)) return candidate;
    }
    return {};
}

config::Surroundings surroundings() { return {.system_hostname = system_hostname()}; }

base::Result<config::Loaded> load_configuration(const CommandContext& context) {
    const auto file = find_config(context);
    if (file.empty()) return config::parse_config("", "defaults", surroundings());
    return load_file(file);
}

base::Result<config::Loaded> load_file(const std::filesystem::path& file) {
    auto loaded = config::load_config(file, surroundings());
    if (!loaded) loaded.error().kind = base::ErrorKind::invalid;
    return loaded;
}

int complain(const base::Error& error) {
    fmt::print(stderr, "thurn: {}\n", error.detail);
    switch (error.kind) {
        case base::ErrorKind::peer_gone:
            return exit_unreachable;
        case base::ErrorKind::syntax:
        case base::ErrorKind::invalid:
        case base::ErrorKind::too_long:
            return exit_usage;
        default:
            return exit_no;
    }
}

base::Result<base::MessageId> read_message_id(const std::string& text) {
    const auto id = base::parse_message_id(text);
    if (id) return id;
    return base::fail(base::ErrorKind::syntax, fmt::format("\"{}\" is no message id: {}", text, id.error().detail));
}

void print_line(std::string_view text) { fmt::print("{}\n", text); }

void print_json(const boost::json::value& value) { print_line(boost::json::serialize(value)); }

void print_table(const std::vector<std::string>& head, const std::vector<std::vector<std::string>>& rows) {
    std::vector<std::size_t> widths;
    for (const auto& cell : head) widths.push_back(cell.size());
    for (const auto& row : rows)
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    const auto print_row = [&](const std::vector<std::string>& row) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i) line += i + 1 == row.size() ? row[i] : fmt::format("{:<{}}  ", row[i], widths[i]);
        print_line(line);
    };
    print_row(head);
    for (const auto& row : rows) print_row(row);
}

base::Result<std::string> read_password(PasswordFrom from) {
    if (from == PasswordFrom::standard_input || !::isatty(STDIN_FILENO)) {
        std::string line;
        if (from != PasswordFrom::standard_input)
            return base::fail(base::ErrorKind::invalid, "there is no terminal to ask at; give the password with --password-stdin");
        if (!std::getline(std::cin, line)) return base::fail(base::ErrorKind::invalid, "no password on standard input");
        if (!line.empty() && line.back() == '\r') line.pop_back();
        return line;
    }
    auto first = prompt_line("Password: ");
    if (!first) return first;
    const auto second = prompt_line("Again: ");
    if (!second) return second;
    if (*first != *second) return base::fail(base::ErrorKind::invalid, "the two passwords differ");
    return first;
}

std::string version_text() { return "thurn " THURN_VERSION; }

int print_version() {
    print_line(version_text());
    return exit_ok;
}

}  // namespace thurn::app
