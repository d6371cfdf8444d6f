#include "spool/encoding.h"

namespace thurn::spool {

namespace {

enum EnvelopeFlag : std::uint8_t { kHasSender = 1, kEightBit = 2 };

// The least a recipient takes: five empty texts, two octets, a count and a time. A count that cannot fit is refused before memory is taken.
constexpr std::size_t kSmallestRecipient = 5 * 4 + 2 + 4 + 8;

}  // namespace

void Writer::put(std::uint64_t number, int octets) {
    char buffer[8];
    for (int i = 0; i < octets; ++i) buffer[i] = static_cast<char>(number >> (8 * i));
    out_.append(buffer, static_cast<std::size_t>(octets));
}

void Writer::text(std::string_view octets) {
    u32(static_cast<std::uint32_t>(octets.size()));
    out_.append(octets);
}

std::uint64_t Reader::take(std::size_t octets) {
    if (rest_.size() < octets) {
        spoil();
        return 0;
    }
    std::uint64_t number = 0;
    for (std::size_t i = 0; i < octets; ++i) number |= std::uint64_t{static_cast<unsigned char>(rest_[i])} << (8 * i);
    rest_.remove_prefix(octets);
    return number;
}

std::string Reader::text() {
    const std::size_t length = u32();
    if (rest_.size() < length) {
        spoil();
        return {};
    }
    std::string octets(rest_.substr(0, length));
    rest_.remove_prefix(length);
    return octets;
}

void write_state(Writer& out, const RecipientState& state) {
    out.u8(static_cast<std::uint8_t>(state.standing));
    out.u32(state.attempts);
    out.time(state.due);
    out.text(state.last_status);
    out.text(state.site);
}

void write_recipient(Writer& out, const Recipient& recipient) {
    out.text(recipient.mailbox.local);
    out.text(recipient.mailbox.domain.text());
    out.text(recipient.original);
    out.u8(recipient.expansions);
    write_state(out, recipient.state);
}

void write_envelope_head(Writer& out, const Envelope& envelope) {
    const auto& sender = envelope.sender.mailbox;
    out.u8(static_cast<std::uint8_t>((sender ? kHasSender : 0) | (envelope.eight_bit ? kEightBit : 0)));
    if (sender) {
        out.text(sender->local);
        out.text(sender->domain.text());
    }
    out.text(envelope.login);
    out.text(envelope.client);
}

void write_recipients(Writer& out, const std::vector<Recipient>& recipients) {
    out.u32(static_cast<std::uint32_t>(recipients.size()));
    for (const auto& recipient : recipients) write_recipient(out, recipient);
}

RecipientState read_state(Reader& in) {
    RecipientState state;
    const auto standing = in.u8();
    if (standing > static_cast<std::uint8_t>(Standing::deleted)) in.spoil();
    state.standing = in.ok() ? static_cast<Standing>(standing) : Standing::waiting;
    state.attempts = in.u32();
    state.due = in.time();
    state.last_status = in.text();
    state.site = in.text();
    return state;
}

namespace {

mail::Mailbox read_mailbox(Reader& in) {
    mail::Mailbox mailbox;
    mailbox.local = in.text();
    mailbox.domain = mail::Domain::restored(in.text());
    return mailbox;
}

}  // namespace

Recipient read_recipient(Reader& in) {
    Recipient recipient;
    recipient.mailbox = read_mailbox(in);
    recipient.original = in.text();
    recipient.expansions = in.u8();
    recipient.state = read_state(in);
    return recipient;
}

Envelope read_envelope_head(Reader& in) {
    Envelope envelope;
    const auto flags = in.u8();
    if (flags > (kHasSender | kEightBit)) in.spoil();
    if ((flags & kHasSender) != 0) envelope.sender.mailbox = read_mailbox(in);
    envelope.eight_bit = (flags & kEightBit) != 0;
    envelope.login = in.text();
    envelope.client = in.text();
    return envelope;
}

std::vector<Recipient> read_recipients(Reader& in) {
    std::vector<Recipient> recipients;
    const std::size_t count = in.u32();
    if (count > in.left() / kSmallestRecipient) in.spoil();
    if (in.ok()) recipients.reserve(count);
    for (std::size_t i = 0; i < count && in.ok(); ++i) recipients.push_back(read_recipient(in));
    return recipients;
}

}  // namespace thurn::spool
