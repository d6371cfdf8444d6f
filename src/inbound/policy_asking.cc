#include "inbound/policy_asking.h"

#include "inbound/dial.h"
#include "policy/delegation.h"
#include "policy/web_hook.h"

#include <array>
#include <utility>

#include <fmt/format.h>

namespace thurn::inbound {

using net::asio::awaitable;
using policy::Advice;

namespace {

struct Heard {
    base::Result<Advice> advice;
    bool silent = false;  // not an octet came
};

awaitable<Heard> async_hear(net::Stream& stream, net::Deadline deadline) {
    std::string heard;
    std::array<char, 1024> input;
    while (true) {
        const auto count = co_await stream.async_read(input, deadline);
        if (!count) co_return Heard{std::unexpected(count.error()), heard.empty()};
        heard.append(input.data(), *count);
        auto reply = policy::parse_delegation_reply(heard);
        if (!reply) co_return Heard{base::pass_on(reply)};
        if (*reply) co_return Heard{**std::move(reply)};
    }
}

awaitable<Heard> async_delegate(net::Stream& stream, const std::string& request, net::Deadline deadline) {
    if (auto sent = co_await stream.async_write(std::string_view(request), deadline); !sent)
        co_return Heard{base::pass_on(sent), sent.error().kind == base::ErrorKind::peer_gone};
    co_return co_await async_hear(stream, deadline);
}

awaitable<base::Result<Advice>> async_delegate(const PolicyServerOptions& server, const policy::Question& question, net::Resolver* resolver,
                                               IdleConnections& idle) {
    const auto deadline = net::within(server.time_limit);
    const auto request = policy::render_delegation_request(question, server.context);
    const auto place = "policy " + render_milter_socket(server.socket);
    auto stream = co_await idle.async_take(place);
    bool kept = stream.has_value();
    while (true) {
        if (!stream) {
            auto dialled = co_await async_dial(server.socket, resolver, deadline);
            if (!dialled) co_return base::pass_on(dialled);
            stream.emplace(*std::move(dialled));
        }
        auto heard = co_await async_delegate(*stream, request, deadline);
        const bool dead = !heard.advice && heard.silent && heard.advice.error().kind == base::ErrorKind::peer_gone;
        if (dead && std::exchange(kept, false)) {
            stream.reset();
            continue;
        }
        if (heard.advice) idle.give_back(place, *std::move(stream));
        co_return std::move(heard.advice);
    }
}

awaitable<base::Result<Advice>> async_ask_hook(const PolicyServerOptions& server, const policy::Question& question, net::Resolver* resolver,
                                               IdleConnections& idle) {
    const WebQuestion web{.address = *server.url,
                          .body = policy::render_hook_question(question),
                          .type = "application/json",
                          .authorization = server.authorization,
                          .tls = server.tls,
                          .most = policy::kMostOfAHookAnswer};
    const auto reply = co_await async_ask_web(web, resolver, idle, net::within(server.time_limit));
    if (!reply) co_return std::unexpected(reply.error());
    if (reply->status != 200)
        co_return base::fail(base::ErrorKind::refused, fmt::format("it answered with the HTTP status {}", reply->status));
    co_return policy::parse_hook_answer(reply->body);
}

}  // namespace

awaitable<base::Result<Advice>> async_ask_policy_server(const PolicyServerOptions& server, const policy::Question& question,
                                                        net::Resolver* resolver, IdleConnections& idle) {
    return server.url ? async_ask_hook(server, question, resolver, idle) : async_delegate(server, question, resolver, idle);
}

}  // namespace thurn::inbound
