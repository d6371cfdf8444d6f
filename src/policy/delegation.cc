#include "policy/delegation.h"

#include "base/ascii.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace thurn::policy {

namespace {

constexpr std::size_t kMostOfAValue = 2048;

class Attributes {
public:
    void add(std::string_view name, std::string_view value) {
        octets_ += name;
        octets_ += '=';
        for (const char c : value.substr(0, kMostOfAValue)) octets_ += static_cast<unsigned char>(c) < ' ' || c == '\x7f' ? '?' : c;
        octets_ += '\n';
    }
    void add(std::string_view name, std::uint64_t number) { add(name, fmt::to_string(number)); }
    [[nodiscard]] std::string take() && {
        octets_ += '\n';
        return std::move(octets_);
    }

private:
    std::string octets_;
};

std::string text_of(const mail::Mailbox* mailbox) { return mailbox ? mail::render_mailbox(*mailbox) : std::string(); }

/// At RCPT whom it is about; later, where there is only one, that one.
std::string recipient_of(const Question& question) {
    if (question.now.recipient) return text_of(question.now.recipient);
    if (question.stage < Stage::data || !question.now.recipients) return {};
    const auto all = question.now.recipients();
    return all.size() == 1 ? all.front() : std::string();
}

void add_client(Attributes& attributes, const Question& question) {
    const auto& now = question.now;
    const auto name = question.text_of("client.name");
    attributes.add("client_address", now.client_address);
    attributes.add("client_name", name.empty() ? "unknown" : name);
    attributes.add("reverse_client_name", name.empty() ? "unknown" : name);
    attributes.add("client_port", question.client_port);
    attributes.add("server_address", question.server_address);
    attributes.add("server_port", question.server_port);
    attributes.add("helo_name", now.helo);
}

void add_message(Attributes& attributes, const Question& question) {
    const auto& now = question.now;
    attributes.add("queue_id", question.message);
    // The same for all that is asked about one message, and for no other.
    attributes.add("instance",
                   question.message.empty() ? std::string(question.session) : fmt::format("{}.{}", question.session, question.message));
    attributes.add("sender", text_of(now.sender));
    attributes.add("recipient", recipient_of(question));
    attributes.add("recipient_count", question.stage < Stage::data ? 0 : now.recipient_count);
    attributes.add("size", now.size);
    attributes.add("etrn_domain", "");
}

void add_security(Attributes& attributes, const Question& question) {
    attributes.add("sasl_method", question.mechanism);
    attributes.add("sasl_username", question.now.login);
    attributes.add("sasl_sender", "");
    for (const auto* name : {"ccert_subject", "ccert_issuer", "ccert_fingerprint", "ccert_pubkey_fingerprint"}) attributes.add(name, "");
    attributes.add("encryption_protocol", question.tls_version);
    attributes.add("encryption_cipher", question.tls_cipher);
    attributes.add("encryption_keysize", question.tls_bits);
}

std::string_view take_word(std::string_view& text) {
    const auto word = text.substr(0, text.find_first_of(" \t"));
    text.remove_prefix(word.size());
    text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
    return word;
}

Advice refusal(Action action, std::string_view text) {
    Advice advice{.action = action};
    advice.status = take_status(text, action == Action::reject ? 5 : 4);
    advice.text = tame(text);
    return advice;
}

Advice reserve(Advice::Reserve reserve, std::string_view text) {
    auto advice = refusal(Action::defer, text);
    advice.action = Action::none;
    advice.reserve = reserve;
    return advice;
}

Advice redirect(std::string_view to) {
    Advice advice{.action = Action::redirect};
    advice.to = to;
    return advice;
}

Advice bcc(std::string_view to) {
    if (to.empty()) return advice_to_wait("");
    Advice advice;
    advice.bcc = to;
    return advice;
}

Advice prepend(std::string_view header) {
    Advice advice;
    advice.header = header;
    return advice;
}

struct Word {
    std::string_view name;
    Advice (*advice)(std::string_view rest);
};
constexpr std::array kWords{
    Word{"DUNNO", [](std::string_view) { return Advice{}; }},
    Word{"OK", [](std::string_view) { return Advice{.action = Action::accept}; }},
    Word{"PERMIT", [](std::string_view) { return Advice{.action = Action::accept}; }},
    Word{"REJECT", [](std::string_view rest) { return refusal(Action::reject, rest); }},
    Word{"DEFER", [](std::string_view rest) { return refusal(Action::defer, rest); }},
    Word{"DEFER_IF_PERMIT", [](std::string_view rest) { return reserve(Advice::Reserve::if_permit, rest); }},
    Word{"DEFER_IF_REJECT", [](std::string_view rest) { return reserve(Advice::Reserve::if_reject, rest); }},
    Word{"HOLD", [](std::string_view) { return Advice{.action = Action::hold}; }},
    Word{"DISCARD", [](std::string_view) { return Advice{.action = Action::discard}; }},
    Word{"REDIRECT", redirect},
    Word{"PREPEND", prepend},
    Word{"BCC", bcc},
    Word{"WARN", [](std::string_view) { return Advice{}; }},  // the words are in log and trace anyway
    Word{"INFO", [](std::string_view) { return Advice{}; }},
};

/// `450 later`. Three digits alone are one, too: Postfix takes any number for OK, which nobody means who says 450.
std::optional<Advice> parse_code(std::string_view word, std::string_view rest) {
    if (word.empty() || !std::ranges::all_of(word, base::is_digit)) return std::nullopt;
    const bool refuses = word.size() == 3 && (word[0] == '4' || word[0] == '5');
    if (!refuses) return rest.empty() ? std::optional(Advice{.action = Action::accept}) : std::nullopt;
    auto advice = refusal(word[0] == '5' ? Action::reject : Action::defer, rest);
    advice.code = static_cast<std::uint16_t>((word[0] - '0') * 100 + (word[1] - '0') * 10 + (word[2] - '0'));
    if (advice.code == 421) advice.action = Action::disconnect;  // RFC 5321 §3.8
    return advice;
}

Advice advice_of(std::string_view action) {
    auto rest = action;
    const auto word = take_word(rest);
    if (auto coded = parse_code(word, rest)) return *std::move(coded);
    const auto found = std::ranges::find_if(kWords, [word](const Word& known) { return base::equal_ignoring_case(known.name, word); });
    return found != kWords.end() ? found->advice(rest) : advice_to_wait("");
}

}  // namespace

std::string_view protocol_state(Stage stage) {
    switch (stage) {
        case Stage::connect:
            return "CONNECT";
        case Stage::helo:
            return "EHLO";
        case Stage::auth:
            return {};
        case Stage::mail:
            return "MAIL";
        case Stage::rcpt:
            return "RCPT";
        case Stage::data:
            return "DATA";
        case Stage::content:
            return "END-OF-MESSAGE";
    }
    return {};
}

std::string render_delegation_request(const Question& question, std::string_view context) {
    Attributes attributes;
    attributes.add("request", "smtpd_access_policy");
    attributes.add("protocol_state", protocol_state(question.stage));
    attributes.add("protocol_name", question.protocol);
    add_client(attributes, question);
    add_message(attributes, question);
    add_security(attributes, question);
    attributes.add("stress", "");
    attributes.add("policy_context", context);
    attributes.add("mail_version", "thurn");
    return std::move(attributes).take();
}

Advice parse_access_action(std::string_view action) {
    auto advice = advice_of(action);
    advice.said = tame(action);
    return advice;
}

base::Result<std::optional<Advice>> parse_delegation_reply(std::string_view octets) {
    using base::ErrorKind;
    std::optional<std::string_view> action;
    for (auto rest = octets; !rest.empty();) {
        const auto end = rest.find('\n');
        if (end == std::string_view::npos) break;
        auto line = rest.substr(0, end);
        rest.remove_prefix(end + 1);
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (line.empty()) {
            if (!action) return base::fail(ErrorKind::syntax, "its answer has no action");
            if (!rest.empty()) return base::fail(ErrorKind::syntax, "it gave more than one answer");
            return parse_access_action(*action);
        }
        const auto equal = line.find('=');
        if (equal == std::string_view::npos) return base::fail(ErrorKind::syntax, "its answer is no attribute");
        if (line.substr(0, equal) != "action") continue;
        if (action) return base::fail(ErrorKind::syntax, "its answer has two actions");
        action = line.substr(equal + 1);
    }
    if (octets.size() > kMostOfADelegationReply) return base::fail(ErrorKind::too_long, "its answer does not end");
    return std::optional<Advice>();
}

}  // namespace thurn::policy
