// One transaction: MAIL, RCPT, and the content by DATA or BDAT.
#include "smtp/client_state.h"
#include "smtp/offered_parameters.h"
#include "smtp/words.h"

#include <algorithm>
#include <utility>

namespace thurn::smtp {

namespace {

bool has_utf8(const mail::Mailbox& mailbox) { return beyond_ascii(mailbox.local); }

/// Domains are in A-labels, so only a local part can need SMTPUTF8 (RFC 6531 §3.2).
bool needs_utf8(const Transaction& transaction) {
    return (transaction.sender.mailbox && has_utf8(*transaction.sender.mailbox)) ||
           std::ranges::any_of(transaction.recipients, has_utf8, &Recipient::mailbox);
}

Reply too_big(base::Octets size, base::Octets limit) {
    return make_reply(552, {5, 3, 4},
                      "message of " + std::to_string(size.count) + " octets, the server takes " + std::to_string(limit.count));
}

}  // namespace

/// What came unasked since the last reply would be taken for the reply to MAIL, and so on to the end: success for a message not sent.
void ClientSession::State::read_unasked() {
    while (awaiting == Awaiting::nothing && reader.has_leftover() && read_reply()) {}
    if (awaiting == Awaiting::nothing && reader.has_leftover()) fail(ErrorKind::syntax, "the server talks unasked");
}

void ClientSession::State::begin(Transaction given) {
    read_unasked();
    if (awaiting != Awaiting::nothing) return;
    transaction = std::move(given);
    refusals.clear();
    refusals.reserve(transaction.recipients.size());
    decision.reset();
    mail_refused = false;
    early_reply = false;
    next_final = 0;
    if (const auto refusal = refused_here()) {
        yield(TransactionEnded{std::vector<Reply>(transaction.recipients.size(), *refusal)});
        return;
    }
    if (needs_utf8(transaction)) transaction.parameters.smtputf8 = true;
    chunked = extensions.chunking && (options.chunking == Chunking::when_offered || transaction.parameters.body == mail::BodyType::binary);
    encoder = DotEncoder(chunked ? Dots::plain : Dots::stuffed);
    chunks_unanswered = 0;
    next_chunk.clear();
    held_chunks.clear();
    last_said = false;
    awaiting = needs_rset ? Awaiting::rset : Awaiting::mail;
    if (extensions.pipelining) return say_all();
    say(awaiting, 0);
}

std::optional<Reply> ClientSession::State::refused_here() const {
    const MailParameters& given = transaction.parameters;
    if (given.size && extensions.size && extensions.size->count != 0 && *given.size > *extensions.size)
        return too_big(*given.size, *extensions.size);
    if (!extensions.smtputf8 && needs_utf8(transaction)) return make_reply(550, {5, 6, 7}, "the server does not offer SMTPUTF8");
    if (given.require_tls && !(extensions.require_tls && under_tls))
        return make_reply(550, {5, 7, 30}, "the server does not offer REQUIRETLS");
    if (given.body == mail::BodyType::binary && !(extensions.chunking && extensions.binary_mime))
        return make_reply(550, {5, 6, 3}, "the server does not offer BINARYMIME");
    return std::nullopt;
}

void ClientSession::State::say_all() {
    if (needs_rset) say(Awaiting::rset, 0);
    say(Awaiting::mail, 0);
    for (std::size_t recipient = 0; recipient < transaction.recipients.size(); ++recipient) say(Awaiting::rcpt, recipient);
    if (!chunked && !asks()) say(Awaiting::data, 0);
}

void ClientSession::State::say(Awaiting command, std::size_t recipient) {
    switch (command) {
        case Awaiting::rset:
            output += "RSET\r\n";
            break;
        case Awaiting::mail:
            say_mail();
            break;
        case Awaiting::rcpt:
            output.append("RCPT TO:<").append(mail::render_mailbox(transaction.recipients[recipient].mailbox)).append(">");
            append_parameters(transaction.recipients[recipient].parameters, extensions, output);
            output += "\r\n";
            break;
        default:
            output += "DATA\r\n";
    }
}

void ClientSession::State::say_mail() {
    output.append("MAIL FROM:<").append(mail::render_path(transaction.sender)).append(">");
    append_parameters(transaction.parameters, extensions, output);
    output += "\r\n";
}

void ClientSession::State::await_in_transaction(Awaiting next) {
    awaiting = next;
    if (!extensions.pipelining) say(next, refusals.size());
}

void ClientSession::State::on_rset(const Reply& reply) {
    if (!reply.positive()) return fail_refused("the server refused RSET", reply);
    needs_rset = false;
    await_in_transaction(Awaiting::mail);
}

/// With PIPELINING the other replies are on their way and say nothing new; they are read all the same.
void ClientSession::State::on_mail(Reply reply) {
    needs_rset = true;
    if (reply.intermediate()) return fail_unexpected(std::move(reply));
    mail_refused = !reply.positive();
    if (mail_refused) decision = std::move(reply);
    if (mail_refused && !extensions.pipelining) return end_transaction();
    await_in_transaction(Awaiting::rcpt);
}

void ClientSession::State::on_rcpt(Reply reply) {
    if (reply.intermediate()) return fail_unexpected(std::move(reply));
    refusals.emplace_back(reply.positive() && !asks() ? std::nullopt : std::optional(std::move(reply)));
    if (refusals.size() < transaction.recipients.size()) return await_in_transaction(Awaiting::rcpt);
    if (asks()) return end_transaction();
    if (chunked) return any_accepted() ? want_content() : end_transaction();
    if (!any_accepted() && !extensions.pipelining) return end_transaction();
    await_in_transaction(Awaiting::data);
}

bool ClientSession::State::any_accepted() const {
    return !mail_refused && std::ranges::any_of(refusals, [](const auto& refusal) { return !refusal; });
}

void ClientSession::State::on_data(Reply reply) {
    if (reply.positive()) return fail_unexpected(std::move(reply));
    if (reply.intermediate() && any_accepted()) {
        want_content();
    } else if (reply.intermediate()) {
        encoder.finish(output);  // an empty content: the server waits for it, nobody gets it
        if (!is_lmtp()) {
            awaiting = Awaiting::dot;
            return;
        }
        end_transaction();  // RFC 2033 §4.2 has a 503 here, and no reply where there is no recipient
        fail_unexpected(std::move(reply));
    } else {
        decide(std::move(reply));
        end_transaction();
    }
}

void ClientSession::State::want_content() {
    awaiting = Awaiting::pieces;
    yield(ContentWanted{});
}

void ClientSession::State::on_content(Reply reply) {
    if (chunks_unanswered > 0) return on_chunk(std::move(reply));
    if (awaiting == Awaiting::pieces) return on_last_words(std::move(reply));
    if (reply.intermediate() || (early_reply && reply.positive())) return fail_unexpected(std::move(reply));
    if (is_lmtp() && !decision) return on_final(std::move(reply));
    needs_rset = !reply.positive() || decision;
    decide(std::move(reply));
    end_transaction();
}

/// LMTP: the reply to the content for the next recipient that was accepted (RFC 2033 §4.2).
void ClientSession::State::on_final(Reply reply) {
    const auto waiting_from = [this](std::size_t from) {
        while (from < refusals.size() && refusals[from]) ++from;
        return from;
    };
    needs_rset = (next_final > 0 && needs_rset) || !reply.positive();
    const auto index = waiting_from(next_final);
    refusals[index] = std::move(reply);
    next_final = index + 1;
    if (waiting_from(next_final) == refusals.size()) end_transaction();
}

// ---- Chunks

/// Once one is refused, those on their way are refused too (RFC 3030 §2), and no more leave.
void ClientSession::State::on_chunk(Reply reply) {
    if (reply.intermediate()) return fail_unexpected(std::move(reply));
    --chunks_unanswered;
    if (!reply.positive()) {
        decide(std::move(reply));
        held_chunks.clear();
    } else if (!held_chunks.empty()) {
        send_chunk(held_chunks.front().octets, held_chunks.front().last);
        held_chunks.pop_front();
    }
    if (decision && chunks_unanswered == 0 && !last_said) end_transaction();
}

void ClientSession::State::read_chunk_replies() {
    while (chunks_unanswered > 0 && reads_replies() && read_reply()) {}
}

/// Replies that are there already belong to what was said before; whatever comes before the chunk has left is no reply to it.
void ClientSession::State::say_chunk(std::string_view octets, bool last) {
    read_chunk_replies();
    if (awaiting != Awaiting::pieces || decision) return;
    if (chunks_unanswered == 0 && reader.has_leftover()) early_reply = true;
    if (chunks_unanswered > 0 && !extensions.pipelining) return held_chunks.push_back({.octets = std::string(octets), .last = last});
    send_chunk(octets, last);
}

void ClientSession::State::send_chunk(std::string_view octets, bool last) {
    output.append("BDAT ").append(std::to_string(octets.size())).append(last ? " LAST\r\n" : "\r\n").append(octets);
    if (last)
        last_said = true;
    else
        ++chunks_unanswered;
}

void ClientSession::State::add_content(std::string_view octets) {
    if (!chunked) return encoder.encode(octets, output);
    if (transaction.parameters.body == mail::BodyType::binary) return add_chunk(std::string(octets));
    std::string lines;
    encoder.encode(octets, lines);
    add_chunk(std::move(lines));
}

/// One behind: a message of one piece is one chunk, with one reply.
void ClientSession::State::add_chunk(std::string octets) {
    if (octets.empty()) return;
    if (!next_chunk.empty()) say_chunk(next_chunk, false);
    next_chunk = std::move(octets);
}

void ClientSession::State::finish_content() {
    if (chunked) {
        if (transaction.parameters.body != mail::BodyType::binary) encoder.finish(next_chunk);
        say_chunk(std::exchange(next_chunk, {}), true);
    } else {
        early_reply = reader.has_leftover();
        encoder.finish(output);
    }
    if (awaiting == Awaiting::pieces) awaiting = Awaiting::content;
}
/// For all that are not refused yet. What MAIL decided stays decided.
void ClientSession::State::decide(Reply reply) {
    if (!decision) decision = std::move(reply);
}

void ClientSession::State::end_transaction(std::vector<std::size_t> unanswered) {
    TransactionEnded result{.replies = {}, .unanswered = std::move(unanswered), .sender_refused = mail_refused};
    result.replies.reserve(transaction.recipients.size());
    refusals.resize(transaction.recipients.size());
    for (auto& refusal : refusals) {
        if (refusal && !mail_refused)
            result.replies.push_back(*std::move(refusal));
        else if (decision)
            result.replies.push_back(*decision);
    }
    awaiting = Awaiting::nothing;
    transaction = Transaction{};
    yield(std::move(result));
}

}  // namespace thurn::smtp
