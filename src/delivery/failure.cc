#include "delivery/failure.h"

#include "mail/status.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace thurn::delivery {
namespace {

using base::ErrorKind;

std::string_view time_of(Stage stage) {
    switch (stage) {
        case Stage::connecting:
            return "at connect";
        case Stage::securing:
            return "in the TLS handshake";
        case Stage::opening:
            return "before the envelope";
        case Stage::envelope:
            return "in the envelope";
        case Stage::content:
            return "in the content";
        case Stage::ending:
            return "after the final dot, so the message may have been delivered";
    }
    return "";
}

std::string clipped(std::string text) {
    if (text.size() > kStatusLimit) text.resize(kStatusLimit);
    return text;
}

/// A reply that speaks for itself: 4yz. A 5yz to the whole session must not look like a verdict on the message, and anything else is no
/// refusal.
bool quotable(const Failure& failure) { return failure.reply && failure.reply->transient(); }

std::string describe_with_reply(const Failure& failure, std::string_view host) {
    const std::string said = smtp::describe_reply(*failure.reply);
    if (quotable(failure)) return said;
    if (failure.stage == Stage::securing && !failure.reply->status) return fmt::format("451 4.7.5 no TLS with {}: {}", host, said);
    if (failure.stage <= Stage::opening) {
        const auto status = failure.reply->status.value_or(mail::EnhancedStatus{4, 4, 1});
        return fmt::format("451 4.{}.{} {} refused the session: {}", status.subject, status.detail, host, said);
    }
    return fmt::format("451 4.4.2 {} broke off {}: {}", host, time_of(failure.stage), said);
}

std::string describe_without_reply(const Failure& failure, std::string_view host) {
    const auto& [kind, detail] = failure.error;
    if (kind == ErrorKind::disk || kind == ErrorKind::corrupt)
        return fmt::format("451 4.3.0 cannot read the message from the spool: {}", detail);
    if (failure.stage == Stage::connecting) return fmt::format("451 4.4.1 {}", detail);
    if (failure.stage == Stage::securing) return fmt::format("451 4.7.5 no TLS with {}: {}", host, detail);
    switch (kind) {
        case ErrorKind::timed_out:
            return fmt::format("451 4.4.2 {} was silent {}", host, time_of(failure.stage));
        case ErrorKind::peer_gone:
            return fmt::format("451 4.4.2 {} closed the connection {}: {}", host, time_of(failure.stage), detail);
        case ErrorKind::syntax:
        case ErrorKind::too_long:
            return fmt::format("451 4.5.0 {} sent what is no SMTP reply {}: {}", host, time_of(failure.stage), detail);
        case ErrorKind::stopping:
            return fmt::format("451 4.3.2 stopped here {}", time_of(failure.stage));
        default:
            return fmt::format("451 4.7.0 {}: {}", host, detail);
    }
}

}  // namespace

std::string describe_failure(const Failure& failure, std::string_view host) {
    return clipped(failure.reply ? describe_with_reply(failure, host) : describe_without_reply(failure, host));
}

RecipientOutcome outcome_of_failure(const Failure& failure, std::string_view host, const std::string& remote_host) {
    return {RecipientOutcome::Kind::deferred, describe_failure(failure, host), quotable(failure) ? remote_host : std::string()};
}

RecipientOutcome outcome_of_reply(const smtp::Reply& reply, const std::string& remote_host) {
    const auto kind = reply.positive()    ? RecipientOutcome::Kind::delivered
                      : reply.permanent() ? RecipientOutcome::Kind::failed
                                          : RecipientOutcome::Kind::deferred;
    return {.kind = kind,
            .status = clipped(smtp::describe_reply(reply)),
            .remote_host = remote_host,
            .handed = RecipientOutcome::Handed::to_host};
}

bool is_recipient_limit(const smtp::Reply& reply) {
    if (reply.code != 452 && reply.code != 552) return false;
    return !reply.status || (reply.status->subject == 5 && reply.status->detail == 3);
}

bool says_no_such_mailbox(const smtp::Reply& reply) {
    using mail::EnhancedStatus;
    constexpr std::array<EnhancedStatus, 6> kOfNoMailbox{{{5, 1, 1}, {5, 1, 2}, {5, 1, 3}, {5, 1, 6}, {5, 1, 10}, {5, 4, 1}}};
    if (!reply.permanent()) return false;
    if (reply.status) return std::ranges::find(kOfNoMailbox, *reply.status) != kOfNoMailbox.end();
    if (mail::leading_status(reply.lines.front())) return false;  // one of another class, which is left in the text
    return reply.code == 550 || reply.code == 551 || reply.code == 553;
}

bool is_unknown_command(const smtp::Reply& reply) { return reply.code == 500 || reply.code == 502; }

StatusParts split_status(std::string_view status) {
    const auto code = status.substr(0, status.find(' '));
    if (code.size() != 3 || !std::ranges::all_of(code, [](char c) { return c >= '0' && c <= '9'; })) return {};
    StatusParts parts{.code = (code[0] - '0') * 100 + (code[1] - '0') * 10 + (code[2] - '0'), .enhanced = {}};
    const auto text = status.substr(std::min(code.size() + 1, status.size()));
    if (mail::leading_status(text)) parts.enhanced = text.substr(0, text.find(' '));
    return parts;
}

std::string summarize(const std::vector<RecipientOutcome>& outcomes) {
    std::string summary;
    const auto tell = [&](RecipientOutcome::Kind kind, std::string_view word) {
        if (std::ranges::find(outcomes, kind, &RecipientOutcome::kind) == outcomes.end()) return;
        if (!summary.empty()) summary += ", ";
        summary += word;
    };
    tell(RecipientOutcome::Kind::delivered, "delivered");
    tell(RecipientOutcome::Kind::deferred, "deferred");
    tell(RecipientOutcome::Kind::failed, "failed");
    return summary;
}

}  // namespace thurn::delivery
