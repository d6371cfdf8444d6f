#include "delivery/fitting.h"

#include "base/ascii.h"
#include "mailauth/sign_anew.h"
#include "spool/content.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace thurn::delivery {
namespace {

using mail::BodyType;
using mail::Passage;

constexpr std::chrono::seconds kMostBy{999'999'999};  // nine digits, RFC 2852 §4

RecipientOutcome failed(std::string status) {
    return {.kind = RecipientOutcome::Kind::failed, .status = std::move(status), .remote_host = {}};
}

bool all_ascii(const std::string& text) { return std::ranges::all_of(text, base::is_ascii); }

/// Others who get the same message may have addresses that these hosts cannot take; they need not know.
bool needs_utf8(const Parcel& parcel) {
    const auto& envelope = parcel.message->envelope;
    if (envelope.wishes.smtputf8) return true;
    if (envelope.sender.mailbox && !all_ascii(envelope.sender.mailbox->local)) return true;
    return !std::ranges::all_of(parcel.recipients, [&](auto index) { return all_ascii(envelope.recipients.at(index).mailbox.local); });
}

/// What ORCPT said, for who relays on (RFC 3461 §5.2.1); of an alias of ours the host need not know.
std::optional<smtp::OriginalRecipient> original_of(const spool::Recipient& recipient) {
    const auto semicolon = recipient.orcpt.find(';');
    if (semicolon == std::string::npos) return std::nullopt;
    return smtp::OriginalRecipient{recipient.orcpt.substr(0, semicolon), recipient.orcpt.substr(semicolon + 1)};
}

base::Result<std::string> read_all(const spool::Content& content) {
    std::string octets;
    octets.resize(content.size().count);
    std::size_t have = 0;
    while (have < octets.size()) {
        const auto count = content.read(have, std::span(octets).subspan(have));
        if (!count) return std::unexpected(count.error());
        if (*count == 0) return base::fail(base::ErrorKind::corrupt, "content ends early");
        have += *count;
    }
    return octets;
}

/// In memory; `from_disk` holds what was not.
base::Result<std::string_view> whole(const spool::Content& content, std::string& from_disk) {
    if (const auto octets = content.in_memory()) return *octets;
    auto read = read_all(content);
    if (!read) return base::pass_on(read);
    from_disk = *std::move(read);
    return from_disk;
}

std::chrono::seconds time_left(const spool::DeliverBy& by, base::Time now) {
    return std::chrono::floor<std::chrono::seconds>(by.deadline - now);
}

/// Who wants its message back rather than late must not have it handed to who does not look at the time.
std::optional<RecipientOutcome> refusal_for_time(const spool::Wishes& wishes, const HostFacts& host) {
    const auto& by = wishes.deliver_by;
    if (!by || by->after != spool::DeliverBy::After::give_back) return std::nullopt;
    if (!host.offered.deliver_by)
        return failed(
            fmt::format("550 5.3.3 the message was to be delivered by a certain time, and {} does not offer DELIVERBY", host.name));
    if (time_left(*by, host.now) < std::max(*host.offered.deliver_by, std::chrono::seconds(1)))
        return failed(fmt::format("550 5.4.7 {} cannot deliver within the time that is left for the message", host.name));
    return std::nullopt;
}

}  // namespace

std::optional<RecipientOutcome> refusal(const Parcel& parcel, const HostFacts& host) {
    const auto size = parcel.message->content->size();
    // 0 says that there is no fixed limit (RFC 1870 §4).
    if (host.offered.size && host.offered.size->count > 0 && size > *host.offered.size)
        return failed(fmt::format("552 5.3.4 message of {} octets is larger than the {} that {} takes", size.count,
                                  host.offered.size->count, host.name));
    // RFC 6531 §3.2.
    if (needs_utf8(parcel) && !host.offered.smtputf8)
        return failed(fmt::format("553 5.6.7 an address or header beyond US-ASCII, and {} does not offer SMTPUTF8", host.name));
    const auto& wishes = parcel.message->envelope.wishes;
    if (wishes.require_tls && !(host.verified && host.offered.require_tls))
        return failed(fmt::format("550 5.7.30 the message asks for REQUIRETLS, and {} {}", host.name,
                                  host.verified ? "does not offer it" : "was not verified by its certificate"));
    return refusal_for_time(wishes, host);
}

bool relaying_is_told(const spool::Wishes& wishes, const smtp::Extensions& offered) {
    const auto& by = wishes.deliver_by;
    return by && (offered.deliver_by ? by->trace : by->after == spool::DeliverBy::After::notify);
}

std::optional<Passage> conversion_for(BodyType body, const smtp::Extensions& offered) {
    const auto convert = [&] { return offered.eight_bit_mime ? Passage::eight_bit : Passage::seven_bit; };
    switch (body) {
        case BodyType::seven_bit:
            return std::nullopt;
        case BodyType::eight_bit:
            return offered.eight_bit_mime ? std::nullopt : std::optional(Passage::seven_bit);
        case BodyType::binary:
            return offered.chunking && offered.binary_mime ? std::nullopt : std::optional(convert());
    }
    return std::nullopt;
}

base::Result<std::shared_ptr<const spool::Content>> convert_content(const spool::Content& content, Passage passage) {
    if (content.size() > kMostConverted) return base::fail(base::ErrorKind::too_long, "it is too large to be converted");
    std::string from_disk;
    auto octets = whole(content, from_disk);
    if (!octets) return base::pass_on(octets);
    auto converted = mail::convert(*octets, passage);
    if (!converted) return base::pass_on(converted);
    return std::make_shared<const spool::MemoryContent>(*std::move(converted));
}

std::shared_ptr<const spool::Content> sign_converted(const spool::Content& original, std::shared_ptr<const spool::Content> converted,
                                                     const std::shared_ptr<const mailauth::Signatory>& signatory, base::Time now) {
    const auto octets = converted->in_memory();
    std::string from_disk;
    const auto before = signatory && octets ? whole(original, from_disk) : base::Result<std::string_view>();
    if (!signatory || !octets || !before) return converted;
    auto content = mailauth::sign_anew(signatory, *before, std::string(*octets), now).value_or(std::string(*octets));
    if (auto sealed = mailauth::seal_anew(signatory, *before, content, now)) content = *std::move(sealed);
    return std::make_shared<const spool::MemoryContent>(std::move(content));
}

smtp::Transaction make_transaction(const Parcel& parcel, const std::vector<std::size_t>& open, base::Time now) {
    const auto& envelope = parcel.message->envelope;
    smtp::Transaction transaction;
    transaction.sender = parcel.sender_for(open.front());
    transaction.recipients.reserve(open.size());
    for (const std::size_t position : open) {
        const auto& recipient = envelope.recipients.at(parcel.recipients[position]);
        const auto& mailbox = parcel.accounts.empty() ? recipient.mailbox : parcel.accounts[position];
        transaction.recipients.push_back({mailbox, {.notify = recipient.notify, .original_recipient = original_of(recipient)}});
    }
    auto& parameters = transaction.parameters;
    parameters.size = parcel.message->content->size();
    parameters.body = envelope.body;
    parameters.ret = envelope.wishes.ret;
    parameters.smtputf8 = needs_utf8(parcel);
    parameters.envid = envelope.wishes.envid;
    parameters.require_tls = envelope.wishes.require_tls;
    if (const auto& by = envelope.wishes.deliver_by)
        parameters.deliver_by =
            smtp::DeliverBy{.within = std::clamp(time_left(*by, now), -kMostBy, kMostBy),
                            .mode = by->after == spool::DeliverBy::After::give_back ? smtp::ByMode::return_message : smtp::ByMode::notify,
                            .trace = by->trace};
    if (const auto priority = envelope.wishes.priority) parameters.priority = static_cast<std::int8_t>(*priority);
    return transaction;
}

}  // namespace thurn::delivery
