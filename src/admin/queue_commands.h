#pragma once

#include "admin/control_server.h"
#include "delivery/dispatcher.h"
#include "spool/spool.h"

#include <functional>
#include <map>
#include <string>

namespace thurn::admin {

/// Which messages a queue command is about; all given conditions must hold. Addresses match whole, or by domain as `@example.com`, without
/// case; `<>` is the null path. A site is given by its name, or by a host of it; a recipient has one once it was tried.
struct QueueFilter {
    enum class Which { all, held };  // held: those with a recipient who is
    std::string from{};
    std::string to{};
    std::string site{};
    std::string login{};  // who submitted it
    std::size_t limit = 1000;
    Which which = Which::all;
};
[[nodiscard]] QueueFilter read_filter(const boost::json::object& request);
void write_filter(const QueueFilter& filter, boost::json::object& request);

/// Why a recipient waits; the dispatcher's word, or what the stored state says when no server runs.
using WhyFunction = std::function<delivery::Waiting(base::MessageId, std::uint32_t, const spool::RecipientState&)>;
[[nodiscard]] delivery::Waiting why_at_rest(base::MessageId id, std::uint32_t index, const spool::RecipientState& state);

/// Messages as JSON: id, sender, size, accepted, recipients with address, state, attempts, site, reason and next attempt. Blocks on the disk.
[[nodiscard]] ControlResult list_queue(spool::Spool& spool, const QueueFilter& filter, const WhyFunction& why);
/// One message, all its recipients.
/// Errors  `not_found`.
[[nodiscard]] ControlResult show_message(spool::Spool& spool, base::MessageId id, const WhyFunction& why);
[[nodiscard]] boost::json::value render_stats(const spool::SpoolStats& stats);

/// Tries now what waits for recipients in a domain, up to ten thousand messages: how many it was. Looks through the whole queue.
[[nodiscard]] boost::asio::awaitable<base::Result<std::size_t>> async_retry_domain(spool::Spool& spool, delivery::Dispatcher& dispatcher,
                                                                                   net::BlockingPool& pool, std::string domain);

/// What the running server answers about its queue: queue.list, queue.show, queue.change, queue.stats.
[[nodiscard]] std::map<std::string, ControlHandler> queue_handlers(spool::Spool& spool, delivery::Dispatcher& dispatcher,
                                                                   net::BlockingPool& pool);

[[nodiscard]] base::Result<delivery::Change> parse_change(std::string_view name);

}  // namespace thurn::admin
