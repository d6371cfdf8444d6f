// Each keyword has one row in a table: what must be announced for it, and how its value is read. A reader walks over ` KEYWORD[=value]`,
// finds the row, and sees to it that none comes twice.
#include "smtp/parameters.h"

#include "base/ascii.h"
#include "base/utf8.h"
#include "base/xtext.h"
#include "mail/date.h"
#include "mail/grammar.h"
#include "smtp/words.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace thurn::smtp {

namespace {

constexpr FixedReply kBadParameter{501, {5, 5, 4}, "Bad parameter syntax"};
constexpr FixedReply kTwiceParameter{501, {5, 5, 4}, "Parameter given twice"};
constexpr FixedReply kUnknownParameter{555, {5, 5, 4}, "Unknown parameter"};
constexpr FixedReply kNoValue{501, {5, 5, 4}, "This parameter takes no value"};
constexpr FixedReply kBadSize{501, {5, 5, 4}, "Bad SIZE value"};
constexpr FixedReply kUnknownBody{504, {5, 5, 4}, "BODY must be a type that is announced"};
constexpr FixedReply kBadAuth{501, {5, 5, 4}, "Bad AUTH value"};
constexpr FixedReply kBadRet{501, {5, 5, 4}, "RET must be FULL or HDRS"};
constexpr FixedReply kBadEnvid{501, {5, 5, 4}, "Bad ENVID value"};
constexpr FixedReply kTlsFirst{530, {5, 7, 0}, "REQUIRETLS needs TLS, must issue a STARTTLS command first"};
constexpr FixedReply kBadHoldFor{501, {5, 5, 4}, "Bad HOLDFOR value"};
constexpr FixedReply kBadHoldUntil{501, {5, 5, 4}, "Bad HOLDUNTIL value"};
constexpr FixedReply kHoldTooLong{501, {5, 5, 4}, "Held for longer than FUTURERELEASE allows"};
constexpr FixedReply kBadBy{501, {5, 5, 4}, "Bad BY value"};
constexpr FixedReply kByTooSoon{501, {5, 5, 4}, "BY is sooner than DELIVERBY allows"};
constexpr FixedReply kBadPriority{501, {5, 5, 4}, "MT-PRIORITY must be -9 to 9"};
constexpr FixedReply kBadNotify{501, {5, 5, 4}, "Bad NOTIFY value"};
constexpr FixedReply kBadOrcpt{501, {5, 5, 4}, "Bad ORCPT value"};

constexpr const FixedReply* kTaken = nullptr;

constexpr std::size_t kEnvid = 100;              // RFC 3461 §4.4
constexpr std::size_t kOriginalRecipient = 500;  // RFC 3461 §4.2

struct Parameter {
    std::string_view keyword;
    std::optional<std::string_view> value;
};

bool is_keyword(std::string_view text) {
    const auto inside = [](char octet) { return base::is_letter(octet) || base::is_digit(octet) || octet == '-'; };
    return !text.empty() && text.front() != '-' && std::ranges::all_of(text, inside);
}

/// Takes the next parameter behind a path: SP keyword [= value], RFC 5321 §4.1.2. Precondition: `text` is not empty.
const FixedReply* take_parameter(std::string_view& text, Parameter& parameter) {
    if (!is_blank(text.front())) return &kBadParameter;
    const auto word = take_word(text);
    const auto equals = word.find('=');
    parameter = {.keyword = word.substr(0, equals), .value = std::nullopt};
    if (equals != std::string_view::npos) parameter.value = word.substr(equals + 1);
    if (!is_keyword(parameter.keyword) || (parameter.value && parameter.value->empty())) return &kBadParameter;
    return kTaken;
}

bool is_printable(std::string_view text) { return std::ranges::all_of(text, base::is_printable); }

/// Up to `most` digits and nothing else.
std::optional<std::uint64_t> parse_digits(std::string_view text, std::size_t most) {
    if (text.empty() || text.size() > most || !std::ranges::all_of(text, base::is_digit)) return std::nullopt;
    std::uint64_t number = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
    return failure == std::errc{} ? number : UINT64_MAX;  // what does not fit 64 bits is larger than any limit
}

/// Reads the parameters of one command, each at most once, by the rows of its kind.
template <class Reader, std::size_t Rows>
const FixedReply* read_all(std::string_view text, Reader& reader, const std::array<typename Reader::Row, Rows>& rows) {
    std::uint32_t seen = 0;
    Parameter parameter;
    while (!text.empty()) {
        if (const auto* wrong = take_parameter(text, parameter)) return wrong;
        std::size_t index = 0;
        while (index < Rows && !same_word(parameter.keyword, rows[index].keyword)) ++index;
        if (index == Rows || !rows[index].announced(reader.rules)) return &kUnknownParameter;
        if (std::exchange(seen, seen | 1U << index) & 1U << index) return &kTwiceParameter;
        if (const auto* wrong = (reader.*rows[index].take)(parameter.value)) return wrong;
    }
    return kTaken;
}

using Value = std::optional<std::string_view>;

/// One handler per keyword of MAIL.
struct MailReader {
    struct Row {
        std::string_view keyword;
        bool (*announced)(const ParameterRules& rules);
        const FixedReply* (MailReader::*take)(const Value& value);
    };

    const FixedReply* take_size(const Value& value);
    const FixedReply* take_body(const Value& value);
    const FixedReply* take_auth(const Value& value);
    const FixedReply* take_smtputf8(const Value& value);
    const FixedReply* take_ret(const Value& value);
    const FixedReply* take_envid(const Value& value);
    const FixedReply* take_require_tls(const Value& value);
    const FixedReply* take_hold_for(const Value& value);
    const FixedReply* take_hold_until(const Value& value);
    const FixedReply* take_by(const Value& value);
    const FixedReply* take_priority(const Value& value);

    const ParameterRules& rules;
    MailParameters given{};
};

// SIZE and BODY are known to the session whatever it lists: clients that say HELO send them too.
constexpr std::array<MailReader::Row, 11> kMailRows{{
    {"SIZE", [](const ParameterRules& rules) { return rules.extensions.size; }, &MailReader::take_size},
    {"BODY", [](const ParameterRules& rules) { return rules.extensions.eight_bit_mime || takes_binary(rules.extensions); },
     &MailReader::take_body},
    {"AUTH", [](const ParameterRules& rules) { return rules.auth == AuthParameter::known; }, &MailReader::take_auth},
    {"SMTPUTF8", [](const ParameterRules& rules) { return rules.extensions.smtputf8; }, &MailReader::take_smtputf8},
    {"RET", [](const ParameterRules& rules) { return rules.extensions.dsn; }, &MailReader::take_ret},
    {"ENVID", [](const ParameterRules& rules) { return rules.extensions.dsn; }, &MailReader::take_envid},
    {"REQUIRETLS", [](const ParameterRules& rules) { return rules.extensions.require_tls; }, &MailReader::take_require_tls},
    {"HOLDFOR", [](const ParameterRules& rules) { return rules.extensions.future_release.has_value(); }, &MailReader::take_hold_for},
    {"HOLDUNTIL", [](const ParameterRules& rules) { return rules.extensions.future_release.has_value(); }, &MailReader::take_hold_until},
    {"BY", [](const ParameterRules& rules) { return rules.extensions.deliver_by.has_value(); }, &MailReader::take_by},
    {"MT-PRIORITY", [](const ParameterRules& rules) { return rules.extensions.mt_priority.has_value(); }, &MailReader::take_priority},
}};

/// RFC 1870 §3: up to 20 digits.
const FixedReply* MailReader::take_size(const Value& value) {
    const auto size = value ? parse_digits(*value, 20) : std::nullopt;
    if (!size) return &kBadSize;
    given.size = base::Octets{*size};
    return kTaken;
}

const FixedReply* MailReader::take_body(const Value& value) {
    using mail::BodyType;
    if (!value) return &kUnknownBody;
    if (rules.extensions.eight_bit_mime && same_word(*value, "8BITMIME"))
        given.body = BodyType::eight_bit;
    else if (takes_binary(rules.extensions) && same_word(*value, "BINARYMIME"))
        given.body = BodyType::binary;
    else if (!same_word(*value, "7BIT"))
        return &kUnknownBody;
    return kTaken;
}

/// RFC 4954 §5: `<>` or a mailbox, in xtext. Some clients put the mailbox in brackets too.
const FixedReply* MailReader::take_auth(const Value& value) {
    const auto decoded = value ? base::decode_xtext(*value) : base::fail(base::ErrorKind::syntax, "no value");
    if (!decoded) return &kBadAuth;
    if (*decoded == "<>") {
        given.auth.emplace();
        return kTaken;
    }
    auto mailbox = mail::parse_mailbox(*decoded, rules.extensions.smtputf8 ? mail::Charset::utf8 : mail::Charset::ascii);
    if (!mailbox) return &kBadAuth;
    given.auth = mail::ReversePath{*std::move(mailbox)};
    return kTaken;
}

const FixedReply* MailReader::take_smtputf8(const Value& value) {
    if (value) return &kNoValue;  // RFC 6531 §3.1
    given.smtputf8 = true;
    return kTaken;
}

const FixedReply* MailReader::take_ret(const Value& value) {
    using mail::ReturnContent;
    if (!value) return &kBadRet;
    if (same_word(*value, "FULL"))
        given.ret = ReturnContent::full;
    else if (same_word(*value, "HDRS"))
        given.ret = ReturnContent::headers;
    else
        return &kBadRet;
    return kTaken;
}

/// RFC 3461 §4.4: xtext of printable US-ASCII.
const FixedReply* MailReader::take_envid(const Value& value) {
    auto decoded = value ? base::decode_xtext(*value) : base::fail(base::ErrorKind::syntax, "no value");
    if (!decoded || decoded->size() > kEnvid || !is_printable(*decoded)) return &kBadEnvid;
    given.envid = *std::move(decoded);
    return kTaken;
}

/// RFC 8689 §2: announced, and so meant, under TLS only. In clear it is told apart from a word nobody knows, so that the client sees why.
const FixedReply* MailReader::take_require_tls(const Value& value) {
    if (value) return &kNoValue;
    if (rules.transport != Transport::tls) return &kTlsFirst;
    given.require_tls = true;
    return kTaken;
}

/// RFC 4865 §3: 1..999999999.
const FixedReply* MailReader::take_hold_for(const Value& value) {
    const auto seconds = value ? parse_digits(*value, 9) : std::nullopt;
    if (!seconds || value->front() == '0' || given.hold_until) return &kBadHoldFor;
    given.hold_for = std::chrono::seconds(*seconds);
    return *given.hold_for > rules.extensions.future_release->interval ? &kHoldTooLong : kTaken;
}

/// RFC 4865 §3: a date and time in UTC. One that has passed is the driver's business.
const FixedReply* MailReader::take_hold_until(const Value& value) {
    const auto moment = value ? mail::parse_timestamp(*value) : base::fail(base::ErrorKind::syntax, "no value");
    if (!moment || given.hold_for) return &kBadHoldUntil;
    given.hold_until = *moment;
    return *moment > rules.extensions.future_release->until ? &kHoldTooLong : kTaken;
}

/// `[+-]1*9DIGIT;N|R[T]`, RFC 2852 §4: what must be sent back when late cannot be late already.
const FixedReply* MailReader::take_by(const Value& value) {
    if (!value) return &kBadBy;
    std::string_view time = value->substr(0, value->find(';'));
    std::string_view mode = value->substr(std::min(time.size() + 1, value->size()));
    const bool negative = time.starts_with('-');
    if (negative || time.starts_with('+')) time.remove_prefix(1);
    const auto seconds = parse_digits(time, 9);
    DeliverBy by{.within = {}, .mode = ByMode::notify, .trace = mode.size() == 2 && to_upper(mode.back()) == 'T'};
    if (by.trace) mode.remove_suffix(1);
    if (same_word(mode, "R")) by.mode = ByMode::return_message;
    if (!seconds || !(same_word(mode, "R") || same_word(mode, "N"))) return &kBadBy;
    by.within = std::chrono::seconds(negative ? -static_cast<std::int64_t>(*seconds) : static_cast<std::int64_t>(*seconds));
    given.deliver_by = by;
    if (by.mode == ByMode::notify) return kTaken;
    if (by.within <= std::chrono::seconds(0)) return &kBadBy;
    return by.within < *rules.extensions.deliver_by ? &kByTooSoon : kTaken;
}

/// RFC 6710 §8: `0`, or `1`..`9` with or without a minus.
const FixedReply* MailReader::take_priority(const Value& value) {
    if (!value) return &kBadPriority;
    const bool negative = value->starts_with('-');
    const auto digit = value->substr(negative ? 1 : 0);
    if (digit.size() != 1 || !base::is_digit(digit.front()) || (negative && digit == "0")) return &kBadPriority;
    given.priority = static_cast<std::int8_t>((digit.front() - '0') * (negative ? -1 : 1));
    return kTaken;
}

/// One handler per keyword of RCPT.
struct RcptReader {
    struct Row {
        std::string_view keyword;
        bool (*announced)(const ParameterRules& rules);
        const FixedReply* (RcptReader::*take)(const Value& value);
    };

    const FixedReply* take_notify(const Value& value);
    const FixedReply* take_original_recipient(const Value& value);
    bool take_notify_word(std::string_view word);

    const ParameterRules& rules;
    RcptParameters given{};
};

constexpr std::array<RcptReader::Row, 2> kRcptRows{{
    {"NOTIFY", [](const ParameterRules& rules) { return rules.extensions.dsn; }, &RcptReader::take_notify},
    {"ORCPT", [](const ParameterRules& rules) { return rules.extensions.dsn; }, &RcptReader::take_original_recipient},
}};

bool RcptReader::take_notify_word(std::string_view word) {
    auto& notify = given.notify;
    if (same_word(word, "SUCCESS")) return notify.success = true;
    if (same_word(word, "FAILURE")) return notify.failure = true;
    if (same_word(word, "DELAY")) return notify.delay = true;
    return false;
}

/// RFC 3461 §4.1: NEVER, alone, or a list of the others.
const FixedReply* RcptReader::take_notify(const Value& value) {
    if (!value) return &kBadNotify;
    given.notify.given = true;
    if (same_word(*value, "NEVER")) return kTaken;
    for (auto rest = *value;;) {
        const auto comma = rest.find(',');
        if (!take_notify_word(rest.substr(0, comma))) return &kBadNotify;
        if (comma == std::string_view::npos) return kTaken;
        rest.remove_prefix(comma + 1);
    }
}

bool is_atom(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) { return mail::is(mail::OctetClass::atext, c); });
}

/// Postfix puts an address in UTF-8 into the xtext of `rfc822`, where RFC 6533 §3 has a type of its own for it. Refused, all such mail of
/// Postfix would come back.
bool is_utf8_address(std::string_view address) {
    return beyond_ascii(address) && base::is_utf8(address) &&
           std::ranges::all_of(address, [](char octet) { return base::is_printable(octet) || !base::is_ascii(octet); });
}

/// RFC 3461 §4.2: `type;xtext`. For `utf-8` RFC 6533 §3 has an encoding of its own, and UTF-8 as it is where MAIL said SMTPUTF8.
const FixedReply* RcptReader::take_original_recipient(const Value& value) {
    if (!value || value->size() > kOriginalRecipient) return &kBadOrcpt;
    const auto cut = value->find(';');
    const auto type = value->substr(0, cut);
    if (cut == std::string_view::npos || cut + 1 == value->size() || !is_atom(type)) return &kBadOrcpt;
    const auto text = value->substr(cut + 1);
    const bool utf8 = same_word(type, "UTF-8");
    if (beyond_ascii(text) && !(utf8 && rules.utf8 == Utf8::allowed)) return &kBadOrcpt;
    auto address = utf8 ? base::decode_utf8_xtext(text) : base::decode_xtext(text);
    const bool utf8_in_xtext = address && base::equal_ignoring_case(type, "rfc822") && is_utf8_address(*address);
    if (!address || (!utf8 && !utf8_in_xtext && !is_printable(*address))) return &kBadOrcpt;
    auto& original = given.original_recipient.emplace();
    original.type = utf8_in_xtext ? "utf-8" : type;
    std::ranges::transform(original.type, original.type.begin(), base::to_lower);
    original.address = *std::move(address);
    return kTaken;
}

}  // namespace

std::expected<MailParameters, FixedReply> parse_mail_parameters(std::string_view text, const ParameterRules& rules) {
    MailReader reader{.rules = rules};
    if (const auto* wrong = read_all(text, reader, kMailRows)) return std::unexpected(*wrong);
    return std::move(reader.given);
}

std::expected<RcptParameters, FixedReply> parse_rcpt_parameters(std::string_view text, const ParameterRules& rules) {
    RcptReader reader{.rules = rules};
    if (const auto* wrong = read_all(text, reader, kRcptRows)) return std::unexpected(*wrong);
    return std::move(reader.given);
}

}  // namespace thurn::smtp
