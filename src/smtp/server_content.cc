// Content, by DATA and by BDAT. Either way its end is found before anything behind it is read as a command, whatever is wrong with it.
#include "smtp/server_state.h"

namespace thurn::smtp {

using namespace replies;

namespace {

constexpr std::uint64_t kSmallChunk = 1024;  // octets; those who send a message in smaller ones could keep us busy for ever

}  // namespace

// ---- Content

void ServerSession::State::begin_content() {
    if (mode == Mode::command) mode = Mode::content;
    decoder = DotDecoder(options.content_line, mode == Mode::content ? Dots::stuffed : Dots::plain);
    content_octets = 0;
    refused_so_far = 0;
    content_refusal = nullptr;
    receiving = true;
}

/// Yields one piece, or finds out that none may come any more; either way the end is looked for.
bool ServerSession::State::read_content() {
    while (!input.unread().empty() && !decoder.ended()) {
        const auto step = decoder.step(input.unread());
        input.consume(step.consumed);
        if (take_content(step.content)) return true;
    }
    if (!decoder.ended()) return false;
    on_content_end();
    return true;
}

/// True when there is an event to tell.
bool ServerSession::State::take_content(std::string_view octets) {
    content_octets += octets.size();
    if (content_refusal) return drop_refused(octets.size());
    if (options.message_size.count != 0 && content_octets > options.message_size.count) {
        drop_content(kTooBig);
        static_cast<void>(drop_refused(octets.size()));
        return true;
    }
    if (decoder.fault() != ContentFault::none) {
        drop_content(fault_reply());
        static_cast<void>(drop_refused(octets.size()));
        return true;
    }
    if (octets.empty()) return false;
    events.emplace_back(ContentChunk{octets});
    return true;
}

/// True when it is too much. Why it is refused is told first: who hears that does not try again.
bool ServerSession::State::drop_refused(std::size_t octets) {
    const auto most = refused_octets(options.message_size);
    refused_so_far += octets;
    if (most == 0 || refused_so_far <= most) return false;
    if (content_refusal) refuse_content();
    if (mode != Mode::closed) say_and_close(kTooMuchRefused);
    return true;
}

void ServerSession::State::on_content_end() {
    mode = Mode::command;
    if (stage == Stage::chunks) stage = Stage::recipients;
    if (content_refusal) return refuse_content();
    receiving = false;
    ask(Open::content_end, ContentEnded{});
}

/// The envelope goes with the content, RFC 5321 §4.1.1.4.
void ServerSession::State::refuse_content() {
    const bool for_each = options.protocol == Protocol::lmtp && (current == Verb::data || chunk.last);  // RFC 2033 §4.3
    const auto others = for_each ? recipients - 1 : 0;
    end_transaction();
    chunks_follow = true;
    const auto& reply = *std::exchange(content_refusal, nullptr);
    refuse(reply);
    for (std::size_t count = 0; count < others; ++count) output += render_reply(to_reply(reply));
    if (stopping) say_and_close(kShuttingDown);
}

// ---- Chunks (RFC 3030)

void ServerSession::State::on(BdatCommand& command) {
    chunk = {.left = command.size.count, .last = command.last, .refused = false};
    mode = Mode::chunk;
    if (stage == Stage::chunks && chunk.left < kSmallChunk) ++commands;
    if (stage == Stage::recipients) ask(Open::content_begin, ContentBegins{});
}

/// The chunk was sent with the command and is read whatever becomes of it: none of it is a command.
void ServerSession::State::skip_chunk(const CommandLine& line, const FixedReply& refusal) {
    const auto command = parse_command(line, parameter_rules());
    if (!command) return say_and_close(command.error());
    refuse(refusal);
    if (chunks_follow) --errors;
    chunk = {.left = std::get<BdatCommand>(*command).size.count, .last = false, .refused = true};
    mode = Mode::chunk;
}

bool ServerSession::State::read_chunk() {
    while (chunk.left > 0 && !input.unread().empty()) {
        const auto wire = input.unread().substr(0, chunk.left);
        const bool as_it_is = chunk.refused || content_refusal || body == mail::BodyType::binary;
        const auto step = as_it_is ? DotDecoder::Step{.content = wire, .consumed = wire.size()} : decoder.step(wire);
        input.consume(step.consumed);
        chunk.left -= step.consumed;
        if (chunk.refused ? drop_refused(step.consumed) : take_content(step.content)) return true;
    }
    if (chunk.left > 0) return false;
    on_chunk_end();
    return true;
}

void ServerSession::State::on_chunk_end() {
    mode = Mode::command;
    if (chunk.refused) {
        if (stopping && stage != Stage::chunks) say_and_close(kShuttingDown);
        return;
    }
    stage = Stage::chunks;
    if (!content_refusal && !chunk.last) {
        output += kOk;
        return;
    }
    if (!content_refusal && body != mail::BodyType::binary) end_text();
    on_content_end();
}

/// Every line of a text ends (RFC 5321 §2.3.8), the last one too: what goes on from here goes by lines.
void ServerSession::State::end_text() { static_cast<void>(take_content(decoder.finish())); }

/// The reply waits for the true end: before it, every octet is content (RFC 5321 §4.5.3.1.9).
void ServerSession::State::drop_content(const FixedReply& reply) {
    content_refusal = &reply;
    receiving = false;
    events.emplace_back(ContentDropped{std::string(reply.text)});
}

const FixedReply& ServerSession::State::fault_reply() const {
    switch (decoder.fault()) {
        case ContentFault::nul:
            return kNulInContent;
        case ContentFault::line_too_long:
            return kContentLineTooLong;
        default:
            return kBareInContent;
    }
}

}  // namespace thurn::smtp
