#include "inbound/scanning.h"

#include "inbound/dial.h"
#include "scan/clamd.h"
#include "scan/spamd.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace thurn::inbound {

using net::asio::awaitable;

namespace {

constexpr std::size_t kPiece = std::size_t{64} << 10;

/// The message piece by piece: what stands on top, then the draft.
class Pieces {
public:
    explicit Pieces(const ScannedMessage& message) : message_(message) {}
    /// Empty at the end. Valid until the next call.
    awaitable<base::Result<std::string_view>> async_next() {
        if (!std::exchange(begun_, true) && !message_.on_top.empty()) co_return std::string_view(message_.on_top);
        if (const auto octets = message_.draft.in_memory()) {
            const auto piece = octets->substr(at_, kPiece);
            at_ += piece.size();
            co_return piece;
        }
        piece_.resize(kPiece);
        const auto count = co_await message_.pool.async_run([this] { return message_.draft.read(at_, piece_); });
        if (!count) co_return std::unexpected(count.error());
        at_ += *count;
        co_return std::string_view(piece_).substr(0, *count);
    }

private:
    const ScannedMessage& message_;
    bool begun_ = false;
    std::uint64_t at_ = 0;
    std::string piece_;
};

base::Result<void> check_size(const ScannerOptions& scanner, const ScannedMessage& message) {
    if (message.size().count <= scanner.max_size.count) return {};
    return base::fail(base::ErrorKind::too_long,
                      fmt::format("the message is larger than its max_size of {} octets", scanner.max_size.count));
}

awaitable<base::Result<void>> async_show_clamd(net::Stream& stream, const ScannedMessage& message, net::Deadline deadline) {
    if (auto sent = co_await stream.async_write(scan::kClamdCommand, deadline); !sent) co_return sent;
    Pieces pieces(message);
    while (true) {
        const auto piece = co_await pieces.async_next();
        if (!piece) co_return std::unexpected(piece.error());
        if (piece->empty()) co_return co_await stream.async_write(scan::kClamdEnd, deadline);
        const auto head = scan::clamd_chunk_head(static_cast<std::uint32_t>(piece->size()));
        const std::array<std::string_view, 2> chunk{std::string_view(head.data(), head.size()), *piece};
        if (auto sent = co_await stream.async_write(chunk, deadline); !sent) co_return sent;
    }
}

awaitable<base::Result<void>> async_show_spamd(net::Stream& stream, const ScannedMessage& message, net::Deadline deadline) {
    const auto request = scan::render_spamd_request(message.size().count);
    if (auto sent = co_await stream.async_write(std::string_view(request), deadline); !sent) co_return sent;
    Pieces pieces(message);
    while (true) {
        const auto piece = co_await pieces.async_next();
        if (!piece) co_return std::unexpected(piece.error());
        if (piece->empty()) co_return base::Result<void>();
        if (auto sent = co_await stream.async_write(*piece, deadline); !sent) co_return sent;
    }
}

base::Result<std::optional<scan::VirusVerdict>> parse_clamd(std::string_view octets, scan::Connection) {
    return scan::parse_clamd_reply(octets);
}

/// What the scanner says, as soon as it is whole.
template <class Verdict>
awaitable<base::Result<Verdict>> async_hear(net::Stream& stream, net::Deadline deadline,
                                            base::Result<std::optional<Verdict>> (*parse)(std::string_view, scan::Connection)) {
    std::string heard;
    std::array<char, 4096> input;
    while (true) {
        const auto count = co_await stream.async_read(input, deadline);
        if (!count && count.error().kind != base::ErrorKind::peer_gone) co_return std::unexpected(count.error());
        if (count) heard.append(input.data(), *count);
        auto verdict = parse(heard, count ? scan::Connection::open : scan::Connection::ended);
        if (!verdict) co_return std::unexpected(verdict.error());
        if (*verdict) co_return **std::move(verdict);
        if (!count) co_return base::fail(base::ErrorKind::peer_gone, "it left before it said anything");
    }
}

/// A scanner that has heard enough says so and leaves, while we still write: what it said counts, not that we could not go on.
template <class Verdict>
awaitable<base::Result<Verdict>> async_conclude(net::Stream& stream, base::Result<void> shown, net::Deadline deadline,
                                                base::Result<std::optional<Verdict>> (*parse)(std::string_view, scan::Connection)) {
    if (!shown && shown.error().kind != base::ErrorKind::peer_gone) co_return base::pass_on(shown);
    auto verdict = co_await async_hear(stream, deadline, parse);
    if (!verdict && !shown && verdict.error().kind == base::ErrorKind::peer_gone) co_return base::pass_on(shown);
    co_return verdict;
}

}  // namespace

const ScannerOptions* find_scanner(const std::vector<ScannerOptions>& scanners, ScannerOptions::Kind kind, policy::Role role) {
    const auto fits = [&](const ScannerOptions& one) { return one.kind == kind && std::ranges::find(one.on, role) != one.on.end(); };
    const auto found = std::ranges::find_if(scanners, fits);
    return found == scanners.end() ? nullptr : &*found;
}

std::unexpected<base::Error> no_scanner() {
    return base::fail(base::ErrorKind::not_found, "there is no such [[scanner]] for this listener");
}

std::string describe(const base::Result<scan::VirusVerdict>& verdict) {
    if (!verdict) return "not checked: " + verdict.error().detail;
    return verdict->name.empty() ? "nothing found" : verdict->name + " found";
}

std::string describe(const base::Result<scan::SpamVerdict>& verdict) {
    if (!verdict) return "not checked: " + verdict.error().detail;
    return fmt::format("{:g} of {:g}{}{}", verdict->score, verdict->threshold, verdict->rules.empty() ? "" : ": ",
                       fmt::join(verdict->rules, ", "));
}

awaitable<base::Result<scan::VirusVerdict>> async_ask_clamd(const ScannerOptions& clamd, net::Resolver* resolver,
                                                            const ScannedMessage& message) {
    if (auto fits = check_size(clamd, message); !fits) co_return base::pass_on(fits);
    const auto deadline = net::within(clamd.time_limit);
    auto stream = co_await async_dial(clamd.socket, resolver, deadline);
    if (!stream) co_return base::pass_on(stream);
    auto shown = co_await async_show_clamd(*stream, message, deadline);
    co_return co_await async_conclude(*stream, std::move(shown), deadline, parse_clamd);
}

awaitable<base::Result<scan::SpamVerdict>> async_ask_spamd(const ScannerOptions& spamd, net::Resolver* resolver,
                                                           const ScannedMessage& message) {
    if (auto fits = check_size(spamd, message); !fits) co_return base::pass_on(fits);
    const auto deadline = net::within(spamd.time_limit);
    auto stream = co_await async_dial(spamd.socket, resolver, deadline);
    if (!stream) co_return base::pass_on(stream);
    auto shown = co_await async_show_spamd(*stream, message, deadline);
    co_return co_await async_conclude(*stream, std::move(shown), deadline, scan::parse_spamd_reply);
}

}  // namespace thurn::inbound
