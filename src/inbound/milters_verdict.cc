// What a filter says, in our own words: decisions, changes, and lines for the trace.
#include "inbound/milter_filter.h"
#include "inbound/milters.h"
#include "smtp/parameters.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace thurn::inbound {

namespace {

using Kind = milter::Verdict::Kind;
using DefaultAction = MilterOptions::DefaultAction;

constexpr std::size_t kLongestNote = 300;

std::string rule_of(const MilterOptions& options) { return "milter." + options.name; }

policy::Decision refusal(const MilterOptions& options, std::string reason, std::uint16_t code, mail::EnhancedStatus status,
                         std::string text) {
    return {.kind = code < 500 ? policy::Decision::Kind::defer : policy::Decision::Kind::reject,
            .rule = rule_of(options),
            .reason = std::move(reason),
            .code = code,
            .status = status,
            .text = std::move(text)};
}

policy::Decision rejected(const MilterOptions& options, std::string reason) {
    return refusal(options, std::move(reason), 550, {5, 7, 1}, "refused by a content filter");
}

policy::Decision deferred(const MilterOptions& options, std::string reason) {
    return refusal(options, std::move(reason), 451, {4, 7, 1}, "a content filter cannot take it now, try again later");
}

policy::Decision worded(const MilterOptions& options, const milter::ReplyText& reply) {
    const auto status_class = static_cast<std::uint16_t>(reply.code / 100);
    const auto text = fmt::format("{}", fmt::join(reply.lines, " "));
    return refusal(options, fmt::format("{} {}", reply.code, text), reply.code,
                   reply.status.value_or(mail::EnhancedStatus{status_class, 7, 1}), text);
}

/// Nothing where it does not refuse.
std::optional<policy::Decision> refusal_in(const MilterOptions& options, const milter::Verdict& verdict) {
    switch (verdict.kind) {
        case Kind::reject:
            return rejected(options, "it rejects");
        case Kind::tempfail:
            return deferred(options, "it asks to try again later");
        case Kind::reply:
            return worded(options, *verdict.reply);
        case Kind::shut_down:
            return refusal(options, "it has the client sent away", 421, {4, 7, 1}, "a content filter ends this connection");
        default:
            return std::nullopt;
    }
}

std::string_view name_of(DefaultAction action) {
    switch (action) {
        case DefaultAction::tempfail:
            return "defer";
        case DefaultAction::accept:
            return "accept";
        case DefaultAction::reject:
            return "reject";
        case DefaultAction::quarantine:
            return "hold";
    }
    return {};
}

std::string in_brackets(std::string_view path) { return path.starts_with('<') ? std::string(path) : fmt::format("<{}>", path); }

template <class Path>
base::Result<Path> whole_path(base::Result<mail::Taken<Path>> taken) {
    if (!taken) return base::pass_on(taken);
    if (!taken->rest.empty()) return base::fail(base::ErrorKind::syntax, "text behind an address");
    return std::move(taken->path);
}

base::Result<mail::Mailbox> recipient_in(std::string_view path) {
    const auto text = in_brackets(path);
    return whole_path(mail::take_forward_path(text, mail::Charset::utf8));
}

base::Result<MessageChanges::AddedRecipient> added_in(const milter::AddRecipient& change) {
    auto mailbox = recipient_in(change.path);
    if (!mailbox) return base::pass_on(mailbox);
    const smtp::ServerExtensions known{.dsn = true};
    const auto text = change.parameters.empty() ? std::string() : ' ' + change.parameters;
    const auto parameters = smtp::parse_rcpt_parameters(text, {.extensions = known});
    if (!parameters) return base::fail(base::ErrorKind::syntax, "parameters that RCPT does not have");
    return MessageChanges::AddedRecipient{.mailbox = *std::move(mailbox), .notify = parameters->notify};
}

/// Filters may write Unix lines; mail has CRLF (RFC 5322 §2.1).
std::string with_line_ends(std::string_view octets) {
    std::string result;
    result.reserve(octets.size());
    for (std::size_t i = 0; i < octets.size(); ++i) {
        const bool ends = octets[i] == '\n';
        if (ends && !result.ends_with('\r')) result += '\r';
        if (!ends && result.ends_with('\r')) result += '\n';
        result += octets[i];
    }
    if (result.ends_with('\r')) result += '\n';
    if (!result.empty() && !result.ends_with('\n')) result += "\r\n";
    return result;
}

struct Tell {
    std::string operator()(const milter::AddHeader& c) const { return fmt::format("adds {}: {}", c.name, c.value); }
    std::string operator()(const milter::InsertHeader& c) const { return fmt::format("inserts {}: {}", c.name, c.value); }
    std::string operator()(const milter::ChangeHeader& c) const {
        return c.value.empty() ? fmt::format("removes {} number {}", c.name, c.number)
                               : fmt::format("changes {} number {} to {}", c.name, c.number, c.value);
    }
    std::string operator()(const milter::ChangeSender& c) const { return fmt::format("changes the sender to {}", in_brackets(c.path)); }
    std::string operator()(const milter::AddRecipient& c) const { return fmt::format("adds recipient {}", in_brackets(c.path)); }
    std::string operator()(const milter::RemoveRecipient& c) const { return fmt::format("removes recipient {}", in_brackets(c.path)); }
    std::string operator()(const milter::ReplaceBody&) const { return {}; }
    std::string operator()(const milter::Quarantine& c) const { return fmt::format("asks for quarantine: {}", c.reason); }
};

}  // namespace

void Milters::note(const Filter& filter, std::string what) {
    if (what.size() > kLongestNote) what = what.substr(0, kLongestNote) + "…";
    outcome_.findings.push_back({"milter " + filter.options.name, std::move(what)});
}

void Milters::decide(const Filter& filter, std::string_view decision, std::string reason) {
    outcome_.decisions.push_back({"content", "", std::string(decision), rule_of(filter.options), std::move(reason)});
}

/// Of any step but the last.
void Milters::judge(Filter& filter, const milter::Verdict& verdict) {
    if (auto refused = refusal_in(filter.options, verdict)) {
        if (!filter.in_message) filter.refuses_client = *refused;
        if (header_) decide(filter, refused->code < 500 ? "defer" : "reject", refused->reason);
        refusal_ = std::move(refused);
    } else if (verdict.kind == Kind::connection_failed) {
        fail(filter, {base::ErrorKind::refused, "it gives up on this connection"});
    } else if (verdict.kind == Kind::accept) {
        filter.hears = filter.in_message ? Filter::Hears::not_this_message : Filter::Hears::not_this_connection;
        if (filter.in_message) note(filter, "accepts, and wants to hear no more of it");
    } else if (verdict.kind == Kind::discard && !filter.in_message) {
        fail(filter, {base::ErrorKind::syntax, "it discards before there is a message"});
    } else if (verdict.kind == Kind::discard) {
        outcome_.discarded_by = rule_of(filter.options);
        decide(filter, "discard", "it discards");
        for (auto& each : filters_) each->hears = std::max(each->hears, Filter::Hears::not_this_message);
    }
}

/// Of the end of the message.
void Milters::conclude(Filter& filter, const milter::Verdict& verdict, std::int64_t milliseconds) {
    const auto changes = filter.connection->take_changes();
    if (const auto refused = refusal_in(filter.options, verdict)) {
        decide(filter, refused->code < 500 ? "defer" : "reject", fmt::format("{}, after {} ms", refused->reason, milliseconds));
        refusal_ = refused;
    } else if (verdict.kind == Kind::discard) {
        decide(filter, "discard", fmt::format("it discards, after {} ms", milliseconds));
        outcome_.discarded_by = rule_of(filter.options);
    } else if (verdict.kind == Kind::connection_failed) {
        fail(filter, {base::ErrorKind::refused, "it gives up on this connection"});
    } else {
        decide(filter, "accept", fmt::format("after {} ms, with {} changes", milliseconds, changes.size()));
        apply(filter, changes);
    }
}

/// It is dropped for this message; what it was told, or said, of it is void.
void Milters::fail(Filter& filter, const base::Error& error) {
    const auto rule = rule_of(filter.options);
    const auto action = filter.options.default_action;
    const auto reason = fmt::format("{}: {}", render_milter_socket(filter.options.socket), error.detail);
    with_.log.warning("milter_failed", {.id = id_, .rule = rule, .result = name_of(action), .reason = reason});
    filter.connection.reset();
    filter.in_message = false;
    filter.hears = Filter::Hears::not_this_message;
    decide(filter, name_of(action), "default_action, since it failed: " + reason);
    if (action == DefaultAction::quarantine) outcome_.hold = fmt::format("content filter {} failed", filter.options.name);
    if (action == DefaultAction::tempfail) filter.refuses_message = deferred(filter.options, "it failed: " + reason);
    if (action == DefaultAction::reject) filter.refuses_message = rejected(filter.options, "it failed: " + reason);
    refusal_ = filter.refuses_message;
}

/// All of a filter's changes, or none where one of them cannot be made.
void Milters::apply(Filter& filter, const std::vector<milter::Change>& changes) {
    const auto before = outcome_.changes;
    for (const auto& change : changes) {
        const auto applied = apply_to_envelope(change);
        if (applied) continue;
        outcome_.changes = before;
        return fail(filter, {base::ErrorKind::syntax, "a change that cannot be made: " + applied.error().detail});
    }
    apply_to_content(filter, changes);
}

base::Result<void> Milters::apply_to_envelope(const milter::Change& change) {
    auto& changes = outcome_.changes;
    if (const auto* sender = std::get_if<milter::ChangeSender>(&change)) {
        const auto text = in_brackets(sender->path);
        auto path = whole_path(mail::take_reverse_path(text, mail::Charset::utf8));
        if (!path) return base::pass_on(path);
        changes.sender = *std::move(path);
    } else if (const auto* added = std::get_if<milter::AddRecipient>(&change)) {
        auto recipient = added_in(*added);
        if (!recipient) return base::pass_on(recipient);
        std::erase(changes.removed, recipient->mailbox);
        changes.added.push_back(*std::move(recipient));
    } else if (const auto* removed = std::get_if<milter::RemoveRecipient>(&change)) {
        auto mailbox = recipient_in(removed->path);
        if (!mailbox) return base::pass_on(mailbox);
        std::erase_if(changes.added, [&](const auto& one) { return one.mailbox == *mailbox; });
        changes.removed.push_back(*std::move(mailbox));
    }
    return {};
}

void Milters::apply_to_content(Filter& filter, const std::vector<milter::Change>& changes) {
    const auto space = filter.connection->session().keeps_leading_space() ? milter::LeadingSpace::given : milter::LeadingSpace::implied;
    std::optional<std::string> body;
    for (const auto& change : changes) {
        if (const auto* piece = std::get_if<milter::ReplaceBody>(&change)) {
            body = body.value_or("") + piece->octets;
            continue;
        }
        note(filter, std::visit(Tell{}, change));
        if (const auto* quarantine = std::get_if<milter::Quarantine>(&change))
            outcome_.hold = fmt::format("{}: {}", filter.options.name, quarantine->reason);
        std::visit(
            [&](const auto& one) {
                if constexpr (requires { header_->apply(one, space); }) {
                    header_->apply(one, space);
                    header_changed_ = true;
                }
            },
            change);
    }
    if (!body) return;
    outcome_.changes.body = with_line_ends(*body);
    note(filter, fmt::format("replaces the body, {} octets", outcome_.changes.body->size()));
}

}  // namespace thurn::inbound
