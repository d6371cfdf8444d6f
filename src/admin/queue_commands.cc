#include "admin/queue_commands.h"

#include "directory/resolve.h"
#include "mail/date.h"
#include "spool/held.h"

#include <algorithm>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/array.hpp>
#include <fmt/format.h>

namespace thurn::admin {

namespace json = boost::json;

namespace {

constexpr std::size_t kPage = 500;

std::string lower(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return result;
}

bool address_matches(std::string_view wanted, const std::string& address) {
    if (wanted.empty()) return true;
    if (wanted == "<>") return address.empty();  // the null path
    const auto have = lower(address);
    return wanted.starts_with('@') ? have.ends_with(lower(wanted)) : have == lower(wanted);
}

/// The site's whole name, or one of the hosts in it: `MX a.example, b.example`, `a.example port 587 with tls=verify`.
bool site_matches(std::string_view wanted, std::string_view site) {
    if (wanted.empty() || wanted == site) return true;
    constexpr std::string_view kMx = "MX ";
    if (!site.starts_with(kMx)) return site.substr(0, site.find(' ')) == lower(wanted);
    site = site.substr(kMx.size(), site.find(" with ") - kMx.size());
    while (!site.empty()) {
        const auto end = std::min(site.find_first_of(", "), site.size());
        if (site.substr(0, end) == lower(wanted)) return true;
        site.remove_prefix(std::min(end + 1, site.size()));
    }
    return false;
}

std::string_view standing_name(spool::Standing standing) {
    switch (standing) {
        case spool::Standing::waiting:
            return "waiting";
        case spool::Standing::in_doubt:
            return "in doubt";
        case spool::Standing::held:
            return "held";
        case spool::Standing::delivered:
            return "delivered";
        case spool::Standing::failed:
            return "failed";
        case spool::Standing::expanded:
            return "expanded";
        case spool::Standing::deleted:
            return "deleted";
    }
    return "";
}

json::object render_recipient(base::MessageId id, std::uint32_t index, const spool::Recipient& recipient, const WhyFunction& why) {
    json::object result{{"address", mail::render_mailbox(recipient.mailbox)},
                        {"state", standing_name(recipient.state.standing)},
                        {"attempts", recipient.state.attempts}};
    if (!recipient.original.empty()) result["original"] = recipient.original;
    if (!recipient.state.last_status.empty()) result["last_status"] = recipient.state.last_status;
    if (!recipient.state.site.empty()) result["site"] = recipient.state.site;
    if (spool::is_final(recipient.state.standing)) return result;
    const auto waiting = why(id, index, recipient.state);
    result["reason"] = waiting.reason;
    if (waiting.until) result["until"] = mail::render_timestamp(*waiting.until);
    return result;
}

json::object render_message(base::MessageId id, const mail::ReversePath& sender, base::Octets size) {
    return {{"id", id.text()}, {"from", mail::render_path(sender)}, {"size", size.count}, {"accepted", mail::render_timestamp(id.time())}};
}

bool matches(const spool::Listed& message, const QueueFilter& filter) {
    if (!address_matches(filter.from, mail::render_path(message.sender))) return false;
    const bool any = filter.which == QueueFilter::Which::all;
    if (any && filter.to.empty() && filter.site.empty()) return true;
    return std::ranges::any_of(message.recipients, [&](const auto& entry) {
        const auto& recipient = entry.second;
        return (any || recipient.state.standing == spool::Standing::held) &&
               address_matches(filter.to, mail::render_mailbox(recipient.mailbox)) && site_matches(filter.site, recipient.state.site);
    });
}

/// The listing does not know the login: the message does. So it is asked for last.
bool is_of_login(spool::Spool& spool, base::MessageId id, const QueueFilter& filter) {
    if (filter.login.empty()) return true;
    const auto message = spool.load(id);
    return message && directory::fold_address(message->envelope.login) == directory::fold_address(filter.login);
}

std::string text_of(const json::object& request, std::string_view key) {
    const auto* value = request.if_contains(key);
    return value && value->is_string() ? std::string(value->as_string()) : std::string();
}

boost::asio::awaitable<ControlResult> async_change_all(delivery::Dispatcher& dispatcher, std::vector<base::MessageId> ids,
                                                       delivery::Change change) {
    std::size_t messages = 0;
    std::size_t recipients = 0;
    for (const auto id : ids) {
        const auto changed = co_await dispatcher.async_change(id, change);
        if (!changed && ids.size() == 1) co_return std::unexpected(changed.error());
        if (!changed || *changed == 0) continue;
        ++messages;
        recipients += *changed;
    }
    co_return json::object{{"messages", messages}, {"recipients", recipients}};
}

/// Only what was tried before: the rest is on its way, or held back at its sender's wish (RFC 4865).
base::Result<std::vector<base::MessageId>> find_deferred(spool::Spool& spool, const std::string& domain, std::size_t limit) {
    const auto waits = [&](const auto& entry) {
        const auto& [index, recipient] = entry;
        return recipient.state.attempts > 0 && !spool::is_final(recipient.state.standing) &&
               recipient.state.standing != spool::Standing::held && recipient.mailbox.domain.text() == domain;
    };
    std::vector<base::MessageId> found;
    base::MessageId after{};
    while (true) {
        const auto page = spool.list(after, kPage);
        if (!page) return std::unexpected(page.error());
        for (const auto& message : *page) {
            if (found.size() == limit) return found;
            if (std::ranges::any_of(message.recipients, waits)) found.push_back(message.id);
        }
        if (page->size() < kPage) return found;
        after = page->back().id;
    }
}

boost::asio::awaitable<ControlResult> async_queue_change(delivery::Dispatcher& dispatcher, json::object request) {
    const auto change = parse_change(text_of(request, "change"));
    if (!change) co_return std::unexpected(change.error());
    std::vector<base::MessageId> ids;
    if (const auto* list = request.if_contains("ids"); list && list->is_array())
        for (const auto& entry : list->as_array()) {
            const auto id = base::parse_message_id(entry.is_string() ? std::string_view(entry.as_string()) : std::string_view());
            if (!id) co_return std::unexpected(id.error());
            ids.push_back(*id);
        }
    co_return co_await boost::asio::co_spawn(dispatcher.home(), async_change_all(dispatcher, std::move(ids), *change),
                                             boost::asio::use_awaitable);
}

json::value render_sites(const std::vector<queue::SiteView>& sites) {
    json::array result;
    for (const auto& site : sites) {
        json::object entry{
            {"site", site.site}, {"ready", site.ready}, {"running", site.running}, {"connections", site.in_use}, {"allowed", site.allowed}};
        if (site.resting_until) entry["resting_until"] = mail::render_timestamp(*site.resting_until);
        result.push_back(std::move(entry));
    }
    return result;
}

}  // namespace

QueueFilter read_filter(const json::object& request) {
    QueueFilter filter{.from = text_of(request, "from"),
                       .to = text_of(request, "to"),
                       .site = text_of(request, "site"),
                       .login = text_of(request, "login")};
    if (request.contains("held")) filter.which = QueueFilter::Which::held;
    if (const auto* limit = request.if_contains("limit")) {
        boost::system::error_code error;
        const auto number = limit->to_number<std::size_t>(error);
        if (!error) filter.limit = number;
    }
    return filter;
}

void write_filter(const QueueFilter& filter, json::object& request) {
    request["from"] = filter.from;
    request["to"] = filter.to;
    request["site"] = filter.site;
    if (!filter.login.empty()) request["login"] = filter.login;
    request["limit"] = filter.limit;
    if (filter.which == QueueFilter::Which::held) request["held"] = true;
}

delivery::Waiting why_at_rest(base::MessageId, std::uint32_t, const spool::RecipientState& state) {
    if (state.standing == spool::Standing::held) return {spool::why_held(state), std::nullopt};
    if (state.standing == spool::Standing::in_doubt) return {"in doubt: the server ended while its final dot was under way", std::nullopt};
    return {state.last_status.empty() ? "waiting for the server to run" : "deferred: " + state.last_status, state.due};
}

ControlResult list_queue(spool::Spool& spool, const QueueFilter& filter, const WhyFunction& why) {
    json::array result;
    base::MessageId after{};
    while (result.size() < filter.limit) {
        const auto page = spool.list(after, kPage);
        if (!page) return std::unexpected(page.error());
        for (const auto& message : *page) {
            if (!matches(message, filter) || result.size() >= filter.limit || !is_of_login(spool, message.id, filter)) continue;
            auto entry = render_message(message.id, message.sender, message.size);
            json::array recipients;
            for (const auto& [index, recipient] : message.recipients)
                recipients.push_back(render_recipient(message.id, index, recipient, why));
            entry["recipients"] = std::move(recipients);
            result.push_back(std::move(entry));
        }
        if (page->size() < kPage) break;
        after = page->back().id;
    }
    return result;
}

ControlResult show_message(spool::Spool& spool, base::MessageId id, const WhyFunction& why) {
    const auto message = spool.load(id);
    if (!message) return std::unexpected(message.error());
    auto result = render_message(id, message->envelope.sender, message->content->size());
    result["login"] = message->envelope.login;
    result["client"] = message->envelope.client;
    json::array recipients;
    for (std::uint32_t index = 0; index < message->envelope.recipients.size(); ++index)
        recipients.push_back(render_recipient(id, index, message->envelope.recipients[index], why));
    result["recipients"] = std::move(recipients);
    return result;
}

json::value render_stats(const spool::SpoolStats& stats) {
    return json::object{{"messages", stats.messages},       {"segments", stats.segments}, {"disk_octets", stats.disk_octets},
                        {"free_octets", stats.free_octets}, {"commits", stats.commits},   {"syncs", stats.syncs}};
}

boost::asio::awaitable<base::Result<std::size_t>> async_retry_domain(spool::Spool& spool, delivery::Dispatcher& dispatcher,
                                                                     net::BlockingPool& pool, std::string domain) {
    constexpr std::size_t kMost = 10000;
    auto ids = co_await pool.async_run([&] { return find_deferred(spool, domain, kMost); });
    if (!ids) co_return base::pass_on(ids);
    const auto found = ids->size();
    const auto changed = co_await boost::asio::co_spawn(
        dispatcher.home(), async_change_all(dispatcher, *std::move(ids), delivery::Change::retry), boost::asio::use_awaitable);
    if (!changed && found == 1 && changed.error().kind != base::ErrorKind::not_found) co_return std::unexpected(changed.error());
    co_return changed ? changed->at("messages").to_number<std::size_t>() : 0;
}

base::Result<delivery::Change> parse_change(std::string_view name) {
    if (name == "retry") return delivery::Change::retry;
    if (name == "hold") return delivery::Change::hold;
    if (name == "release") return delivery::Change::release;
    if (name == "delete") return delivery::Change::remove;
    return base::fail(base::ErrorKind::syntax, fmt::format("\"{}\" is no change: retry, hold, release or delete", name));
}

namespace {

/// Reasons come from the dispatcher's own executor, the spool is read on the pool: so states first, then the reasons for them.
boost::asio::awaitable<ControlResult> async_with_reasons(delivery::Dispatcher& dispatcher, net::BlockingPool& pool,
                                                         std::function<ControlResult(const WhyFunction&)> read) {
    struct Asked {
        base::MessageId id;
        std::uint32_t index;
        spool::RecipientState state;
    };
    std::vector<Asked> asked;
    auto first = co_await pool.async_run([&read, &asked] {
        return read([&asked](base::MessageId id, std::uint32_t index, const spool::RecipientState& state) {
            asked.push_back({id, index, state});
            return delivery::Waiting{std::to_string(asked.size() - 1), std::nullopt};
        });
    });
    if (!first) co_return first;
    auto fill = [](delivery::Dispatcher& hub, std::vector<Asked> questions) -> boost::asio::awaitable<std::vector<delivery::Waiting>> {
        std::vector<delivery::Waiting> reasons;
        for (const auto& [id, index, state] : questions) reasons.push_back(hub.why(id, index, state));
        co_return reasons;
    };
    const auto reasons = co_await boost::asio::co_spawn(dispatcher.home(), fill(dispatcher, std::move(asked)), boost::asio::use_awaitable);
    const auto put = [&reasons](json::object& message) {
        for (auto& entry : message["recipients"].as_array()) {
            auto& recipient = entry.as_object();
            const auto* number = recipient.if_contains("reason");
            if (!number) continue;
            const auto& waiting = reasons[std::stoul(std::string(number->as_string()))];
            recipient["reason"] = waiting.reason;
            if (waiting.until) recipient["until"] = mail::render_timestamp(*waiting.until);
        }
    };
    if (first->is_object())
        put(first->as_object());
    else
        for (auto& message : first->as_array()) put(message.as_object());
    co_return first;
}

boost::asio::awaitable<ControlResult> async_stats(spool::Spool& spool, delivery::Dispatcher& dispatcher, net::BlockingPool& pool) {
    auto stats = co_await pool.async_run([&spool] { return render_stats(spool.stats()); });
    auto ask = [](delivery::Dispatcher& hub) -> boost::asio::awaitable<std::pair<json::value, std::size_t>> {
        co_return std::pair{render_sites(hub.sites()), hub.active()};
    };
    auto [sites, active] = co_await boost::asio::co_spawn(dispatcher.home(), ask(dispatcher), boost::asio::use_awaitable);
    stats.as_object()["sites"] = std::move(sites);
    stats.as_object()["active_messages"] = active;
    co_return stats;
}

}  // namespace

std::map<std::string, ControlHandler> queue_handlers(spool::Spool& spool, delivery::Dispatcher& dispatcher, net::BlockingPool& pool) {
    std::map<std::string, ControlHandler> handlers;
    handlers["queue.list"] = [&](json::object request) {
        return async_with_reasons(
            dispatcher, pool, [&spool, filter = read_filter(request)](const WhyFunction& why) { return list_queue(spool, filter, why); });
    };
    handlers["queue.show"] = [&](json::object request) {
        return async_with_reasons(dispatcher, pool, [&spool, text = text_of(request, "id")](const WhyFunction& why) -> ControlResult {
            const auto id = base::parse_message_id(text);
            if (!id) return std::unexpected(id.error());
            return show_message(spool, *id, why);
        });
    };
    handlers["queue.change"] = [&](json::object request) { return async_queue_change(dispatcher, std::move(request)); };
    handlers["queue.stats"] = [&](json::object) { return async_stats(spool, dispatcher, pool); };
    return handlers;
}

}  // namespace thurn::admin
