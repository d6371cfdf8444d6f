// What the session says when the driver accepts an event.
#include "base/ascii.h"
#include "smtp/server_state.h"

#include <algorithm>

namespace thurn::smtp {

using namespace replies;

/// To the end of content, and to a last chunk refused at once: for each recipient (RFC 2033 §4.2, §4.3). To all else, once.
void ServerSession::State::say_for_all(std::string_view reply) {
    const bool end = open == Open::content_end || (open == Open::content_begin && mode == Mode::chunk && chunk.last);
    const bool each = end && options.protocol == Protocol::lmtp;
    for (std::size_t count = each ? recipients : 1; count > 0; --count) output += reply;
}

/// Whether the client wants UTF-8 in the answer to what is open (RFC 6531 §3.7.4.1).
Utf8 ServerSession::State::reply_utf8() const {
    switch (open) {
        case Open::sender:
        case Open::recipient:
        case Open::content_begin:
        case Open::content_end:
            return utf8;
        case Open::question:
            return current == Verb::etrn || current == Verb::xforward ? Utf8::refused : question_utf8;
        default:
            return Utf8::refused;
    }
}

/// What others made of what the client sent, a `From:` for instance, may hold anything.
std::string ServerSession::State::render(const Reply& reply) const {
    auto rendered = render_reply(reply);
    if (reply_utf8() == Utf8::refused) std::ranges::replace_if(rendered, [](char octet) { return !base::is_ascii(octet); }, '?');
    return rendered;
}

std::string ServerSession::State::greeting() const {
    return render_reply({.code = 220, .status = std::nullopt, .lines = {options.hostname + ' ' + options.greeting}});
}

/// Lists only what is legal now: no STARTTLS under TLS, no AUTH without it or when it is done.
std::string ServerSession::State::hello_reply(std::string_view words) const {
    std::string first = options.hostname;
    if (!words.empty()) first.append(" ").append(words);
    Reply reply{.code = 250, .status = std::nullopt, .lines = {std::move(first)}};
    if (pending_extended) {
        append_extensions(options.extensions, {options.message_size, options.recipients, options.messages}, parameter_rules().transport,
                          reply.lines);
        if (options.tls == TlsState::offered) reply.lines.emplace_back("STARTTLS");
        if (auth_possible()) {
            auto& line = reply.lines.emplace_back("AUTH");
            for (const auto mechanism : sasl::offered_mechanisms(auth_context())) line.append(" ").append(mechanism);
        }
        reply.lines.emplace_back("ENHANCEDSTATUSCODES");
    }
    return render_reply(reply);
}

std::string ServerSession::State::usual_reply() const {
    switch (open) {
        case Open::hello:
            return hello_reply("");
        case Open::credentials:
            return std::string(kLoginOk);
        case Open::sender:
            return std::string(kSenderOk);
        case Open::recipient:
            return std::string(kRecipientOk);
        case Open::content_begin:
            return std::string(mode == Mode::chunk ? "" : kContentWanted);
        case Open::content_end:
            return std::string(kOk);
        case Open::question:
            return std::string(current == Verb::etrn ? kQueueRun : current == Verb::xforward ? kOk : kVerify);
        case Open::xclient:
            return greeting();
        case Open::secret:
        case Open::none:
            break;
    }
    return {};
}

/// The usual code and status with other words; words that bring a status of their own keep it.
std::string ServerSession::State::usual_reply(std::string text) const {
    if (open == Open::hello) return hello_reply(text);
    if (open == Open::content_begin && mode == Mode::chunk) return {};  // BDAT is answered at its end
    Reply reply{.code = 250, .status = mail::EnhancedStatus{2, 0, 0}, .lines = {}};
    switch (open) {
        case Open::credentials:
            reply.code = 235;
            reply.status = {2, 7, 0};
            break;
        case Open::sender:
            reply.status = {2, 1, 0};
            break;
        case Open::recipient:
            reply.status = {2, 1, 5};
            break;
        case Open::content_begin:
            reply.code = 354;
            reply.status.reset();
            break;
        case Open::xclient:
            reply.code = 220;
            reply.status.reset();
            break;
        default:
            break;
    }
    if (mail::leading_status(text)) reply.status.reset();
    reply.lines.push_back(std::move(text));
    return render_reply(reply);
}

}  // namespace thurn::smtp
