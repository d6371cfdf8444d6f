#include "milter/answer.h"

#include "base/ascii.h"
#include "milter/protocol.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace thurn::milter {

namespace {

constexpr std::size_t kMostReplyLines = 32;      // as smfi_setmlreply()
constexpr std::size_t kLongestReplyLine = 980;   // as libmilter
constexpr std::size_t kMostMacrosPerStage = 64;  // libmilter has room for 50

std::unexpected<base::Error> malformed(std::string_view what) {
    return base::fail(base::ErrorKind::syntax, fmt::format("a malformed answer: {}", what));
}

/// `%%` is what libmilter makes its users write, because Sendmail takes the text for a format.
std::string without_doubled_percent(std::string_view text) {
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        result += text[i];
        if (text[i] == '%' && i + 1 < text.size() && text[i + 1] == '%') ++i;
    }
    return result;
}

std::string_view take_line(std::string_view& text) {
    const auto end = text.find('\n');
    auto line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
}

/// Which code a line of a reply has; 0: none.
std::uint16_t code_of(std::string_view line) {
    if (line.size() < 3 || (line[0] != '4' && line[0] != '5')) return 0;
    if (!base::is_digit(line[1]) || !base::is_digit(line[2])) return 0;
    if (line.size() > 3 && line[3] != ' ' && line[3] != '-') return 0;
    return static_cast<std::uint16_t>((line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0'));
}

base::Result<void> add_line(ReplyText& reply, std::string_view line) {
    const auto code = code_of(line);
    if (code == 0) return malformed("a reply without a code of 4xx or 5xx");
    if (reply.code != 0 && reply.code != code) return malformed("a reply of several codes");
    reply.code = code;
    auto text = line.substr(std::min<std::size_t>(4, line.size()));
    if (text.size() > kLongestReplyLine) return base::fail(base::ErrorKind::too_long, "a line of a reply is too long");
    if (!std::ranges::all_of(text, base::is_printable)) return malformed("a reply with octets that are not printable US-ASCII");
    if (const auto status = mail::leading_status(text); status && status->status_class == code / 100) {
        if (!reply.status) reply.status = status;
        text.remove_prefix(std::min(text.size(), mail::render_status(*status).size() + 1));
    }
    reply.lines.push_back(without_doubled_percent(text));
    return {};
}

base::Result<Agreement> parse_agreement(std::string_view payload) {
    PayloadReader in(payload);
    Agreement agreement{.version = in.number(), .actions = in.number(), .steps = in.number()};
    agreement.macros.resize(kStages);
    while (!in.at_end() && !in.failed()) {
        const auto stage = in.number();
        auto names = in.text();
        if (in.failed()) break;
        if (stage >= kStages) return malformed("macros for a stage that does not exist");
        std::vector<std::string> wanted;
        while (!names.empty()) {
            const auto end = std::min(names.find_first_of(" ,\t"), names.size());
            if (end > 0) wanted.emplace_back(names.substr(0, end));
            names.remove_prefix(std::min(names.size(), end + 1));
        }
        if (wanted.size() > kMostMacrosPerStage) return malformed("too many macros");
        agreement.macros[stage] = std::move(wanted);
    }
    if (in.failed()) return malformed("a negotiation that is cut off");
    return agreement;
}

template <class T>
base::Result<Said> whole(const PayloadReader& in, std::string_view what, T value) {
    if (!in.complete()) return malformed(fmt::format("{} that is cut off or goes on", what));
    return Said(Change(std::move(value)));
}

bool is_field_name(std::string_view name) {
    return !name.empty() && std::ranges::all_of(name, [](char c) { return base::is_printable(c) && c != ' ' && c != ':'; });
}

template <class T>
base::Result<Said> field(const PayloadReader& in, std::string_view what, T value) {
    if (in.complete() && !is_field_name(value.name)) return malformed(fmt::format("{} with a name no field can have", what));
    return whole(in, what, std::move(value));
}

base::Result<Said> parse_field(Answer answer, std::string_view payload) {
    PayloadReader in(payload);
    const auto index = answer == Answer::add_header ? 0 : in.number();
    std::string name(in.text());
    std::string value(in.text());
    switch (answer) {
        case Answer::add_header:
            return field(in, "an added header field", AddHeader{std::move(name), std::move(value)});
        case Answer::insert_header:
            return field(in, "an inserted header field", InsertHeader{index, std::move(name), std::move(value)});
        default:
            return field(in, "a changed header field", ChangeHeader{std::max(index, 1U), std::move(name), std::move(value)});
    }
}

base::Result<Said> parse_envelope_change(Answer answer, std::string_view payload) {
    PayloadReader in(payload);
    std::string path(in.text());
    if (answer == Answer::remove_recipient) return whole(in, "a removed recipient", RemoveRecipient{std::move(path)});
    std::string parameters;
    if (answer != Answer::add_recipient && !in.at_end()) parameters = in.text();
    if (answer == Answer::change_sender) return whole(in, "a changed sender", ChangeSender{std::move(path), std::move(parameters)});
    return whole(in, "an added recipient", AddRecipient{std::move(path), std::move(parameters)});
}

base::Result<Said> parse_quarantine(std::string_view payload) {
    PayloadReader in(payload);
    std::string reason(in.text());
    return whole(in, "a quarantine", Quarantine{std::move(reason)});
}

base::Result<Said> parse_reply(std::string_view payload) {
    PayloadReader in(payload);
    const auto text = in.text();
    if (!in.complete()) return malformed("a reply that is cut off or goes on");
    auto reply = parse_reply_text(text);
    if (!reply) return base::pass_on(reply);
    return Said(Verdict{Verdict::Kind::reply, *std::move(reply)});
}

std::optional<Verdict::Kind> plain_verdict(Answer answer) {
    using enum Verdict::Kind;
    switch (answer) {
        case Answer::proceed:
            return proceed;
        case Answer::accept:
            return accept;
        case Answer::discard:
            return discard;
        case Answer::reject:
            return reject;
        case Answer::tempfail:
            return tempfail;
        case Answer::skip:
            return skip;
        case Answer::connection_failed:
            return connection_failed;
        case Answer::shut_down:
            return shut_down;
        default:
            return std::nullopt;
    }
}

base::Result<Said> parse_other(const Packet& packet) {
    const auto answer = static_cast<Answer>(packet.word);
    switch (answer) {
        case Answer::negotiate: {
            auto agreement = parse_agreement(packet.payload);
            if (!agreement) return base::pass_on(agreement);
            return Said(*std::move(agreement));
        }
        case Answer::add_header:
        case Answer::insert_header:
        case Answer::change_header:
            return parse_field(answer, packet.payload);
        case Answer::add_recipient:
        case Answer::add_recipient_with_parameters:
        case Answer::remove_recipient:
        case Answer::change_sender:
            return parse_envelope_change(answer, packet.payload);
        case Answer::replace_body:
            return Said(Change(ReplaceBody{std::string(packet.payload)}));
        case Answer::quarantine:
            return parse_quarantine(packet.payload);
        case Answer::reply:
            return parse_reply(packet.payload);
        default:
            return malformed(fmt::format("no answer begins with octet {}", static_cast<unsigned>(static_cast<unsigned char>(packet.word))));
    }
}

}  // namespace

std::size_t octets_of(const Change& change) {
    struct Count {
        std::size_t operator()(const AddHeader& c) const { return c.name.size() + c.value.size(); }
        std::size_t operator()(const InsertHeader& c) const { return c.name.size() + c.value.size(); }
        std::size_t operator()(const ChangeHeader& c) const { return c.name.size() + c.value.size(); }
        std::size_t operator()(const ChangeSender& c) const { return c.path.size() + c.parameters.size(); }
        std::size_t operator()(const AddRecipient& c) const { return c.path.size() + c.parameters.size(); }
        std::size_t operator()(const RemoveRecipient& c) const { return c.path.size(); }
        std::size_t operator()(const ReplaceBody& c) const { return c.octets.size(); }
        std::size_t operator()(const Quarantine& c) const { return c.reason.size(); }
    };
    return std::visit(Count{}, change);
}

base::Result<ReplyText> parse_reply_text(std::string_view text) {
    ReplyText reply;
    do {
        if (reply.lines.size() == kMostReplyLines) return base::fail(base::ErrorKind::too_long, "a reply of too many lines");
        if (auto added = add_line(reply, take_line(text)); !added) return base::pass_on(added);
    } while (!text.empty());
    return reply;
}

/// Filters that wrap the word of a verdict into a string of its own, with a NUL behind it, are understood.
base::Result<Said> parse_answer(const Packet& packet) {
    const auto answer = static_cast<Answer>(packet.word);
    const auto verdict = plain_verdict(answer);
    if (!verdict && answer != Answer::progress) return parse_other(packet);
    if (packet.payload.find_first_not_of('\0') != std::string_view::npos) return malformed("a verdict with something behind it");
    if (!verdict) return Said(Progress{});
    return Said(Verdict{.kind = *verdict});
}

}  // namespace thurn::milter
