// Whatever a proxy answers, and however it is cut: the same end, and the octets behind the last word are the target's, whole and in order.
#include "net/proxy_client.h"
#include "require.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace {

using thurn::fuzz::require;
using thurn::net::ProxyClient;
using State = ProxyClient::State;

struct End {
    State state;
    std::string said;
    std::string rest;
    std::string error;
};

End run(ProxyClient& client, std::string_view octets, std::size_t step) {
    End end{.state = State::talking, .said = client.take_output(), .rest = {}, .error = {}};
    while (!octets.empty() && client.state() == State::talking) {
        client.receive(octets.substr(0, step));
        octets.remove_prefix(std::min(step, octets.size()));
        end.said += client.take_output();
    }
    end.state = client.state();
    end.error = client.error().detail;
    if (end.state == State::connected) end.rest = client.take_rest() + std::string(octets);
    return end;
}

template <class Make>
void check(Make make, std::string_view octets) {
    const auto at_once = run(*make(), octets, octets.size() + 1);
    const auto in_pieces = run(*make(), octets, 1);
    require(at_once.state == in_pieces.state, "the same end for every split");
    require(at_once.said == in_pieces.said, "the same words for every split");
    require(at_once.rest == in_pieces.rest, "the same rest for every split");
    require(at_once.error == in_pieces.error, "the same error for every split");
    require((at_once.state == State::failed) == !at_once.error.empty(), "a failure has words");
    require(at_once.rest.empty() || octets.ends_with(at_once.rest), "the rest is the end of the input");
    for (const char octet : at_once.error) require(octet >= ' ' && octet <= '~', "words are printable");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view octets(reinterpret_cast<const char*>(data + 1), size - 1);
    const boost::asio::ip::tcp::endpoint target(boost::asio::ip::make_address((data[0] & 2) != 0 ? "2001:db8::1" : "192.0.2.1"), 25);
    const auto login = (data[0] & 4) != 0 ? std::optional(thurn::net::ProxyLogin{"anna", "secret"}) : std::nullopt;
    if ((data[0] & 1) != 0)
        check([&] { return thurn::net::make_socks5_client(target, login); }, octets);
    else
        check([&] { return thurn::net::make_http_connect_client(target, login); }, octets);
    return 0;
}
