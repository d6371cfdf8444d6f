// Beast's HTTP without its I/O: it reads and renders, the octets go over a net::Stream with its time limits. The only source that includes it.
#include "inbound/web_client.h"

#include "base/ascii.h"
#include "inbound/dial.h"
#include "net/host_name.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include <boost/asio/ip/address.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <fmt/format.h>

namespace thurn::inbound {

using net::asio::awaitable;
namespace http = boost::beast::http;

namespace {

std::unexpected<base::Error> bad(std::string_view url, std::string_view what) {
    return base::fail(base::ErrorKind::syntax, fmt::format("\"{}\" {}", url, what));
}

bool is_address(const std::string& text) {
    boost::system::error_code none;
    boost::asio::ip::make_address(text, none);
    return !none;
}

bool is_port(std::string_view digits, std::uint16_t& port) {
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    return error == std::errc() && end == digits.data() + digits.size() && port != 0;
}

std::string authority_of(const WebAddress& address) {
    const bool v6 = address.host.find(':') != std::string::npos;
    return v6 ? fmt::format("[{}]:{}", address.host, address.port) : fmt::format("{}:{}", address.host, address.port);
}

std::string render_request(const WebQuestion& question) {
    auto head = fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: thurn\r\nAccept: application/json, */*;q=0.5\r\n",
                            question.body.empty() ? "GET" : "POST", question.address.target, authority_of(question.address));
    if (!question.authorization.empty()) head += fmt::format("Authorization: {}\r\n", question.authorization);
    if (!question.body.empty()) head += fmt::format("Content-Type: {}\r\nContent-Length: {}\r\n", question.type, question.body.size());
    return head + "\r\n" + question.body;
}

/// Whether the connection can be used again, and whether it was dead from the start.
struct Told {
    base::Result<WebReply> reply;
    bool reusable = false;
    bool silent = false;  // not an octet came
};

constexpr std::size_t kMostUnparsed = 64 * 1024;  // a head, or what is between two chunks; the body's limit does not count it

base::Error no_http(const boost::system::error_code& error) {
    if (error == http::error::body_limit) return {base::ErrorKind::too_long, "its answer is too long"};
    return {base::ErrorKind::syntax, fmt::format("its answer is no HTTP: {}", error.message())};
}

class ReplyReader {
public:
    explicit ReplyReader(std::size_t most) {
        parser_.eager(true);
        parser_.body_limit(most);
    }
    /// False: more is wanted.
    base::Result<bool> feed(std::string_view octets) {
        kept_ += octets;
        while (!kept_.empty() && !parser_.is_done()) {
            boost::system::error_code error;
            const auto used = parser_.put(net::asio::buffer(kept_), error);
            kept_.erase(0, used);
            if (error == http::error::need_more) break;
            if (error) return std::unexpected(no_http(error));
            if (used == 0) break;
        }
        if (kept_.size() > kMostUnparsed) return std::unexpected(no_http(http::error::body_limit));
        return parser_.is_done();
    }
    base::Result<bool> end() {
        boost::system::error_code error;
        parser_.put_eof(error);
        if (error) return base::fail(base::ErrorKind::peer_gone, "it left in the middle of its answer");
        return parser_.is_done();
    }
    [[nodiscard]] Told take() {
        auto& answer = parser_.get();
        return {.reply = WebReply{answer.result_int(), std::move(answer.body())}, .reusable = answer.keep_alive() && kept_.empty()};
    }

private:
    http::response_parser<http::string_body> parser_;
    std::string kept_;  // not parsed yet
};

awaitable<Told> async_converse(net::Stream& stream, const WebQuestion& question, net::Deadline deadline) {
    const auto request = render_request(question);
    if (auto sent = co_await stream.async_write(std::string_view(request), deadline); !sent)
        co_return Told{.reply = base::pass_on(sent), .silent = true};
    ReplyReader reader(question.most);
    bool silent = true;
    std::array<char, 8192> input;
    while (true) {
        const auto count = co_await stream.async_read(input, deadline);
        if (!count && (silent || count.error().kind != base::ErrorKind::peer_gone))
            co_return Told{.reply = std::unexpected(count.error()), .silent = silent};
        silent = false;
        auto done = count ? reader.feed({input.data(), *count}) : reader.end();
        if (!done) co_return Told{.reply = base::pass_on(done)};
        if (*done) {
            auto told = reader.take();
            told.reusable = told.reusable && count.has_value();
            co_return told;
        }
    }
}

awaitable<base::Result<net::Stream>> async_open(const WebQuestion& question, net::Resolver* resolver, net::Deadline deadline) {
    const auto& address = question.address;
    auto stream = co_await async_dial({.path = {}, .host = address.host, .port = address.port}, resolver, deadline);
    if (!stream || !address.tls) co_return stream;
    if (!question.tls) co_return base::fail(base::ErrorKind::invalid, "there is no TLS to ask https with");
    if (auto secure = co_await stream->async_connect_tls(question.tls, address.host, deadline); !secure) co_return base::pass_on(secure);
    co_return stream;
}

}  // namespace

base::Result<WebAddress> parse_web_address(std::string_view url) {
    WebAddress address;
    address.tls = url.starts_with("https://");
    if (!address.tls && !url.starts_with("http://")) return bad(url, "is no web address; write \"http://host:port/path\" or https");
    if (!std::ranges::all_of(url, [](char c) { return c > ' ' && c <= '~'; })) return bad(url, "has octets that belong in no URL");
    auto rest = url.substr(address.tls ? 8 : 7);
    auto authority = rest.substr(0, rest.find_first_of("/?#"));
    rest.remove_prefix(authority.size());
    if (authority.contains('@')) return bad(url, "names a user; give `authorization` instead");
    if (rest.contains('#')) return bad(url, "has a fragment, which no server sees");
    address.target = rest.starts_with('/') ? std::string(rest) : "/" + std::string(rest);
    address.port = address.tls ? 443 : 80;
    const auto bracket = authority.rfind(']');
    const auto colon = authority.rfind(':');
    if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
        if (!is_port(authority.substr(colon + 1), address.port)) return bad(url, "has a port that is none");
        authority = authority.substr(0, colon);
    }
    if (authority.starts_with('[') && authority.ends_with(']')) authority = authority.substr(1, authority.size() - 2);
    address.host = std::string(authority);
    if (!is_address(address.host) && !net::is_host_name(address.host)) return bad(url, "names a host that can be none");
    return address;
}

std::string render_web_address(const WebAddress& address) {
    return fmt::format("{}://{}{}", address.tls ? "https" : "http", authority_of(address), address.target);
}

awaitable<base::Result<WebReply>> async_ask_web(const WebQuestion& question, net::Resolver* resolver, IdleConnections& idle,
                                                net::Deadline deadline) {
    const auto trust = question.address.tls ? question.tls.get() : nullptr;  // who trusts others shares no connection
    const auto place = fmt::format("http {} {}", authority_of(question.address), fmt::ptr(trust));
    auto stream = co_await idle.async_take(place);
    bool kept = stream.has_value();
    while (true) {
        if (!stream) {
            auto opened = co_await async_open(question, resolver, deadline);
            if (!opened) co_return base::pass_on(opened);
            stream.emplace(*std::move(opened));
        }
        auto told = co_await async_converse(*stream, question, deadline);
        const bool dead = !told.reply && told.silent && told.reply.error().kind == base::ErrorKind::peer_gone;
        if (dead && std::exchange(kept, false)) {  // it was closed while nobody looked
            stream.reset();
            continue;
        }
        if (told.reply && told.reusable) idle.give_back(place, *std::move(stream));
        co_return std::move(told.reply);
    }
}

}  // namespace thurn::inbound
