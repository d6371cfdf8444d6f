#include "report/dsn_text.h"

#include "base/utf8.h"
#include "mail/date.h"
#include "mail/status.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace thurn::report {
namespace {

constexpr std::size_t kWidth = 72;

bool happened(const DsnOptions& options, DsnAction action) {
    return std::ranges::any_of(options.recipients, [action](const DsnRecipient& each) { return each.action == action; });
}

/// The length of the character at the front; 0 when it is none, or a control.
std::size_t character_length(std::string_view text) {
    const auto lead = static_cast<unsigned char>(text.front());
    if (lead < 0x80) return lead >= 0x20 && lead != 0x7f ? 1 : 0;
    const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    const std::string_view character = text.substr(0, length);
    const bool is_c1 = character.size() == 2 && lead == 0xc2 && static_cast<unsigned char>(character[1]) < 0xa0;
    return base::is_utf8(character) && !is_c1 ? character.size() : 0;
}

/// For people's eyes: what is not a whole character, or steers a terminal, becomes `?`.
std::string readable(std::string_view text) {
    text = text.substr(0, kMaxReportText);
    std::string clean;
    while (!text.empty()) {
        const std::size_t length = character_length(text);
        if (length == 0)
            clean += '?';
        else
            clean += text.substr(0, length);
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return clean;
}

/// Lines with CRLF, each indented. Words stay whole: addresses and links must.
std::string wrap(std::string_view text, std::string_view indent) {
    std::string out;
    std::size_t column = 0;
    while (!text.empty()) {
        text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
        const std::string_view word = text.substr(0, text.find(' '));
        if (word.empty()) break;
        const bool fits = column > 0 && column + 1 + word.size() <= kWidth;
        if (fits)
            out += ' ';
        else
            out += (column > 0 ? "\r\n" : "") + std::string(indent);
        out += word;
        column = (fits ? column + 1 : indent.size()) + word.size();
        text.remove_prefix(word.size());
    }
    return out + "\r\n";
}

struct Advice {
    std::string_view status;  // the end of a code: subject and detail, or subject alone
    std::string_view text;
};
/// What a sender can do about it, by RFC 3463's subject and detail; the first that fits.
constexpr std::array<Advice, 12> kAdvice{{
    {".1.8", "The other side does not accept your own address. Ask your postmaster."},
    {".1.7", "The other side does not accept your own address. Ask your postmaster."},
    {".1.", "Check the address for typing errors. If it is right, ask the recipient in another way whether it is still in use."},
    {".2.1", "The mailbox exists but takes no mail. Reach the recipient in another way."},
    {".2.2", "The mailbox is full. Reach the recipient in another way, or send the message again later."},
    {".2.3", "The message is too large for this mailbox. Send it without attachments, or share them by other means."},
    {".3.4", "The message is too large. Send it without attachments, or share them by other means."},
    {".4.7", "The other side could not be reached for a long time. Check the domain of the address, or send the message again later."},
    {".4.", "The other side could not be reached. Check the domain of the address, or send the message again later."},
    {".6.", "The other side cannot read a message of this form. Send it again as plain text."},
    {".7.", "The other side refuses this message by its own rules. The recipient, or the postmaster there, can tell why and change it."},
    {"", "If this says nothing to you, hand this whole report to your postmaster."},
}};

std::string_view advice_for(const DsnRecipient& recipient) {
    const auto status = mail::leading_status(recipient.status);
    const std::string code = status ? fmt::format(".{}.{}", status->subject, status->detail) : std::string();
    const auto fits = [&code](const Advice& advice) {
        return advice.status.ends_with('.') || advice.status.empty() ? code.starts_with(advice.status) : code == advice.status;
    };
    return std::ranges::find_if(kAdvice, fits)->text;
}

std::string render_opening(const DsnOptions& options) {
    if (happened(options, DsnAction::failed)) {
        return "Your message could not be delivered to the recipients below, and nobody will try again. What you can do is said with each "
               "of them.";
    }
    if (happened(options, DsnAction::delayed)) {
        return "Your message has not been delivered yet to the recipients below. You need not do anything: we go on trying, and shall tell "
               "you should "
               "we have to give up.";
    }
    return "This is the receipt for your message that you asked for.";
}

std::string render_happening(const DsnRecipient& recipient) {
    switch (recipient.action) {
        case DsnAction::failed:
            return recipient.diagnostic.starts_with('5') ? "was refused." : "was given up.";  // a last 4yz: it expired
        case DsnAction::delayed:
            return recipient.retry_until ? "is delayed; we try until " + mail::render_date(*recipient.retry_until) + "." : "is delayed.";
        case DsnAction::delivered:
            return "was delivered to its mailbox.";
        case DsnAction::relayed:
            return "was handed to the next mail server, which sends no receipts.";
        case DsnAction::expanded:
            return "is a list or an alias: it was handed on to its members.";
    }
    return {};
}

std::string render_recipient(const DsnRecipient& recipient) {
    std::string name = "<" + readable(recipient.final_recipient) + ">";
    const bool redirected = !recipient.original_recipient.empty() && recipient.original_recipient != recipient.final_recipient;
    if (redirected) name += ", written to as <" + readable(recipient.original_recipient) + ">,";
    std::string text = "\r\n" + wrap(name + " " + render_happening(recipient), "");
    if (!recipient.diagnostic.empty()) {
        text += wrap(recipient.remote_host.empty() ? "The answer was:" : readable(recipient.remote_host) + " said:", "  ");
        text += wrap(readable(recipient.diagnostic), "    ");
    }
    if (!recipient.explanation.empty()) text += wrap(readable(recipient.explanation), "  ");
    if (recipient.action == DsnAction::failed) text += wrap(advice_for(recipient), "  ");
    return text;
}

}  // namespace

std::string render_subject(const DsnOptions& options) {
    if (happened(options, DsnAction::failed)) return "Your message could not be delivered";
    if (happened(options, DsnAction::delayed)) return "Your message is delayed";
    return "Your message was delivered";
}

std::string render_explanation(const DsnOptions& options) {
    std::string text = wrap("This is the mail server " + readable(options.reporting_host) + ".", "") + "\r\n";
    text += wrap(render_opening(options), "");
    for (const DsnRecipient& recipient : options.recipients) text += render_recipient(recipient);
    text += "\r\n" +
            wrap("Your message came in on " + mail::render_date(options.arrived) + " and is known here as " + readable(options.queue_id) +
                     ". What is returned of it is attached, and so are these facts in a form that programs read.",
                 "");
    return text;
}

std::vector<char32_t> decode_utf8(std::string_view text) {
    std::vector<char32_t> characters;
    while (!text.empty()) {
        const std::size_t length = static_cast<unsigned char>(text.front()) < 0x80 ? 1 : character_length(text);
        char32_t code = length == 0 ? U'\ufffd' : static_cast<unsigned char>(text.front());
        if (length > 1) code &= 0x7fU >> length;
        for (std::size_t i = 1; i < length; ++i) code = code << 6 | (static_cast<unsigned char>(text[i]) & 0x3fU);
        characters.push_back(code);
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return characters;
}

}  // namespace thurn::report
