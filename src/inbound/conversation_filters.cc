// Content filters beside the conversation: what they are told of it, and what they want different about a message.
#include "inbound/client_network.h"
#include "inbound/conversation.h"
#include "inbound/try_again.h"

#include <algorithm>
#include <iterator>
#include <ranges>
#include <utility>

#include <fmt/format.h>

namespace thurn::inbound {

using net::asio::awaitable;

namespace {

constexpr std::size_t kPiece = std::size_t{64} << 10;

milter::Client::Family family_of(const std::string& address) {
    boost::system::error_code none;
    const auto parsed = boost::asio::ip::make_address(address, none);
    if (none) return milter::Client::Family::unknown;
    return parsed.is_v4() ? milter::Client::Family::ipv4 : milter::Client::Family::ipv6;
}

std::string in_brackets(const std::string& path) { return '<' + path + '>'; }

/// MAIL as filters see it, with what of its parameters they may care for.
std::vector<std::string> mail_arguments(const mail::ReversePath& path, const smtp::MailParameters& parameters) {
    std::vector<std::string> arguments{in_brackets(mail::render_path(path))};
    if (parameters.size) arguments.push_back(fmt::format("SIZE={}", parameters.size->count));
    if (parameters.body == mail::BodyType::eight_bit) arguments.emplace_back("BODY=8BITMIME");
    if (parameters.body == mail::BodyType::binary) arguments.emplace_back("BODY=BINARYMIME");
    if (parameters.smtputf8) arguments.emplace_back("SMTPUTF8");
    return arguments;
}

/// Nothing about a domain: a mailbox may have none.
void add_address(milter::Macros& macros, std::string_view kind, const std::optional<mail::Mailbox>& mailbox) {
    macros.push_back({fmt::format("{{{}_addr}}", kind), mailbox ? mail::render_mailbox(*mailbox) : std::string()});
    macros.push_back({fmt::format("{{{}_mailer}}", kind), "smtp"});
    if (mailbox && !mailbox->domain.empty()) macros.push_back({fmt::format("{{{}_host}}", kind), mailbox->domain.text()});
}

}  // namespace

/// Only with a sender: who connects and leaves again costs no filter anything.
void Conversation::meet_filters() {
    if (milters_) return;
    std::vector<const MilterOptions*> ours;
    for (const auto& one : options_->milters)
        if (std::ranges::find(one.on, profile_.role) != one.on.end()) ours.push_back(&one);
    if (ours.empty()) return;
    milters_ = std::make_unique<Milters>(
        Milters::Dependencies{.filters = std::move(ours), .resolver = with_.resolver, .pool = with_.pool, .log = log_});
}

MilterClient Conversation::filtered_client() const {
    const auto shown = client_.name.empty() ? fmt::format("[{}]", client_.address) : client_.name;
    const auto local = stream_.local();
    MilterClient told{.client = {.family = family_of(client_.address), .name = shown, .port = client_.port, .address = client_.address},
                      .helo = helo_name(),
                      .tls = client_.tls,
                      .macros = {{"j", options_->session.hostname},
                                 {"v", "thurn"},
                                 {"_", client_.name.empty() ? shown : fmt::format("{} [{}]", client_.name, client_.address)},
                                 {"{daemon_name}", client_.listener},
                                 {"{daemon_addr}", client_address(local)},
                                 {"{daemon_port}", fmt::format("{}", local.port())},
                                 {"{client_addr}", client_.address},
                                 {"{client_name}", client_.name.empty() ? "unknown" : client_.name},
                                 {"{client_ptr}", client_.name.empty() ? "unknown" : client_.name},
                                 {"{client_port}", fmt::format("{}", client_.port)}}};
    std::ranges::move(message_macros(), std::back_inserter(told.macros));
    return told;
}

/// What is known at each step of a message. `i` is left out before there is one.
milter::Macros Conversation::message_macros() const {
    milter::Macros macros{{"j", options_->session.hostname}, {"v", "thurn"}};
    if (transaction_.id.value != 0) macros.push_back({"i", transaction_.id.text()});
    if (!client_.login.empty()) {
        macros.push_back({"{auth_type}", client_.mechanism.empty() ? "XCLIENT" : client_.mechanism});
        macros.push_back({"{auth_authen}", client_.login});
        macros.push_back({"{auth_author}", client_.login});
    }
    if (const auto tls = stream_.tls_facts()) {
        macros.push_back({"{tls_version}", tls->version});
        macros.push_back({"{cipher}", tls->cipher});
        macros.push_back({"{cipher_bits}", fmt::format("{}", tls->bits)});
    }
    return macros;
}

awaitable<bool> Conversation::async_filter_sender(const smtp::MailParameters& parameters) {
    auto macros = message_macros();
    add_address(macros, "mail", transaction_.sender.mailbox);
    const auto decision = co_await milters_->async_mail(transaction_.id, filtered_client(), mail_arguments(transaction_.sender, parameters),
                                                        std::move(macros));
    if (decision.kind == policy::Decision::Kind::accept) co_return true;
    refuse("mail", mail::render_path(transaction_.sender), decision);
    close_transaction();
    co_return false;
}

awaitable<bool> Conversation::async_filter_recipient(const smtp::RecipientGiven& given) {
    auto macros = message_macros();
    add_address(macros, "rcpt", given.mailbox);
    const auto address = mail::render_mailbox(given.mailbox);
    const auto decision = co_await milters_->async_rcpt({in_brackets(address)}, std::move(macros));
    if (decision.kind == policy::Decision::Kind::accept) co_return true;
    refuse("rcpt", address, decision);
    co_return false;
}

awaitable<bool> Conversation::async_filter_data() {
    const auto decision = co_await milters_->async_data(message_macros());
    if (decision.kind == policy::Decision::Kind::accept) co_return true;
    refuse("data", "", decision);
    end_transaction();
    co_return false;
}

awaitable<bool> Conversation::async_filter_message(Transaction& transaction) {
    auto outcome = co_await milters_->async_message(
        {.draft = *transaction.draft, .header = transaction.header, .on_top = transaction.completion, .macros = message_macros()});
    if (!outcome) {
        log_spool_failure(transaction.id, outcome.error());
        session_.answer(try_again(outcome.error()));
        co_return false;
    }
    std::ranges::move(outcome->decisions, std::back_inserter(transaction.decisions));
    std::ranges::move(outcome->findings, std::back_inserter(transaction.findings));
    if (outcome->decision.kind != policy::Decision::Kind::accept) {
        refuse_content(transaction, outcome->decision);
        co_return false;
    }
    change_envelope(transaction, outcome->changes);
    if (transaction.recipients.empty()) outcome->discarded_by = "milter";  // they removed them all
    if (!outcome->discarded_by.empty()) {
        transaction.discarded_by = std::move(outcome->discarded_by);
        discard(transaction);
        co_return false;
    }
    if (!outcome->hold.empty()) {
        transaction.filing = policy::Filing::hold;
        transaction.filed_because = std::move(outcome->hold);
    }
    if (!outcome->changes.of_content()) co_return true;
    transaction.header = *outcome->changes.header;  // what rules see
    const auto written = co_await async_rewrite(transaction, std::move(outcome->changes));
    if (written) co_return true;
    log_spool_failure(transaction.id, written.error());
    session_.answer(try_again(written.error()));
    co_return false;
}

/// By the name that filters heard, which is the client's; or by that of who gets it instead. Who was also named besides keeps it.
void Conversation::remove_recipient(Transaction& transaction, const mail::Mailbox& named) {
    auto& shown = transaction.shown;
    std::vector<mail::Mailbox> gone;
    for (const auto& one : shown)
        if (one.named == named) gone.push_back(one.kept);
    const bool was_named = !gone.empty();
    if (!was_named) gone.push_back(named);
    std::erase_if(shown, [&](const auto& one) { return one.named == named; });
    for (const auto& mailbox : gone)
        if (!was_named || std::ranges::find(shown, mailbox, &Transaction::Shown::kept) == shown.end())
            std::erase_if(transaction.recipients, [&](const auto& one) { return one.mailbox == mailbox; });
}

/// Filters are the operator's, and so are believed: whom they add needs no permission to be relayed to.
void Conversation::change_envelope(Transaction& transaction, MessageChanges& changes) const {
    if (changes.sender) transaction.sender = *std::move(changes.sender);
    for (const auto& mailbox : changes.removed) remove_recipient(transaction, mailbox);
    for (auto& added : changes.added) {
        if (std::ranges::find(transaction.recipients, added.mailbox, &spool::Recipient::mailbox) != transaction.recipients.end()) continue;
        transaction.recipients.push_back({.mailbox = std::move(added.mailbox), .original = {}, .notify = added.notify, .state = {}});
    }
}

awaitable<base::Result<void>> Conversation::async_write_part(Transaction& transaction, std::string_view octets) {
    auto& draft = *transaction.draft;
    transaction.gate.look_for_eight_bit(octets);
    if (!draft.needs_disk(octets.size())) co_return draft.append(octets);
    co_return co_await with_.pool.async_run([&draft, octets] { return draft.append(octets); });
}

/// The content is written a second time, as the filters want it; what signs and seals it hears it anew.
awaitable<base::Result<void>> Conversation::async_rewrite(Transaction& transaction, MessageChanges changes) {
    auto& draft = *transaction.draft;
    auto before = draft.in_memory() ? draft.start_over() : co_await with_.pool.async_run([&draft] { return draft.start_over(); });
    if (!before) co_return base::pass_on(before);
    const auto& content = **before;
    transaction.completion.clear();  // it is in the header now
    if (transaction.signing)
        transaction.signing =
            std::make_unique<mailauth::MessageSigning>(options_->authentication->signatory, *changes.header, with_.clock.now());
    if (transaction.checks) transaction.checks->change(*changes.header);
    if (auto written = co_await async_write_part(transaction, *changes.header); !written) co_return written;
    std::string piece;
    for (std::uint64_t at = changes.body ? 0 : changes.body_begin;; at += piece.size()) {
        piece.resize(kPiece);
        if (changes.body) {
            piece.resize(at < changes.body->size() ? changes.body->copy(piece.data(), kPiece, at) : 0);
        } else {
            const auto read = content.in_memory()
                                  ? content.read(at, piece)
                                  : co_await with_.pool.async_run([&content, &piece, at] { return content.read(at, piece); });
            if (!read) co_return std::unexpected(read.error());
            piece.resize(*read);
        }
        if (piece.empty()) co_return base::Result<void>();
        if (transaction.signing) transaction.signing->feed(piece);
        if (transaction.checks) transaction.checks->feed_changed(piece);
        if (auto written = co_await async_write_part(transaction, piece); !written) co_return written;
    }
}

}  // namespace thurn::inbound
