#include "net/dns_servers.h"

#include "net/endpoint.h"

#include <fmt/format.h>

namespace thurn::net {

namespace {

constexpr std::uint16_t kDnsPort = 53;
constexpr std::string_view kSpace = " \t\r";

std::string_view take_line(std::string_view& text) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    return line;
}

std::string_view take_word(std::string_view& line) {
    line.remove_prefix(std::min(line.find_first_not_of(kSpace), line.size()));
    const std::string_view word = line.substr(0, line.find_first_of(kSpace));
    line.remove_prefix(word.size());
    return word;
}

}  // namespace

base::Result<std::string> parse_dns_server(std::string_view text) {
    auto endpoint = parse_endpoint(text, kDnsPort);
    if (!endpoint || endpoint->address().is_unspecified() || endpoint->port() == 0) {
        return base::fail(base::ErrorKind::syntax, fmt::format("\"{}\" is no DNS server: expected an address, perhaps with a port", text));
    }
    return fmt::format("{}@{}", endpoint->address().to_string(), endpoint->port());
}

std::vector<std::string> parse_resolv_conf(std::string_view text) {
    std::vector<std::string> servers;
    while (!text.empty()) {
        std::string_view line = take_line(text);
        if (take_word(line) != "nameserver") continue;
        if (auto server = parse_dns_server(take_word(line))) servers.push_back(*std::move(server));
    }
    if (servers.empty()) servers.emplace_back("127.0.0.1@53");
    return servers;
}

}  // namespace thurn::net
