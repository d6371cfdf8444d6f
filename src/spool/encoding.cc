#include "spool/encoding.h"

namespace thurn::spool {

namespace {

enum EnvelopeFlag : std::uint8_t { kHasSender = 1, kEightBit = 2, kBinary = 4, kHasWishes = 8, kJunk = 16 };
enum WishFlag : std::uint8_t {
    kSmtpUtf8 = 1,
    kRequireTls = 2,
    kTlsOptional = 4,
    kHasPriority = 8,
    kHasDeliverBy = 16,
    kByNotify = 32,
    kByTrace = 64,
    kHasRelease = 128
};
enum NotifyFlag : std::uint8_t { kGiven = 1, kSuccess = 2, kFailure = 4, kDelay = 8 };

constexpr std::uint8_t kHasNotify = 0x80;  // shares an octet with the count of expansions
constexpr int kLowestPriority = -9;        // RFC 6710 §2
constexpr int kHighestPriority = 9;

constexpr std::uint8_t flag(bool set, std::uint8_t value) { return set ? value : std::uint8_t{0}; }

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
    const bool has_notify = recipient.notify.given || !recipient.orcpt.empty();
    out.u8(static_cast<std::uint8_t>(recipient.expansions | flag(has_notify, kHasNotify)));
    if (has_notify) {
        const auto& notify = recipient.notify;
        out.u8(static_cast<std::uint8_t>(flag(notify.given, kGiven) | flag(notify.success, kSuccess) | flag(notify.failure, kFailure) |
                                         flag(notify.delay, kDelay)));
        out.text(recipient.orcpt);
    }
    write_state(out, recipient.state);
}

namespace {

void write_wishes(Writer& out, const Wishes& wishes) {
    const auto& by = wishes.deliver_by;
    out.u8(static_cast<std::uint8_t>(flag(wishes.smtputf8, kSmtpUtf8) | flag(wishes.require_tls, kRequireTls) |
                                     flag(wishes.tls_optional, kTlsOptional) | flag(wishes.priority.has_value(), kHasPriority) |
                                     flag(by.has_value(), kHasDeliverBy) | flag(by && by->after == DeliverBy::After::notify, kByNotify) |
                                     flag(by && by->trace, kByTrace) | flag(wishes.release.has_value(), kHasRelease)));
    out.u8(static_cast<std::uint8_t>(wishes.ret));
    out.text(wishes.envid);
    if (wishes.priority) out.u8(static_cast<std::uint8_t>(*wishes.priority - kLowestPriority));
    if (by) out.time(by->deadline);
    if (wishes.release) out.time(*wishes.release);
}

}  // namespace

void write_envelope_head(Writer& out, const Envelope& envelope) {
    const auto& sender = envelope.sender.mailbox;
    const bool has_wishes = envelope.wishes != Wishes{};
    out.u8(static_cast<std::uint8_t>(flag(sender.has_value(), kHasSender) | flag(envelope.body == mail::BodyType::eight_bit, kEightBit) |
                                     flag(envelope.body == mail::BodyType::binary, kBinary) | flag(has_wishes, kHasWishes) |
                                     flag(envelope.junk, kJunk)));
    if (sender) {
        out.text(sender->local);
        out.text(sender->domain.text());
    }
    out.text(envelope.login);
    out.text(envelope.client);
    if (has_wishes) write_wishes(out, envelope.wishes);
}

void write_recipients(Writer& out, const std::vector<Recipient>& recipients) {
    out.u32(static_cast<std::uint32_t>(recipients.size()));
    for (const auto& recipient : recipients) write_recipient(out, recipient);
}

Place read_place(Reader& in) {
    const auto place = in.u8();
    if (place > static_cast<std::uint8_t>(Place::turned_file)) in.spoil();
    return in.ok() ? static_cast<Place>(place) : Place::log;
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

mail::Notify read_notify(Reader& in) {
    const auto flags = in.u8();
    if (flags > (kGiven | kSuccess | kFailure | kDelay)) in.spoil();
    return {.given = (flags & kGiven) != 0,
            .success = (flags & kSuccess) != 0,
            .failure = (flags & kFailure) != 0,
            .delay = (flags & kDelay) != 0};
}

Wishes read_wishes(Reader& in) {
    Wishes wishes;
    const auto flags = in.u8();
    wishes.smtputf8 = (flags & kSmtpUtf8) != 0;
    wishes.require_tls = (flags & kRequireTls) != 0;
    wishes.tls_optional = (flags & kTlsOptional) != 0;
    const auto ret = in.u8();
    if (ret > static_cast<std::uint8_t>(mail::ReturnContent::headers)) in.spoil();
    wishes.ret = in.ok() ? static_cast<mail::ReturnContent>(ret) : mail::ReturnContent::unspecified;
    wishes.envid = in.text();
    if ((flags & kHasPriority) != 0) {
        wishes.priority = in.u8() + kLowestPriority;
        if (*wishes.priority > kHighestPriority) in.spoil();
    }
    if ((flags & kHasDeliverBy) != 0)
        wishes.deliver_by = {.deadline = in.time(),
                             .after = (flags & kByNotify) != 0 ? DeliverBy::After::notify : DeliverBy::After::give_back,
                             .trace = (flags & kByTrace) != 0};
    else if ((flags & (kByNotify | kByTrace)) != 0)
        in.spoil();
    if ((flags & kHasRelease) != 0) wishes.release = in.time();
    if (wishes == Wishes{}) in.spoil();  // would not have been written
    return wishes;
}

}  // namespace

Recipient read_recipient(Reader& in) {
    Recipient recipient;
    recipient.mailbox = read_mailbox(in);
    recipient.original = in.text();
    const auto expansions = in.u8();
    recipient.expansions = expansions & static_cast<std::uint8_t>(~kHasNotify);
    if ((expansions & kHasNotify) != 0) {
        recipient.notify = read_notify(in);
        recipient.orcpt = in.text();
        if (!recipient.notify.given && recipient.orcpt.empty()) in.spoil();  // would not have been written
    }
    recipient.state = read_state(in);
    return recipient;
}

Envelope read_envelope_head(Reader& in) {
    Envelope envelope;
    const auto flags = in.u8();
    if (flags > (kHasSender | kEightBit | kBinary | kHasWishes | kJunk)) in.spoil();
    if ((flags & kEightBit) != 0 && (flags & kBinary) != 0) in.spoil();  // a body is of one type
    envelope.junk = (flags & kJunk) != 0;
    if ((flags & kHasSender) != 0) envelope.sender.mailbox = read_mailbox(in);
    if ((flags & kEightBit) != 0) envelope.body = mail::BodyType::eight_bit;
    if ((flags & kBinary) != 0) envelope.body = mail::BodyType::binary;
    envelope.login = in.text();
    envelope.client = in.text();
    if ((flags & kHasWishes) != 0) envelope.wishes = read_wishes(in);
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
