// Filters judge a message before we promise anything about it. Each is told the steps of the session in their order, and the content when
// it is whole: so a filter sees what those before it changed, and one that fails in the middle has changed nothing.
#include "inbound/milters.h"

#include "inbound/milter_filter.h"

#include <algorithm>
#include <utility>

namespace thurn::inbound {

using net::asio::awaitable;

namespace {

constexpr std::size_t kMostUnknown = 10;  // commands told of between two steps

MilterPatience for_command(const MilterOptions& options) { return {options.command_timeout, net::within(options.total_timeout)}; }
MilterPatience for_content(const MilterOptions& options) { return {options.content_timeout, net::within(options.total_timeout)}; }

}  // namespace

/// The body, piece by piece, as often as there are filters; of the draft, or what a filter put in its place.
class Milters::Body {
public:
    Body(const spool::Draft& draft, std::uint64_t begin, net::BlockingPool& pool, const std::optional<std::string>& replaced)
        : draft_(draft), begin_(begin), pool_(pool), replaced_(replaced) {}
    void rewind() { at_ = 0; }
    /// Empty at the end. Valid until the next call.
    awaitable<base::Result<std::string_view>> async_next() {
        if (replaced_) co_return next_of(*replaced_);
        if (const auto octets = draft_.in_memory()) co_return next_of(octets->substr(std::min<std::size_t>(begin_, octets->size())));
        piece_.resize(milter::kBodyChunk);
        const auto count = co_await pool_.async_run([this] { return draft_.read(begin_ + at_, piece_); });
        if (!count) co_return std::unexpected(count.error());
        at_ += *count;
        co_return std::string_view(piece_).substr(0, *count);
    }

private:
    std::string_view next_of(std::string_view octets) {
        const auto piece = octets.substr(std::min<std::size_t>(at_, octets.size()), milter::kBodyChunk);
        at_ += piece.size();
        return piece;
    }
    const spool::Draft& draft_;
    std::uint64_t begin_;
    net::BlockingPool& pool_;
    const std::optional<std::string>& replaced_;
    std::string piece_;
    std::uint64_t at_ = 0;
};

Milters::Milters(Dependencies with) : with_(std::move(with)) {
    for (const auto* options : with_.filters) filters_.push_back(std::make_unique<Filter>(*options));
}
Milters::~Milters() = default;

void Milters::note_unknown(std::string_view command) {
    if (unknown_.size() < kMostUnknown) unknown_.emplace_back(command);
}

/// Whoever was told of a message that did not come is told that, with the next step.
void Milters::reset() {
    for (auto& filter : filters_) {
        if (std::exchange(filter->in_message, false)) filter->connection->session().abort();
        if (filter->hears == Filter::Hears::not_this_message) filter->hears = Filter::Hears::everything;
        filter->refuses_message.reset();
    }
    outcome_ = {};
    header_.reset();
    header_changed_ = false;
    refusal_.reset();
}

void Milters::begin(base::MessageId id) {
    reset();
    id_ = id;
}

awaitable<void> Milters::async_quit() {
    reset();
    for (auto& filter : filters_) {
        if (!filter->connection) continue;
        co_await filter->connection->async_quit();
        filter->connection.reset();
    }
}

/// One step of one filter. False when it hears no more of this message, or refuses.
awaitable<bool> Milters::async_tell(Filter& filter, Step step, MilterPatience patience) {
    step(filter.connection->session());
    const auto verdict = co_await filter.connection->async_settle(patience);
    if (verdict)
        judge(filter, *verdict);
    else
        fail(filter, verdict.error());
    co_return filter.hears == Filter::Hears::everything && !refusal_;
}

/// What they say to these is of no interest, as long as they say it.
awaitable<void> Milters::async_tell_unknown(Filter& filter) {
    for (const auto& command : unknown_) {
        filter.connection->session().unknown(command, {});
        const auto answered = co_await filter.connection->async_settle(for_command(filter.options));
        if (answered) continue;
        fail(filter, answered.error());
        co_return;
    }
}

/// Connects, where that is needed, and says who the client is.
awaitable<void> Milters::async_meet(Filter& filter, const MilterClient& client) {
    if (filter.connection && !co_await filter.connection->async_is_there()) filter.connection.reset();
    if (!filter.connection) {
        auto opened = co_await MilterConnection::async_open(filter.options, with_.resolver);
        if (!opened) {
            fail(filter, opened.error());
            co_return;
        }
        filter.connection = *std::move(opened);
        filter.greeted.clear();
        const bool welcome =
            co_await async_tell(filter, [&](auto& session) { session.connect(client.client, client.macros); }, for_command(filter.options));
        if (!welcome) co_return;
    }
    const auto greeting = client.helo + '\n' + client.tls;
    if (filter.greeted == greeting) co_return;
    filter.greeted = greeting;
    if (!client.helo.empty())
        co_await async_tell(filter, [&](auto& session) { session.helo(client.helo, client.macros); }, for_command(filter.options));
}

awaitable<policy::Decision> Milters::async_mail(base::MessageId id, MilterClient client, std::vector<std::string> arguments,
                                                milter::Macros macros) {
    begin(id);
    for (auto& filter : filters_) {
        if (filter->refuses_client) co_return *filter->refuses_client;
        if (filter->hears == Filter::Hears::everything) co_await async_meet(*filter, client);
        if (filter->hears == Filter::Hears::everything && !refusal_) co_await async_tell_unknown(*filter);
        if (filter->hears == Filter::Hears::everything && !refusal_) {
            filter->in_message = true;
            co_await async_tell(*filter, [&](auto& session) { session.mail(arguments, macros); }, for_command(filter->options));
        }
        if (refusal_) co_return *std::exchange(refusal_, std::nullopt);
    }
    unknown_.clear();
    co_return policy::Decision{};
}

awaitable<policy::Decision> Milters::async_each(Step step) {
    for (auto& filter : filters_) {
        if (filter->refuses_message) co_return *filter->refuses_message;
        if (filter->hears == Filter::Hears::everything) co_await async_tell_unknown(*filter);
        if (filter->hears == Filter::Hears::everything && !refusal_) co_await async_tell(*filter, step, for_command(filter->options));
        if (refusal_) co_return *std::exchange(refusal_, std::nullopt);
    }
    unknown_.clear();
    co_return policy::Decision{};
}

awaitable<policy::Decision> Milters::async_rcpt(std::vector<std::string> arguments, milter::Macros macros) {
    co_return co_await async_each([&](auto& session) { session.rcpt(arguments, macros); });
}

awaitable<policy::Decision> Milters::async_data(milter::Macros macros) {
    co_return co_await async_each([&](auto& session) { session.data(macros); });
}

awaitable<bool> Milters::async_tell_header(Filter& filter, const milter::Macros& macros, MilterPatience patience) {
    for (const auto& [name, value] : header_->fields()) {
        if (!filter.connection->session().wants_headers()) break;
        const bool more = co_await async_tell(filter, [&](auto& session) { session.header(name, value); }, patience);
        if (!more) co_return false;
    }
    co_return co_await async_tell(filter, [&](auto& session) { session.end_of_header(macros); }, patience);
}

/// False when the filter hears no more.
awaitable<base::Result<bool>> Milters::async_tell_body(Filter& filter, Body& body, MilterPatience patience) {
    body.rewind();
    while (filter.connection->session().wants_body()) {
        const auto piece = co_await body.async_next();
        if (!piece) co_return std::unexpected(piece.error());
        if (piece->empty()) break;
        filter.connection->session().body(*piece);
        const auto verdict = co_await filter.connection->async_settle(patience);
        if (verdict && verdict->kind == milter::Verdict::Kind::skip) break;
        if (verdict)
            judge(filter, *verdict);
        else
            fail(filter, verdict.error());
        if (filter.hears != Filter::Hears::everything || refusal_) co_return false;
    }
    co_return true;
}

awaitable<base::Result<void>> Milters::async_show(Filter& filter, Body& body, const milter::Macros& macros) {
    const auto begun = std::chrono::steady_clock::now();
    const auto patience = for_content(filter.options);
    if (!co_await async_tell_header(filter, macros, patience)) co_return base::Result<void>();
    const auto told = co_await async_tell_body(filter, body, patience);
    if (!told) co_return std::unexpected(told.error());
    if (!*told) co_return base::Result<void>();
    filter.connection->session().end_of_message(macros);
    const auto verdict = co_await filter.connection->async_settle(patience);
    if (!verdict) {
        fail(filter, verdict.error());
        co_return base::Result<void>();
    }
    filter.in_message = false;
    conclude(filter, *verdict, milliseconds_since(begun));
    co_return base::Result<void>();
}

awaitable<base::Result<MilterOutcome>> Milters::async_message(MilterMessage message) {
    header_.emplace(std::string(message.on_top) + std::string(message.header));
    Body body(message.draft, header_->read_octets() - message.on_top.size(), with_.pool, outcome_.changes.body);
    for (auto& filter : filters_) {
        if (filter->refuses_message) refusal_ = *filter->refuses_message;
        if (refusal_ || !outcome_.discarded_by.empty()) break;
        if (filter->hears != Filter::Hears::everything) continue;
        const auto shown = co_await async_show(*filter, body, message.macros);
        if (!shown) co_return std::unexpected(shown.error());
    }
    if (refusal_) outcome_.decision = *std::exchange(refusal_, std::nullopt);
    if (header_changed_ || outcome_.changes.body) outcome_.changes.header = header_->render() + "\r\n";
    outcome_.changes.body_begin = header_->read_octets() - message.on_top.size();
    auto outcome = std::exchange(outcome_, {});
    reset();
    co_return outcome;
}

}  // namespace thurn::inbound
