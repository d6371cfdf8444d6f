// Whom the connection is for, when it is not who connected: a load balancer tells it by the PROXY protocol before anything else, a mail proxy
// by XCLIENT between commands. Both are believed only where the listener names their addresses, and then wholly: limits, relay rights and the
// reverse name are those of the client they tell of. XFORWARD is but a note for log and trace.
#include "directory/resolve.h"
#include "inbound/client_network.h"
#include "inbound/conversation.h"
#include "net/endpoint.h"

#include <utility>

#include <fmt/format.h>

namespace thurn::inbound {

using net::asio::awaitable;
using Name = smtp::ProxyAttribute::Name;

namespace {

constexpr std::chrono::seconds kProxyHeaderTimeout{10};

/// The value, where one is given.
std::string given(const smtp::XclientGiven& told, Name name) {
    const auto* attribute = smtp::find_attribute(told.attributes, name);
    return attribute ? attribute->value : std::string();
}

}  // namespace

/// False when it ends here: who is listed must send the header, or we would take the load balancer for the client.
awaitable<bool> Conversation::async_take_proxy_header() {
    const auto header = co_await async_read_proxy_header();
    if (!header) {
        log_.warning("proxy_refused", {.rule = "listener.proxy_protocol_from", .reason = header.error().detail});
        co_return false;
    }
    if (!header->ends) co_return true;
    through_ = fmt::format("{} by PROXY", net::render_endpoint(stream_.peer()));
    client_.address = client_address(header->ends->source.address());
    note_address();
    client_.port = header->ends->source.port();
    speaker_ = client_.address;
    session_ = smtp::ServerSession(session_options());
    co_return true;
}

/// Takes the header and not one octet more: what follows may be TLS, which reads for itself.
awaitable<base::Result<net::ProxyHeader>> Conversation::async_read_proxy_header() {
    const auto deadline = net::within(kProxyHeaderTimeout);
    const auto buffer = read_buffer_.first(net::kLongestProxyHeader);
    std::string header;
    while (true) {
        reading_ = true;
        const auto peeked = co_await stream_.async_peek(buffer, deadline);
        reading_ = false;
        if (!peeked) co_return std::unexpected(peeked.error());
        const auto before = header.size();
        header.append(buffer.data(), *peeked);
        auto parsed = net::parse_proxy_header(header);
        if (!parsed) co_return base::pass_on(parsed);
        const auto ours = *parsed ? (*parsed)->size - before : *peeked;
        const auto taken = co_await stream_.async_read(buffer.first(ours), deadline);
        if (!taken) co_return std::unexpected(taken.error());
        if (*taken != ours) co_return base::fail(base::ErrorKind::peer_gone, "the header went away");
        if (*parsed) co_return **parsed;
    }
}

/// From here on it is as if that client had just connected. What is not told is not known, but for the address: without one it stays.
awaitable<void> Conversation::async_become(smtp::XclientGiven told) {
    const auto* address = smtp::find_attribute(told.attributes, Name::addr);
    if (address) client_.address = address->value.empty() ? "unknown" : address->value;
    note_address();
    if (const auto port = given(told, Name::port); !port.empty()) client_.port = static_cast<std::uint16_t>(std::stoul(port));
    client_.name = given(told, Name::name);
    client_.helo = given(told, Name::helo);
    client_.login = directory::fold_address(given(told, Name::login));
    if (client_.tls.ends_with(kCertificateVerified)) client_.tls.resize(client_.tls.size() - kCertificateVerified.size());  // the proxy's
    through_ = fmt::format("{} by XCLIENT", net::render_endpoint(stream_.peer()));
    end_transaction();
    facts_ = policy::FactSheet();
    so_far_ = {};
    helo_.clear();
    milters_.reset();  // they were told of another client
    with_.log.info("xclient", {{"session", client_.session},
                               {"client", client_.address},
                               {"proxy", through_},
                               {"listener", client_.listener},
                               {"name", client_.name},
                               {"helo", client_.helo},
                               {"login", client_.login}});
    if (!may_connect()) {
        const auto reply = smtp::make_reply(421, {4, 7, 1}, "this client may not connect here");
        log_.warning("connection_refused", {.reason = "listener.networks", .reply = &reply});
        session_.answer(reply);
        co_return;
    }
    if (const auto ban = find_ban()) {
        log_.warning("connection_refused", {.reason = ban->rule, .reply = &ban->reply});
        session_.answer(smtp::make_reply(421, {4, 7, 0}, "this client is turned away for now"));
        co_return;
    }
    leave_limits();
    if (enter_limits() != ConnectionLimits::Verdict::welcome) {
        const auto reply = smtp::make_reply(421, {4, 7, 0}, "too many connections from this address, try again later");
        log_.warning("connection_refused", {.reason = "limits.connections_per_ip", .reply = &reply});
        session_.answer(reply);
        co_return;
    }
    session_.offer(extensions());
    if (const auto refusal = co_await async_rule_connection())
        session_.answer(smtp::make_reply(421, {4, 7, 1}, refusal->text));  // which closes: nobody goes on as a client that was refused
    else
        session_.accept();
    if (!smtp::find_attribute(told.attributes, Name::name)) look_up_name();
}

void Conversation::take_forwarded(const smtp::XforwardGiven& told) {
    add_to(forwarded_, told.attributes);
    session_.accept();
}

}  // namespace thurn::inbound
