#include "scan/spamd.h"

#include "base/ascii.h"

#include <charconv>
#include <cmath>

#include <fmt/format.h>

namespace thurn::scan {

namespace {

using base::ErrorKind;
using base::fail;

constexpr std::size_t kMostRules = 100;
constexpr std::string_view kEndOfHeader = "\r\n\r\n";

struct ReplyHeader {
    std::optional<SpamVerdict> verdict;
    std::optional<std::size_t> length;  // of what follows
};

std::unexpected<base::Error> bad(std::string_view what, std::string_view line) {
    return fail(ErrorKind::syntax, fmt::format("no reply of spamd's: {}: {}", what, cleaned_name(line)));
}

std::string_view trim(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) text.remove_suffix(1);
    return text;
}

template <class Number>
std::optional<Number> number_in(std::string_view text) {
    text = trim(text);
    Number number{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return number;
}

/// `SPAMD/1.1 0 EX_OK`.
base::Result<void> check_status(std::string_view line) {
    if (!line.starts_with("SPAMD/")) return bad("its first line", line);
    const auto code = line.find(' ');
    if (code == std::string_view::npos) return bad("its first line", line);
    const auto rest = line.substr(code + 1);
    const auto number = number_in<int>(rest.substr(0, rest.find(' ')));
    if (!number) return bad("its first line", line);
    if (*number != 0) return fail(ErrorKind::refused, fmt::format("spamd says: {}", cleaned_name(rest)));
    return {};
}

/// `True ; 1000.0 / 5.0`.
std::optional<SpamVerdict> parse_verdict(std::string_view value) {
    const auto semicolon = value.find(';'), slash = value.find('/');
    if (semicolon == std::string_view::npos || slash == std::string_view::npos || slash < semicolon) return std::nullopt;
    const auto said = trim(value.substr(0, semicolon));
    const bool yes = base::equal_ignoring_case(said, "True") || base::equal_ignoring_case(said, "Yes");
    if (!yes && !base::equal_ignoring_case(said, "False") && !base::equal_ignoring_case(said, "No")) return std::nullopt;
    const auto score = number_in<double>(value.substr(semicolon + 1, slash - semicolon - 1));
    const auto threshold = number_in<double>(value.substr(slash + 1));
    if (!score || !threshold || !std::isfinite(*score) || !std::isfinite(*threshold)) return std::nullopt;
    return SpamVerdict{.spam = yes, .score = *score, .threshold = *threshold, .rules = {}};
}

base::Result<ReplyHeader> parse_reply_header(std::string_view header) {
    auto end = header.find("\r\n");
    if (auto good = check_status(header.substr(0, end)); !good) return base::pass_on(good);
    ReplyHeader read;
    while (end != std::string_view::npos) {
        header.remove_prefix(end + 2);
        end = header.find("\r\n");
        const auto line = header.substr(0, end);
        const auto colon = line.find(':');
        if (colon == std::string_view::npos) return bad("a header field", line);
        const auto name = line.substr(0, colon), value = line.substr(colon + 1);
        if (base::equal_ignoring_case(name, "Spam") && !(read.verdict = parse_verdict(value))) return bad("its verdict", line);
        if (base::equal_ignoring_case(name, "Content-length") && !(read.length = number_in<std::size_t>(value)))
            return bad("its length", line);
    }
    return read;
}

std::vector<std::string> parse_rules(std::string_view body) {
    std::vector<std::string> rules;
    while (!body.empty() && rules.size() < kMostRules) {
        const auto end = body.find_first_of(", \t\r\n");
        if (end != 0) rules.push_back(cleaned_name(body.substr(0, end)));
        if (end == std::string_view::npos) break;
        body.remove_prefix(end + 1);
    }
    return rules;
}

}  // namespace

std::string render_spamd_request(std::uint64_t message_octets) {
    return fmt::format("SYMBOLS SPAMC/1.5\r\nContent-length: {}\r\n\r\n", message_octets);
}

base::Result<std::optional<SpamVerdict>> parse_spamd_reply(std::string_view octets, Connection connection) {
    if (octets.size() > kMostOfSpamdReply) return fail(ErrorKind::syntax, "spamd's reply does not end");
    const auto end = octets.find(kEndOfHeader);
    if (end == std::string_view::npos) {
        if (connection == Connection::open) return std::optional<SpamVerdict>();
        if (octets.empty()) return fail(ErrorKind::peer_gone, "spamd left without a reply");
        // What it says when it fails, it may say without an empty line.
        if (auto good = check_status(trim(octets.substr(0, octets.find('\n')))); !good) return base::pass_on(good);
        return fail(ErrorKind::syntax, "spamd's reply has no end");
    }
    auto header = parse_reply_header(octets.substr(0, end));
    if (!header) return base::pass_on(header);
    const auto body = octets.substr(end + kEndOfHeader.size());
    if (connection == Connection::open && (!header->length || body.size() < *header->length)) return std::optional<SpamVerdict>();
    if (header->length && body.size() < *header->length) return fail(ErrorKind::syntax, "spamd's reply is cut off");
    if (!header->verdict) return fail(ErrorKind::syntax, "spamd's reply has no verdict");
    header->verdict->rules = parse_rules(body.substr(0, header->length.value_or(body.size())));
    return std::move(header->verdict);
}

}  // namespace thurn::scan
