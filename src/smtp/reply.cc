#include "smtp/reply.h"

#include <algorithm>
#include <charconv>

namespace thurn::smtp {

namespace {

constexpr std::size_t kRenderedLine = 512;  // with its CRLF, RFC 5321 §4.5.3.1.5
constexpr std::size_t kReadLine = 2048;
constexpr std::size_t kReadLines = 100;

bool is_control(char octet) {
    const auto value = static_cast<unsigned char>(octet);
    return value < 0x20 || value == 0x7f;
}

/// A CR or LF in a reply's text would become a reply of its own at the peer.
std::string cleaned(std::string_view text) {
    std::string clean(text);
    std::ranges::replace_if(clean, is_control, ' ');
    return clean;
}

/// Where to cut `text` so that at most `room` octets stay: behind the last space, never inside a UTF-8 character if that can be helped.
std::size_t fold_at(std::string_view text, std::size_t room) {
    if (text.size() <= room) return text.size();
    const auto space = text.rfind(' ', room);
    if (space != std::string_view::npos && space > 0) return space;
    std::size_t cut = room;
    while (cut > room - 3 && (static_cast<unsigned char>(text[cut]) & 0xC0) == 0x80) --cut;
    return cut;
}

/// One text line of a reply as wire lines that all continue (`250-`); the caller ends the last one.
class LineRenderer {
public:
    explicit LineRenderer(const Reply& reply)
        : code_(std::to_string(reply.code)), status_(reply.status ? mail::render_status(*reply.status) + ' ' : std::string()) {}

    void add(std::string_view text) {
        const std::string clean = cleaned(text);
        std::string_view left = clean;
        const std::size_t room = kRenderedLine - 2 - code_.size() - 1 - status_.size();
        do {
            const auto length = fold_at(left, room);
            put(left.substr(0, length));
            left.remove_prefix(length);
            if (left.starts_with(' ')) left.remove_prefix(1);
        } while (!left.empty());
    }
    std::string finish() && {
        out_[last_ + code_.size()] = ' ';
        return std::move(out_);
    }

private:
    void put(std::string_view text) {
        last_ = out_.size();
        out_.append(code_).append("-").append(status_).append(text);
        while (out_.ends_with(' ')) out_.pop_back();
        out_ += "\r\n";
    }

    std::string code_;
    std::string status_;
    std::string out_;
    std::size_t last_ = 0;
};

}  // namespace

Reply make_reply(std::uint16_t code, mail::EnhancedStatus status, std::string text) {
    std::ranges::replace_if(text, is_control, ' ');
    return {code, status, {std::move(text)}};
}

std::string render_reply(const Reply& reply) {
    LineRenderer renderer(reply);
    for (const auto& line : reply.lines) renderer.add(line);
    if (reply.lines.empty()) renderer.add("");
    return std::move(renderer).finish();
}

std::string describe_reply(const Reply& reply) {
    std::string text = std::to_string(reply.code);
    if (reply.status) text.append(" ").append(mail::render_status(*reply.status));
    for (const auto& line : reply.lines) {
        if (!line.empty()) text.append(" ").append(cleaned(line));
    }
    return text;
}

namespace {

/// `250-text`, `250 text` or `250` alone.
struct WireLine {
    std::uint16_t code = 0;
    bool last = false;
    std::string_view text;
};

std::optional<WireLine> parse_wire_line(std::string_view line) {
    WireLine parsed;
    if (line.size() < 3) return std::nullopt;
    const auto [end, failure] = std::from_chars(line.data(), line.data() + 3, parsed.code);
    if (failure != std::errc{} || end != line.data() + 3 || parsed.code < 200 || parsed.code > 599) return std::nullopt;
    if (line.size() > 3 && line[3] != ' ' && line[3] != '-') return std::nullopt;
    parsed.last = line.size() == 3 || line[3] == ' ';
    if (line.size() > 4) parsed.text = line.substr(4);
    return parsed;
}

/// Takes the enhanced status off the text where it belongs to the code; a first digit that differs makes it plain text (RFC 3463 §2).
std::optional<mail::EnhancedStatus> take_status(std::uint16_t code, std::string_view& text) {
    const auto status = mail::leading_status(text);
    if (!status || status->status_class != code / 100) return std::nullopt;
    text.remove_prefix(std::min(text.find(' '), text.size()));
    if (text.starts_with(' ')) text.remove_prefix(1);
    return status;
}

}  // namespace

void ReplyReader::receive(std::string_view octets) {
    if (error_) return;
    compact();
    input_.append(octets);
}

/// Drops what was read, so that one reply after another costs no more than its own length.
void ReplyReader::compact() {
    if (consumed_ == 0) return;
    input_.erase(0, consumed_);
    scanned_ -= consumed_;
    consumed_ = 0;
}

base::Result<std::optional<std::string_view>> ReplyReader::take_line() {
    const auto end = input_.find('\n', scanned_);
    const auto length = (end == std::string::npos ? input_.size() : end + 1) - consumed_;
    if (length > kReadLine) return base::fail(base::ErrorKind::too_long, "a line of a reply is too long");
    if (end == std::string::npos) {
        scanned_ = input_.size();
        return std::nullopt;
    }
    std::string_view line = std::string_view(input_).substr(consumed_, end - consumed_);
    if (line.ends_with('\r')) line.remove_suffix(1);
    consumed_ = scanned_ = end + 1;
    return line;
}

/// True when the line was the reply's last.
base::Result<bool> ReplyReader::add_line(std::string_view line) {
    auto parsed = parse_wire_line(line);
    if (!parsed) return base::fail(base::ErrorKind::syntax, "a line without a reply code where a reply was expected");
    if (partial_.lines.empty()) {
        partial_.code = parsed->code;
        partial_.status = take_status(parsed->code, parsed->text);
    } else if (parsed->code != partial_.code) {
        return base::fail(base::ErrorKind::syntax, "two codes in one reply");
    } else if (auto rest = parsed->text; partial_.status && take_status(parsed->code, rest) == partial_.status) {
        parsed->text = rest;
    }
    if (partial_.lines.size() == kReadLines) return base::fail(base::ErrorKind::too_long, "a reply has too many lines");
    partial_.lines.push_back(cleaned(parsed->text));
    return parsed->last;
}

base::Result<std::optional<Reply>> ReplyReader::next() {
    while (!error_) {
        auto line = take_line();
        if (!line) return fail(base::pass_on(line));
        const auto& whole = *line;
        if (!whole) return std::nullopt;
        auto complete = add_line(*whole);
        if (!complete) return fail(base::pass_on(complete));
        if (*complete) return std::exchange(partial_, Reply{});
    }
    return std::unexpected(*error_);
}

std::unexpected<base::Error> ReplyReader::fail(std::unexpected<base::Error> error) {
    error_ = error.error();
    return error;
}

}  // namespace thurn::smtp
