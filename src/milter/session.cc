// The mail server's half of a conversation in which it leads: each step is a packet, and most steps wait for a verdict. What a step needs is
// agreed on at the beginning, so a filter that only looks at headers costs a few packets a message.
#include "milter/session.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace thurn::milter {

namespace {

/// What filters get that do not ask for anything in particular: Sendmail's and Postfix's usual macros.
const std::array<std::vector<std::string_view>, kStages>& usual_macros() {
    static const std::array<std::vector<std::string_view>, kStages> usual{{
        {"j", "_", "v", "{daemon_name}", "{daemon_addr}", "{daemon_port}", "{client_addr}", "{client_name}", "{client_ptr}",
         "{client_port}"},
        {"{tls_version}", "{cipher}", "{cipher_bits}"},
        {"i", "{auth_type}", "{auth_authen}", "{auth_author}", "{mail_addr}", "{mail_host}", "{mail_mailer}"},
        {"i", "{rcpt_addr}", "{rcpt_host}", "{rcpt_mailer}"},
        {"i"},
        {"i", "{auth_authen}", "{tls_version}"},
        {"i"},
    }};
    return usual;
}

/// `{name}` and `name` are the same.
std::string_view bare(std::string_view name) {
    if (name.size() > 2 && name.starts_with('{') && name.ends_with('}')) return name.substr(1, name.size() - 2);
    return name;
}

std::unexpected<base::Error> not_allowed(std::string what) { return base::fail(base::ErrorKind::syntax, std::move(what)); }

/// What a change needs to have been agreed on.
struct NeededAction {
    std::uint32_t operator()(const AddHeader&) const { return action::add_headers; }
    // libmilter lets who may add also insert.
    std::uint32_t operator()(const InsertHeader&) const { return action::change_headers | action::add_headers; }
    std::uint32_t operator()(const ChangeHeader&) const { return action::change_headers; }
    std::uint32_t operator()(const ChangeSender&) const { return action::change_sender; }
    std::uint32_t operator()(const AddRecipient& added) const {
        return added.parameters.empty() ? action::add_recipients | action::add_recipients_with_parameters
                                        : action::add_recipients_with_parameters;
    }
    std::uint32_t operator()(const RemoveRecipient&) const { return action::remove_recipients; }
    std::uint32_t operator()(const ReplaceBody&) const { return action::replace_body; }
    std::uint32_t operator()(const Quarantine&) const { return action::quarantine; }
};

/// Filters see LF for the CRLF of a fold, and without `leading_space` not the space behind the colon.
std::string value_for_filter(std::string_view value, bool with_leading_space) {
    if (!with_leading_space && value.starts_with(' ')) value.remove_prefix(1);
    std::string result;
    result.reserve(value.size());
    for (std::size_t i = 0; i < value.size(); ++i)
        if (value[i] != '\r' || i + 1 == value.size() || value[i + 1] != '\n') result += value[i];
    return result;
}

}  // namespace

void Session::send(Command command) {
    writer_.begin(static_cast<char>(command));
    writer_.end();
}

void Session::await(Flags flags, Step step) {
    if ((agreement_.steps & flags.silent) == 0) open_ = step;
}

void Session::negotiate() {
    writer_.begin(static_cast<char>(Command::negotiate));
    writer_.number(kHighestVersion);
    writer_.number(action::all);
    writer_.number(step::offered);
    writer_.end();
    open_ = Step::negotiation;
}

/// Also where the step itself is not wanted, as Postfix does: filters look at them later.
void Session::macros(Command command, std::optional<Stage> stage, const Macros& known) {
    std::vector<std::string_view> names;
    if (stage) {
        const auto index = static_cast<std::size_t>(*stage);
        if (index < agreement_.macros.size() && agreement_.macros[index])
            names.assign(agreement_.macros[index]->begin(), agreement_.macros[index]->end());
        else
            names = usual_macros()[index];
    }
    bool begun = false;
    for (const auto name : names) {
        const auto found = std::ranges::find(known, bare(name), [](const Macro& macro) { return bare(macro.name); });
        if (found == known.end()) continue;
        if (!std::exchange(begun, true)) {
            writer_.begin(static_cast<char>(Command::macros));
            writer_.octet(static_cast<char>(command));
        }
        writer_.text(found->name);
        writer_.text(found->value);
    }
    if (begun) writer_.end();
}

void Session::connect(const Client& client, const Macros& known) {
    constexpr Flags kFlags{step::no_connect, step::silent_connect};
    macros(Command::connect, Stage::connect, known);
    if (!wants(kFlags)) return;
    writer_.begin(static_cast<char>(Command::connect));
    writer_.text(client.name);
    writer_.octet(static_cast<char>(client.family));
    if (client.family != Client::Family::unknown) {
        writer_.port(client.port);
        writer_.text(client.address);
    }
    writer_.end();
    await(kFlags);
}

void Session::helo(std::string_view name, const Macros& known) {
    constexpr Flags kFlags{step::no_helo, step::silent_helo};
    macros(Command::helo, Stage::helo, known);
    if (!wants(kFlags)) return;
    writer_.begin(static_cast<char>(Command::helo));
    writer_.text(name);
    writer_.end();
    await(kFlags);
}

void Session::arguments(Command command, std::span<const std::string> arguments) {
    writer_.begin(static_cast<char>(command));
    for (const auto& argument : arguments) writer_.text(argument);
    writer_.end();
}

void Session::mail(std::span<const std::string> given, const Macros& known) {
    constexpr Flags kFlags{step::no_mail, step::silent_mail};
    changes_ = 0;
    changed_octets_ = 0;
    macros(Command::mail, Stage::mail, known);
    if (!wants(kFlags)) return;
    arguments(Command::mail, given);
    await(kFlags);
}

void Session::rcpt(std::span<const std::string> given, const Macros& known) {
    constexpr Flags kFlags{step::no_rcpt, step::silent_rcpt};
    macros(Command::rcpt, Stage::rcpt, known);
    if (!wants(kFlags)) return;
    arguments(Command::rcpt, given);
    await(kFlags);
}

/// Known from version 4 on.
void Session::data(const Macros& known) {
    constexpr Flags kFlags{step::no_data, step::silent_data};
    if (agreement_.version < 4) return;
    macros(Command::data, Stage::data, known);
    if (!wants(kFlags)) return;
    send(Command::data);
    await(kFlags);
}

/// Known from version 3 on.
void Session::unknown(std::string_view line, const Macros& known) {
    constexpr Flags kFlags{step::no_unknown, step::silent_unknown};
    if (agreement_.version < 3) return;
    macros(Command::unknown, std::nullopt, known);
    if (!wants(kFlags)) return;
    writer_.begin(static_cast<char>(Command::unknown));
    writer_.text(line);
    writer_.end();
    await(kFlags);
}

void Session::header(std::string_view name, std::string_view value) {
    constexpr Flags kFlags{step::no_headers, step::silent_header};
    if (!wants(kFlags)) return;
    writer_.begin(static_cast<char>(Command::header));
    writer_.text(name);
    writer_.text(value_for_filter(value, keeps_leading_space()));
    writer_.end();
    await(kFlags);
}

void Session::end_of_header(const Macros& known) {
    constexpr Flags kFlags{step::no_end_of_header, step::silent_end_of_header};
    macros(Command::end_of_header, Stage::end_of_header, known);
    if (!wants(kFlags)) return;
    send(Command::end_of_header);
    await(kFlags);
}

void Session::body(std::string_view octets) {
    constexpr Flags kFlags{step::no_body, step::silent_body};
    if (!wants(kFlags)) return;
    writer_.begin(static_cast<char>(Command::body));
    writer_.octets(octets);
    writer_.end();
    await(kFlags, Step::body);
}

void Session::end_of_message(const Macros& known) {
    macros(Command::end_of_message, Stage::end_of_message, known);
    send(Command::end_of_message);
    open_ = Step::end_of_message;
}

void Session::abort() { send(Command::abort); }
void Session::quit() { send(Command::quit); }
void Session::quit_and_reconnect() { send(Command::quit_and_reconnect); }

base::Result<std::optional<Said>> Session::next() {
    if (error_) return std::unexpected(*error_);
    auto packet = reader_.next();
    if (packet && !*packet) return std::nullopt;
    auto said = packet ? parse_answer(**packet) : base::Result<Said>(base::pass_on(packet));
    auto checked = said ? check(*said) : base::pass_on(said);
    if (!checked) {
        error_ = std::move(checked).error();
        open_ = Step::none;
        return std::unexpected(*error_);
    }
    if (const auto* agreement = std::get_if<Agreement>(&*said)) agreement_ = *agreement;
    if (std::holds_alternative<Agreement>(*said) || std::holds_alternative<Verdict>(*said)) open_ = Step::none;
    return *std::move(said);
}

/// Whether it may be said now.
base::Result<void> Session::check(const Said& said) {
    if (open_ == Step::none) return not_allowed("an answer to nothing");
    const auto* agreement = std::get_if<Agreement>(&said);
    if ((agreement != nullptr) != (open_ == Step::negotiation)) return not_allowed("an answer out of order with the negotiation");
    if (agreement) return check_agreement(*agreement);
    if (const auto* change = std::get_if<Change>(&said)) return check_change(*change);
    if (const auto* verdict = std::get_if<Verdict>(&said)) return check_verdict(*verdict);
    return {};
}

/// Steps that were not offered are not refused: all that came later than version 6 would only leave things out.
base::Result<void> Session::check_agreement(const Agreement& agreement) {
    if (agreement.version < kLowestVersion || agreement.version > kHighestVersion)
        return not_allowed(fmt::format("protocol version {}, where we speak {} to {}", agreement.version, kLowestVersion, kHighestVersion));
    if ((agreement.actions & ~action::all) != 0) return not_allowed("it wants actions that were not offered");
    return {};
}

base::Result<void> Session::check_change(const Change& change) {
    if (open_ != Step::end_of_message) return not_allowed("a change before the end of the message");
    if ((agreement_.actions & std::visit(NeededAction{}, change)) == 0) return not_allowed("a change that was not agreed on");
    if (!std::holds_alternative<ReplaceBody>(change) && ++changes_ > options_.changes)
        return base::fail(base::ErrorKind::too_long, fmt::format("more than {} changes", options_.changes));
    changed_octets_ += octets_of(change);
    if (changed_octets_ > options_.changed_octets)
        return base::fail(base::ErrorKind::too_long, fmt::format("changes of more than {} octets", options_.changed_octets));
    return {};
}

base::Result<void> Session::check_verdict(const Verdict& verdict) const {
    if (verdict.kind == Verdict::Kind::skip && (open_ != Step::body || (agreement_.steps & step::skip) == 0))
        return not_allowed("it skips what cannot be skipped");
    return {};
}

}  // namespace thurn::milter
