// `sendmail`, as cron, PHP and mail(1) call it: reads a message, hands it to the running server over SMTP on the loopback, and exits as
// sysexits.h says. It needs no rights of its own: whether a local program may send is the server's decision (relay.networks), as for any
// other client.
#include "app/command.h"
#include "app/qualify_addresses.h"
#include "app/system.h"
#include "mail/date.h"
#include "mail/header.h"
#include "mail/mailbox.h"
#include "net/endpoint.h"
#include "smtp/client_session.h"

#include <algorithm>
#include <array>
#include <iostream>
#include <optional>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>
#include <poll.h>
#include <pwd.h>
#include <sysexits.h>
#include <unistd.h>

namespace thurn::app {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kLargestInput = std::size_t{1} << 31;

struct SendmailOptions {
    enum class Mode { deliver, smtp, queue_list, queue_run } mode = Mode::deliver;
    bool recipients_from_header = false;  // -t
    bool dot_ends_input = true;           // without -i
    std::optional<std::string> sender;    // -f; empty or `<>`: the null path
    std::string full_name;                // -F
    std::string config_file;              // -C
    std::vector<std::string> recipients;
};

int usage_error(const std::string& what) {
    fmt::print(stderr, "sendmail: {}\n", what);
    return EX_USAGE;
}

/// Sendmail's options cling to their letters: `-oi`, `-fa@b` and `-f a@b` are all in use.
class OptionReader {
public:
    OptionReader(int argc, char** argv) : words_(argv + 1, argv + argc) {}

    base::Result<SendmailOptions> read() {
        for (std::size_t i = 0; i < words_.size(); ++i) {
            const auto& word = words_[i];
            if (literal_ || word.size() < 2 || word[0] != '-')
                options_.recipients.push_back(word);
            else if (word == "--")
                literal_ = true;
            else if (auto done = read_option(word, i); !done)
                return base::pass_on(done);
        }
        return std::move(options_);
    }

private:
    base::Result<void> read_option(const std::string& word, std::size_t& i) {
        switch (word[1]) {
            case 't':
                options_.recipients_from_header = true;
                return {};
            case 'i':
                options_.dot_ends_input = false;
                return {};
            case 'o':
                if (word == "-oi" || word == "-oitrue") options_.dot_ends_input = false;
                return {};  // other -o options steer how sendmail works inside: they mean nothing here
            case 'f':
            case 'r':
                return argument(word, i, options_.sender.emplace());
            case 'F':
                return argument(word, i, options_.full_name);
            case 'C':
                return argument(word, i, options_.config_file);
            case 'b':
                return read_mode(word);
            case 'q':
                options_.mode = SendmailOptions::Mode::queue_run;
                return {};
            case 'B':
            case 'N':
            case 'R':
            case 'V':
            case 'h':
            case 'L':
            case 'O':
            case 'X':
                return argument(word, i, ignored_);
            case 'n':
            case 'v':
            case 'm':
            case 'U':
            case 'G':
                return {};
            default:
                return base::fail(base::ErrorKind::syntax, fmt::format("unknown option {}", word));
        }
    }
    base::Result<void> read_mode(const std::string& word) {
        if (word == "-bs")
            options_.mode = SendmailOptions::Mode::smtp;
        else if (word == "-bp")
            options_.mode = SendmailOptions::Mode::queue_list;
        else if (word != "-bm" && word != "-b")
            return base::fail(base::ErrorKind::invalid, fmt::format("{} is not supported; there are -bm, -bs and -bp", word));
        return {};
    }
    base::Result<void> argument(const std::string& word, std::size_t& i, std::string& target) {
        if (word.size() > 2)
            target = word.substr(2);
        else if (i + 1 < words_.size())
            target = words_[++i];
        else
            return base::fail(base::ErrorKind::syntax, fmt::format("{} needs an argument", word));
        return {};
    }

    std::vector<std::string> words_;
    SendmailOptions options_;
    std::string ignored_;
    bool literal_ = false;
};

/// `From anna@example.com Sun Nov 22 08:00:00 2026`: what stands before each message of an mbox file is no part of it.
bool is_mbox_separator(const std::string& line) { return line.starts_with("From ") || line.starts_with(">From "); }

/// Standard input with CRLF line ends, up to its end or, unless told otherwise, a line with a single dot.
base::Result<std::string> read_message(const SendmailOptions& options) {
    std::string message;
    std::string line;
    while (std::getline(std::cin, line)) {
        if (!line.empty() && line.back() == '\r') line.pop_back();
        if (message.empty() && is_mbox_separator(line)) continue;
        if (options.dot_ends_input && line == ".") break;
        message += line;
        message += "\r\n";
        if (message.size() > kLargestInput) return base::fail(base::ErrorKind::too_long, "the message is over 2 GiB");
    }
    return message;
}

std::string login_name() {
    const auto* entry = ::getpwuid(::getuid());
    return entry ? entry->pw_name : fmt::format("uid{}", ::getuid());
}

/// Takes the header fields of that name out.
void remove_field(std::string& message, std::string_view name) {
    const auto header = mail::parse_header(message);
    std::vector<std::pair<std::size_t, std::size_t>> ranges;
    for (const auto& field : header.fields) {
        if (field.name.size() != name.size() || ::strncasecmp(field.name.data(), name.data(), name.size()) != 0) continue;
        const auto begin = static_cast<std::size_t>(field.name.data() - message.data());
        const auto end = static_cast<std::size_t>(field.value.data() + field.value.size() - message.data());
        ranges.emplace_back(begin, end + 2 - begin);
    }
    for (auto range = ranges.rbegin(); range != ranges.rend(); ++range) message.erase(range->first, range->second);
}

/// What a message must have and programs leave out.
void complete_header(std::string& message, const std::string& sender, const std::string& full_name, const std::string& hostname) {
    const auto header = mail::parse_header(message);
    const SystemClock clock;
    SystemRandom random;
    std::string added;
    if (!header.find("Date")) added += fmt::format("Date: {}\r\n", mail::render_date(clock.now()));
    if (!header.find("Message-ID"))
        added += fmt::format("Message-ID: <{}.{:016x}@{}>\r\n", clock.now().time_since_epoch().count(), random.next(), hostname);
    if (!header.find("From"))
        added += full_name.empty() ? fmt::format("From: {}\r\n", sender) : fmt::format("From: \"{}\" <{}>\r\n", full_name, sender);
    const bool has_header = !header.fields.empty();
    message.insert(0, has_header ? added : added + "\r\n");
}

/// Who sends from this host may leave the domain out: `root` is root here (RFC 5321 §2.3.5 wants a whole address on the wire).
std::string at_home(const std::string& local, const std::string& hostname) { return local + "@" + hostname; }

/// The addresses of a list as people write it, on the command line or in a header field.
struct Addresses {
    std::vector<mail::Mailbox> mailboxes;
    bool complete = true;  // all could be read
};
Addresses read_addresses(std::string_view text, const std::string& hostname) {
    const auto list = mail::parse_address_list(text);
    Addresses result{.mailboxes = {}, .complete = list.complete};
    auto texts = list.addresses;
    for (const auto& local : list.unqualified) texts.push_back(at_home(local, hostname));
    for (const auto& address : texts) {
        auto mailbox = mail::parse_mailbox(address);
        if (mailbox)
            result.mailboxes.push_back(*std::move(mailbox));
        else
            result.complete = false;
    }
    return result;
}

bool is_one_of(std::string_view field, std::initializer_list<std::string_view> names) {
    return std::ranges::any_of(names, [field](std::string_view name) {
        return field.size() == name.size() && ::strncasecmp(field.data(), name.data(), name.size()) == 0;
    });
}

/// Of a message that is sent again those it is sent again to (RFC 5322 §3.6.6).
std::vector<mail::HeaderField> recipient_fields(const std::string& message) {
    std::vector<mail::HeaderField> first, again;
    for (const auto& field : mail::parse_header(message).fields) {
        if (is_one_of(field.name, {"To", "Cc", "Bcc"})) first.push_back(field);
        if (is_one_of(field.name, {"Resent-To", "Resent-Cc", "Resent-Bcc"})) again.push_back(field);
    }
    return again.empty() ? first : again;
}

/// Errors  `corrupt`: the header is to blame, and not the command line.
base::Result<std::vector<mail::Mailbox>> collect_recipients(const SendmailOptions& options, const std::string& message,
                                                            const std::string& hostname) {
    std::vector<mail::Mailbox> recipients;
    const auto take = [&recipients](Addresses& addresses) {
        for (auto& mailbox : addresses.mailboxes)
            if (std::ranges::find(recipients, mailbox) == recipients.end()) recipients.push_back(std::move(mailbox));
    };
    for (const auto& text : options.recipients) {
        auto addresses = read_addresses(text, hostname);
        if (!addresses.complete || addresses.mailboxes.empty())
            return base::fail(base::ErrorKind::syntax, fmt::format("recipient \"{}\" is no address", text));
        take(addresses);
    }
    if (options.recipients_from_header)
        for (const auto& field : recipient_fields(message)) {
            auto addresses = read_addresses(field.value, hostname);
            if (!addresses.complete)
                return base::fail(base::ErrorKind::corrupt,
                                  fmt::format("not all addresses of the {} field can be read; nothing was sent", field.name));
            take(addresses);
        }
    if (recipients.empty()) return base::fail(base::ErrorKind::invalid, "no recipients");
    return recipients;
}

/// What -f says, else the user who calls.
base::Result<mail::ReversePath> choose_sender(const SendmailOptions& options, const std::string& hostname) {
    const auto wanted = options.sender.value_or(login_name());
    if (wanted.empty() || wanted == "<>") return mail::ReversePath{};
    auto addresses = read_addresses(wanted, hostname);
    if (!addresses.complete || addresses.mailboxes.size() != 1)
        return base::fail(base::ErrorKind::syntax, fmt::format("sender \"{}\" is no address", wanted));
    return mail::ReversePath{std::move(addresses.mailboxes.front())};
}

/// The server's mx listener, reached from this machine.
base::Result<asio::ip::tcp::socket> connect_to_server(asio::io_context& loop, const config::Config& config) {
    std::string tried;
    for (const auto& listener : config.listeners) {
        if (listener.role != policy::Role::mx) continue;
        for (const auto& text : listener.bind) {
            auto endpoint = net::parse_endpoint(text, 25);
            if (!endpoint) continue;
            if (endpoint->address().is_unspecified())
                endpoint->address(endpoint->address().is_v4() ? asio::ip::address(asio::ip::address_v4::loopback())
                                                              : asio::ip::address(asio::ip::address_v6::loopback()));
            asio::ip::tcp::socket socket(loop);
            boost::system::error_code error;
            socket.connect(*endpoint, error);
            if (!error) return socket;
            tried += fmt::format("{}{}: {}", tried.empty() ? " " : ", ", net::render_endpoint(*endpoint), error.message());
        }
    }
    return base::fail(base::ErrorKind::peer_gone, "the server cannot be reached:" + (tried.empty() ? " it has no mx listener" : tried));
}

/// One transaction, blocking.
base::Result<std::vector<smtp::Reply>> submit(asio::ip::tcp::socket socket, smtp::Transaction transaction, const std::string& message,
                                              const std::string& hello) {
    smtp::ClientSession session({.hello_name = hello, .starttls = smtp::StartTls::never, .credentials = {}});
    std::vector<char> buffer(65536);
    boost::system::error_code error;
    while (true) {
        while (auto event = session.next_event()) {
            if (auto* ended = std::get_if<smtp::TransactionEnded>(&*event)) {
                session.quit();
                asio::write(socket, asio::buffer(session.take_output()), error);
                return std::move(ended->replies);
            }
            if (auto* failed = std::get_if<smtp::ClientFailed>(&*event))
                return base::fail(failed->error.kind, failed->reply ? smtp::describe_reply(*failed->reply) : failed->error.detail);
            if (std::holds_alternative<smtp::Ready>(*event)) session.begin(std::move(transaction));
            if (std::holds_alternative<smtp::ContentWanted>(*event)) {
                session.content(message);
                session.content_end();
            }
        }
        if (session.has_output()) asio::write(socket, asio::buffer(session.take_output()), error);
        const auto count = error ? 0 : socket.read_some(asio::buffer(buffer), error);
        if (count > 0)
            session.receive({buffer.data(), count});
        else
            session.peer_closed();
    }
}

int judge_replies(const std::vector<mail::Mailbox>& recipients, const std::vector<smtp::Reply>& replies) {
    int code = EX_OK;
    for (std::size_t i = 0; i < replies.size(); ++i) {
        if (replies[i].positive()) continue;
        fmt::print(stderr, "sendmail: {}: {}\n", mail::render_mailbox(recipients[i]), smtp::describe_reply(replies[i]));
        code = replies[i].transient() ? EX_TEMPFAIL : EX_UNAVAILABLE;
    }
    return code;
}

int deliver(const SendmailOptions& options, const config::Config& config) {
    auto message = read_message(options);
    if (!message) return usage_error(message.error().detail);
    const auto recipients = collect_recipients(options, *message, config.hostname);
    if (!recipients) {
        const int told = usage_error(recipients.error().detail);
        return recipients.error().kind == base::ErrorKind::corrupt ? EX_DATAERR : told;
    }
    const auto sender = choose_sender(options, config.hostname);
    if (!sender) return usage_error(sender.error().detail);
    remove_field(*message, "Bcc");
    remove_field(*message, "Resent-Bcc");
    qualify_header(*message, config.hostname);
    complete_header(*message, sender->mailbox ? mail::render_mailbox(*sender->mailbox) : "MAILER-DAEMON@" + config.hostname,
                    options.full_name, config.hostname);
    const bool eight_bit = std::ranges::any_of(*message, [](char c) { return static_cast<unsigned char>(c) > 127; });
    asio::io_context loop;
    auto socket = connect_to_server(loop, config);
    if (!socket) {
        fmt::print(stderr, "sendmail: {}\n", socket.error().detail);
        return EX_TEMPFAIL;
    }
    smtp::Transaction transaction{.sender = *sender, .recipients = {}, .parameters = {}};
    for (const auto& recipient : *recipients) transaction.recipients.push_back({recipient});
    transaction.parameters.size = base::Octets{message->size()};
    if (eight_bit) transaction.parameters.body = mail::BodyType::eight_bit;
    const auto replies = submit(*std::move(socket), std::move(transaction), *message, config.hostname);
    if (replies) return judge_replies(*recipients, *replies);
    fmt::print(stderr, "sendmail: {}\n", replies.error().detail);
    return EX_TEMPFAIL;
}

/// Local programs write lines as files have them. The server takes CRLF alone for a line end, as from everybody.
class LineEnds {
public:
    std::string to_wire(std::string_view octets) {
        std::string wire;
        for (const char c : octets) {
            if (c == '\n' && last_ != '\r') wire += '\r';
            wire += last_ = c;
        }
        return wire;
    }

private:
    char last_ = '\0';
};

/// `-bs`: the caller speaks SMTP on standard input and output; the server answers.
int relay_session(const config::Config& config) {
    asio::io_context loop;
    auto socket = connect_to_server(loop, config);
    if (!socket) {
        fmt::print("421 4.3.2 {}\r\n", socket.error().detail);
        return EX_TEMPFAIL;
    }
    std::vector<char> buffer(65536);
    LineEnds line_ends;
    pollfd ends[] = {{STDIN_FILENO, POLLIN, 0}, {socket->native_handle(), POLLIN, 0}};
    while (::poll(ends, 2, -1) >= 0) {
        boost::system::error_code error;
        if (ends[1].revents != 0) {
            const auto count = socket->read_some(asio::buffer(buffer), error);
            if (error) return EX_OK;
            for (std::size_t sent = 0; sent < count;) {
                const auto more = ::write(STDOUT_FILENO, buffer.data() + sent, count - sent);
                if (more <= 0) return EX_IOERR;
                sent += static_cast<std::size_t>(more);
            }
        }
        if (ends[0].revents != 0) {
            const auto count = ::read(STDIN_FILENO, buffer.data(), buffer.size());
            if (count > 0)
                asio::write(*socket, asio::buffer(line_ends.to_wire({buffer.data(), static_cast<std::size_t>(count)})), error);
            else {
                socket->shutdown(asio::ip::tcp::socket::shutdown_send, error);
                ends[0].fd = -1;
            }
        }
    }
    return EX_OSERR;
}

int sysexit_of(int code) {
    if (code == exit_ok) return EX_OK;
    return code == exit_unreachable ? EX_TEMPFAIL : code == exit_usage ? EX_USAGE : EX_UNAVAILABLE;
}

}  // namespace

int sendmail(int argc, char** argv) {
    const std::string_view name = argv[0];
    if (name.ends_with("newaliases")) return EX_OK;  // aliases are in the directory: nothing to rebuild
    auto options = OptionReader(argc, argv).read();
    if (!options) return usage_error(options.error().detail);
    if (name.ends_with("mailq")) options->mode = SendmailOptions::Mode::queue_list;
    const CommandContext context{.config_file = options->config_file, .json = false};
    const auto loaded = load_configuration(context);
    if (!loaded) {
        fmt::print(stderr, "sendmail: {}\n", loaded.error().detail);
        return EX_CONFIG;
    }
    switch (options->mode) {
        case SendmailOptions::Mode::smtp:
            return relay_session(loaded->config);
        case SendmailOptions::Mode::queue_list:
            return sysexit_of(queue_command(context, {.verb = "list", .ids = {}, .from = {}, .to = {}, .site = {}, .login = {}}));
        case SendmailOptions::Mode::queue_run: {
            const int code = queue_command(
                context, {.verb = "retry", .ids = {}, .from = {}, .to = {}, .site = {}, .login = {}, .all = true, .yes = true});
            return code == exit_no ? EX_OK : sysexit_of(code);  // nothing to retry is no failure
        }
        case SendmailOptions::Mode::deliver:
            break;
    }
    return deliver(*options, loaded->config);
}

}  // namespace thurn::app
