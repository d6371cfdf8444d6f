#pragma once

#include "base/log.h"
#include "base/result.h"

#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

namespace thurn::admin {

/// What a command answers; an error's detail is shown to the operator.
using ControlResult = base::Result<boost::json::value>;
using ControlHandler = std::function<boost::asio::awaitable<ControlResult>(boost::json::object request)>;

/// Listens on a Unix socket for the command line of the same machine.
///
/// Protocol  One line of JSON each way: `{"command": "queue.list", …}` → `{"result": …}` or `{"error": {"kind": …, "detail": …}}`; then the
///           connection is closed.
/// Safety    The socket is 0600: whoever may connect owns the data folder anyway. A request has at most 1 MiB and 10 seconds to arrive.
/// Threads   Its loop.
class ControlServer {
public:
    ControlServer(boost::asio::io_context& loop, std::map<std::string, ControlHandler> handlers, base::Log& log);
    /// Replaces a socket nobody answers on.
    /// Errors  `exists`: another server is running there; `refused`.
    [[nodiscard]] base::Result<void> listen(const std::filesystem::path& socket);
    void close();

private:
    boost::asio::awaitable<void> async_accept_for_ever();
    boost::asio::awaitable<void> async_answer(boost::asio::local::stream_protocol::socket socket);
    boost::asio::awaitable<std::string> async_respond(std::string request);
    boost::asio::awaitable<ControlResult> async_handle(std::string request);

    boost::asio::io_context& loop_;
    std::map<std::string, ControlHandler> handlers_;
    base::Log& log_;
    boost::asio::local::stream_protocol::acceptor acceptor_;
    std::filesystem::path path_;
};

/// One command to the running server. Blocks; for the command line.
/// Errors   `peer_gone`: no server there. `refused`: the socket is another user's. What the handler said otherwise, with its kind.
[[nodiscard]] ControlResult ask_server(const std::filesystem::path& socket, const boost::json::object& request);

}  // namespace thurn::admin
