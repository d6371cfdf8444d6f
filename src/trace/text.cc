#include "mail/date.h"
#include "trace/clean_text.h"
#include "trace/event.h"
#include "trace/fields.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace thurn::trace {
namespace {

constexpr std::size_t kNamedRecipients = 3;  // of a list in one line; the rest is counted

using Day = std::chrono::sys_days;

/// Within the years that a date can be written for; a forged file may hold anything.
base::Time plausible(base::Time time) {
    using namespace std::chrono;
    return std::clamp(time, base::Time{}, base::Time(sys_days(year{9999} / 1 / 1)));
}

Day day_of(base::Time time) { return std::chrono::floor<std::chrono::days>(plausible(time)); }
std::string render_day(base::Time time) { return mail::render_timestamp(plausible(time)).substr(0, 10); }
std::string render_clock(base::Time time) { return mail::render_timestamp(plausible(time)).substr(11, 12); }

std::string render_moment(base::Time time, base::Time seen_from) {
    const std::string clock = render_clock(time).substr(0, 8);
    return day_of(time) == day_of(seen_from) ? clock : render_day(time) + " " + clock;
}

/// 10240 → 10,240
std::string with_commas(std::uint64_t number) {
    std::string digits = std::to_string(number);
    for (std::size_t place = digits.size(); place > 3;) digits.insert(place -= 3, 1, ',');
    return digits;
}

std::string render_list(const std::vector<std::string>& items) {
    std::string text;
    for (std::size_t i = 0; i < std::min(items.size(), kNamedRecipients); ++i) text += (i == 0 ? "<" : ", <") + items[i] + ">";
    if (items.size() > kNamedRecipients) text += fmt::format(" and {} more", items.size() - kNamedRecipients);
    return text;
}

/// `separator` and the text, or nothing for an empty text.
std::string also(const char* separator, const std::string& text) { return text.empty() ? "" : separator + text; }

std::string tell_client(const Parties& body) {
    std::string line = body.client.empty() ? "made here" : "from" + also(" ", body.client_name) + " " + body.client;
    if (!body.helo.empty()) line += " (helo " + body.helo + ")";
    return line + also(" by ", body.listener) + also(" as ", body.login) + also(", ", body.tls);
}
std::string tell_envelope(const Parties& body) { return fmt::format("from <{}> to {}", body.sender, render_list(body.recipients)); }
std::string tell(const Accepted& body, base::Time) {
    return fmt::format("{}, {} octets, {}", tell_client(body), with_commas(body.size), tell_envelope(body));
}
std::string tell(const Refused& body, base::Time) {
    auto line = tell_client(body);
    if (body.size > 0) line += fmt::format(", {} octets", with_commas(body.size));
    if (!body.recipients.empty()) return line + ", " + tell_envelope(body);
    return line + (body.sender.empty() ? "" : fmt::format(", from <{}>", body.sender));
}
std::string tell(const Decided& body, base::Time) {
    auto line = body.stage + also(" ", body.subject) + ": " + body.decision + also(" by ", body.rule);
    if (!body.left.empty()) line += fmt::format(" ({})", fmt::join(body.left, ", "));
    return line + also(": ", body.reason);
}
std::string tell(const Routed& body, base::Time) { return body.recipient + " to " + body.next_hop + also(": ", body.reason); }
std::string tell(const Attempted& body, base::Time) {
    std::string line = body.host + also(" ", body.tls);
    if (!body.recipients.empty()) line += " for " + render_list(body.recipients);
    line += fmt::format(": {} in {} ms{}", body.result, with_commas(body.milliseconds), also(", ", body.remark));
    for (std::size_t i = 0; i < body.replies.size(); ++i) line += (i == 0 ? "; said: " : " / ") + body.replies[i];
    return line;
}
std::string tell(const Settled& body, base::Time at) {
    std::string line = body.recipient + " " + body.outcome;
    if (body.next_attempt != base::Time{}) line += " until " + render_moment(body.next_attempt, at);
    return line + also(": ", body.status);
}
std::string tell(const Noted& body, base::Time) { return body.what + also(": ", body.detail); }

std::string tell(const Found& body, base::Time) {
    return (body.recipient.empty() ? "" : "for " + body.recipient + ": ") + fmt::format("{}", fmt::join(body.facts, ", "));
}

const Parties* find_parties(std::span<const Event> events) {
    for (const Event& event : events)
        if (const auto* parties = parties_of(event.body)) return parties;
    return nullptr;
}

std::string render_heading(std::span<const Event> events) {
    const Event& first = events.front();
    std::string line = "message " + first.id.text() + " of " + mail::render_date(plausible(first.id.time()));
    if (const auto* parties = find_parties(events); parties && !parties->recipients.empty()) line += " " + tell_envelope(*parties);
    return clean_text(line) + "\n";
}

}  // namespace

const Parties* parties_of(const Body& body) {
    if (const auto* accepted = std::get_if<Accepted>(&body)) return accepted;
    return std::get_if<Refused>(&body);
}

std::string render_text(const Event& event) {
    return std::visit(
        [&event]<class Kind>(const Kind& body) {
            return clean_text(fmt::format("{}  {:<9}  {}", render_clock(event.at), Fields<Kind>::kName, tell(body, event.at)));
        },
        event.body);
}

std::string render_story(std::span<const Event> events) {
    if (events.empty()) return {};
    std::string story = render_heading(events);
    Day day = day_of(events.front().id.time());
    for (const Event& event : events) {
        if (day_of(event.at) != day) story += render_day(event.at) + "\n";
        day = day_of(event.at);
        story += render_text(event) + "\n";
    }
    return story;
}

}  // namespace thurn::trace
