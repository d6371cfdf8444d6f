#include "admin/control_server.h"

#include "mail/charset.h"

#include <memory>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>
#include <sys/stat.h>

namespace thurn::admin {

namespace asio = boost::asio;
namespace json = boost::json;
using Protocol = asio::local::stream_protocol;

namespace {

constexpr std::size_t kLongestRequest = 1 << 20;
constexpr std::size_t kLongestAnswer = std::size_t{1} << 30;
constexpr std::chrono::seconds kRequestTimeout{10};
constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

json::object render_error(const base::Error& error) {
    return {{"error", json::object{{"kind", static_cast<int>(error.kind)}, {"detail", error.detail}}}};
}

bool someone_answers(const std::filesystem::path& path) {
    asio::io_context loop;
    Protocol::socket probe(loop);
    boost::system::error_code error;
    probe.connect(Protocol::endpoint(path.string()), error);
    return !error;
}

}  // namespace

ControlServer::ControlServer(asio::io_context& loop, std::map<std::string, ControlHandler> handlers, base::Log& log)
    : loop_(loop), handlers_(std::move(handlers)), log_(log), acceptor_(loop) {}

base::Result<void> ControlServer::listen(const std::filesystem::path& socket) {
    if (socket.string().size() > 100)
        return base::fail(base::ErrorKind::too_long, fmt::format("{}: too long for a socket's path", socket.string()));
    if (someone_answers(socket))
        return base::fail(base::ErrorKind::exists, fmt::format("{}: another thurn is running there", socket.string()));
    std::error_code ignored;
    std::filesystem::remove(socket, ignored);
    boost::system::error_code error;
    acceptor_.open(Protocol(), error);
    const auto old_mask = ::umask(0177);
    if (!error) acceptor_.bind(Protocol::endpoint(socket.string()), error);
    ::umask(old_mask);
    if (!error) acceptor_.listen(64, error);
    if (error) return base::fail(base::ErrorKind::refused, fmt::format("{}: {}", socket.string(), error.message()));
    path_ = socket;
    asio::co_spawn(loop_, async_accept_for_ever(), asio::detached);
    return {};
}

void ControlServer::close() {
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    std::error_code gone;
    if (!path_.empty()) std::filesystem::remove(path_, gone);
}

asio::awaitable<void> ControlServer::async_accept_for_ever() {
    while (acceptor_.is_open()) {
        auto [error, peer] = co_await acceptor_.async_accept(as_result);
        if (!error) {
            asio::co_spawn(loop_, async_answer(std::move(peer)), asio::detached);
            continue;
        }
        if (error == asio::error::operation_aborted) co_return;
        log_.warning("control_accept_failed", {{"reason", error.message()}});
        asio::steady_timer pause(loop_, std::chrono::milliseconds(100));  // out of descriptors: do not spin
        co_await pause.async_wait(as_result);
    }
}

asio::awaitable<void> ControlServer::async_answer(Protocol::socket socket) {
    // Shared with the watchdog, whose handler may be on its way when this ends.
    const auto peer = std::make_shared<Protocol::socket>(std::move(socket));
    asio::steady_timer watchdog(loop_);
    const auto watch = [&watchdog, &peer] {
        watchdog.expires_after(kRequestTimeout);
        watchdog.async_wait([peer](boost::system::error_code error) {
            if (!error) peer->cancel(error);
        });
    };
    watch();
    std::string request;
    const auto [error, size] = co_await asio::async_read_until(*peer, asio::dynamic_buffer(request, kLongestRequest), '\n', as_result);
    watchdog.cancel();
    if (error) co_return;
    request.resize(size);
    const auto response = co_await async_respond(std::move(request));
    watch();
    co_await asio::async_write(*peer, asio::buffer(response), as_result);
}

asio::awaitable<std::string> ControlServer::async_respond(std::string request) {
    const auto result = co_await async_handle(std::move(request));
    const json::object response = result ? json::object{{"result", *result}} : render_error(result.error());
    co_return mail::to_utf8("", json::serialize(response)) + "\n";  // texts of strangers, cut anywhere, are among it
}

asio::awaitable<ControlResult> ControlServer::async_handle(std::string request) {
    boost::system::error_code error;
    const auto parsed = json::parse(request, error);
    const auto* object = error ? nullptr : parsed.if_object();
    const auto* command = object ? object->if_contains("command") : nullptr;
    const auto handler = command && command->is_string() ? handlers_.find(std::string(command->as_string())) : handlers_.end();
    if (handler == handlers_.end()) co_return base::fail(base::ErrorKind::syntax, "no such command");
    try {
        co_return co_await handler->second(*object);
    } catch (const std::exception& bug) {
        log_.error("control_failed", {{"command", handler->first}, {"reason", bug.what()}});
        co_return base::fail(base::ErrorKind::invalid, fmt::format("internal error: {}", bug.what()));
    }
}

ControlResult ask_server(const std::filesystem::path& socket, const json::object& request) {
    asio::io_context loop;
    Protocol::socket server(loop);
    boost::system::error_code error;
    server.connect(Protocol::endpoint(socket.string()), error);
    if (error == boost::system::errc::permission_denied)
        return base::fail(base::ErrorKind::refused,
                          fmt::format("{}: {}; only root and the server's own user may", socket.string(), error.message()));
    if (error) return base::fail(base::ErrorKind::peer_gone, fmt::format("{}: no running server ({})", socket.string(), error.message()));
    asio::write(server, asio::buffer(json::serialize(request) + "\n"), error);
    std::string answer;
    if (!error) asio::read_until(server, asio::dynamic_buffer(answer, kLongestAnswer), '\n', error);
    if (error)
        return base::fail(base::ErrorKind::peer_gone,
                          fmt::format("{}: the server closed without an answer ({})", socket.string(), error.message()));
    auto parsed = json::parse(answer, error);
    if (error || !parsed.is_object())
        return base::fail(base::ErrorKind::corrupt, fmt::format("{}: the answer cannot be read", socket.string()));
    auto& object = parsed.as_object();
    if (const auto* trouble = object.if_contains("error"))
        return base::fail(static_cast<base::ErrorKind>(trouble->at("kind").to_number<int>()),
                          std::string(trouble->at("detail").as_string()));
    return std::move(object["result"]);
}

}  // namespace thurn::admin
