// A message is read once, from front to back. Lines are looked at one by one in headers; in bodies only those that begin with `--`, as
// nothing else can be a delimiter. The multiparts that are open lie on a stack: a delimiter of an outer one ends all within it
// (RFC 2046 §5.1.2). Whatever one reader might see and another not is refused, for the parts found here will be written anew.
#include "mail/mime.h"

#include "base/ascii.h"
#include "mail/header.h"

#include <algorithm>
#include <array>
#include <utility>

namespace thurn::mail {
namespace {

using base::ErrorKind;
using base::fail;
using Kind = MimePart::Kind;

constexpr std::size_t kLongestBoundary = 70;  // RFC 2046 §5.1.1

constexpr bool is_blank(char c) { return c == ' ' || c == '\t'; }

struct EncodingName {
    std::string_view name;
    TransferEncoding encoding;
};
constexpr std::array<EncodingName, 5> kEncodings{{{"7bit", TransferEncoding::seven_bit},
                                                  {"8bit", TransferEncoding::eight_bit},
                                                  {"binary", TransferEncoding::binary},
                                                  {"quoted-printable", TransferEncoding::quoted_printable},
                                                  {"base64", TransferEncoding::base64}}};

TransferEncoding parse_encoding(std::string_view value) {
    const std::string name = unfold(value);
    const auto same = [&name](const EncodingName& each) { return base::equal_ignoring_case(each.name, name); };
    const auto* const found = std::ranges::find_if(kEncodings, same);
    return found == kEncodings.end() ? TransferEncoding::unknown : found->encoding;
}

bool is_boundary(std::string_view text) {
    return !text.empty() && text.size() <= kLongestBoundary && text.back() != ' ' && std::ranges::all_of(text, base::is_printable);
}

/// An encoded container is for this purpose some octets that mean something to somebody else (RFC 2045 §6.4 has no such thing).
Kind kind_of(const MimePart& part) {
    const bool plain = part.encoding <= TransferEncoding::binary;
    if (!plain) return Kind::leaf;
    if (part.media.type == "multipart") return Kind::multipart;
    if (part.media.type == "message" && (part.media.subtype == "rfc822" || part.media.subtype == "news")) return Kind::message;
    return Kind::leaf;
}

class Parser {
public:
    Parser(std::string_view message, const MimeLimits& limits) : message_(message), limits_(limits) {}

    base::Result<std::vector<MimePart>> run();

private:
    /// A multipart that has not ended.
    struct Open {
        std::string delimiter;  // with its `--`
        std::size_t part;
        std::size_t depth;
    };
    enum class Found { none, delimiter, close, unsure };
    struct Delimiter {
        Found found = Found::none;
        std::size_t level = 0;  // of open_
    };

    base::Result<void> read_entity(std::size_t at);
    base::Result<void> end_header(std::size_t end);
    base::Result<void> read_fields(MimePart& part);
    base::Result<void> enter(std::size_t at);
    base::Result<void> read_body();
    base::Result<void> pass(const Delimiter& delimiter, std::size_t at);
    void end_leaf(std::size_t at);
    [[nodiscard]] Delimiter delimiter_at(std::size_t at) const;
    [[nodiscard]] std::size_t line_end(std::size_t from) const;

    std::string_view message_;
    MimeLimits limits_;
    std::vector<MimePart> parts_;
    std::vector<Open> open_;
    std::size_t position_ = 0;  // everything before is read
    std::size_t depth_ = 0;     // of the entity being read
    bool in_entity_ = false;    // its header is next
    bool in_leaf_ = false;
    bool in_digest_ = false;  // the entity's type is message/rfc822 unless it says another (RFC 2046 §5.1.5)
    bool signed_ = false;
};

/// Behind the CRLF of the line; the end of the message when there is none.
std::size_t Parser::line_end(std::size_t from) const {
    const auto end = message_.find("\r\n", from);
    return end == std::string_view::npos ? message_.size() : end + 2;
}

base::Result<std::vector<MimePart>> Parser::run() {
    if (auto entered = enter(0); !entered) return base::pass_on(entered);
    while (in_entity_ || position_ < message_.size()) {
        auto read = in_entity_ ? read_entity(position_) : read_body();
        if (!read) return base::pass_on(read);
    }
    if (in_leaf_) parts_.back().end = message_.size();
    return std::move(parts_);
}

/// A new entity begins, whose depth_, signed_ and in_digest_ are set.
base::Result<void> Parser::enter(std::size_t at) {
    if (parts_.size() >= limits_.parts) return fail(ErrorKind::too_long, "more parts than are taken apart");
    if (depth_ > limits_.depth) return fail(ErrorKind::too_long, "parts nested deeper than they are taken apart");
    auto& part = parts_.emplace_back();
    part.begin = at;
    part.depth = depth_;
    part.within_signed = signed_;
    part.is_message = parts_.size() == 1 || parts_[parts_.size() - 2].kind == Kind::message;
    if (std::exchange(in_digest_, false)) part.media = {.type = "message", .subtype = "rfc822", .boundary = {}};
    position_ = at;
    in_entity_ = true;
    return {};
}

/// Up to the empty line, or to a delimiter where there is no body (RFC 2046 §5.1.1).
base::Result<void> Parser::read_entity(std::size_t at) {
    const std::size_t end = line_end(at);
    const auto line = message_.substr(at, end - at);
    if (line == "\r\n" || line.empty()) {
        parts_.back().header_ended = !line.empty();
        return end_header(end);
    }
    const auto delimiter = delimiter_at(at);
    if (delimiter.found != Found::none) {
        if (auto ended = end_header(at); !ended) return ended;
        return pass(delimiter, at);
    }
    if (std::ranges::all_of(line, [](char c) { return is_blank(c) || c == '\r' || c == '\n'; }))
        return fail(ErrorKind::syntax, "a line of nothing but white space in a header");
    position_ = end;
    return {};
}

base::Result<void> Parser::end_header(std::size_t end) {
    auto& part = parts_.back();
    part.body = end;
    part.end = end;
    position_ = end;
    in_entity_ = false;
    if (auto read = read_fields(part); !read) return read;
    part.kind = kind_of(part);
    if (part.kind != Kind::leaf && !part.header_ended) part.kind = Kind::leaf;  // nothing follows
    if (part.kind == Kind::leaf) {
        in_leaf_ = true;
    } else if (part.kind == Kind::message) {
        ++depth_;
        return enter(end);
    } else {
        if (!is_boundary(part.media.boundary)) return fail(ErrorKind::syntax, "a multipart without a good boundary");
        open_.push_back({.delimiter = "--" + part.media.boundary, .part = parts_.size() - 1, .depth = depth_});
    }
    return {};
}

base::Result<void> Parser::read_fields(MimePart& part) {
    const auto text = message_.substr(part.begin, part.body - part.begin);
    const auto header = parse_header(text);
    if (header.size != text.size()) return fail(ErrorKind::syntax, "a header with a line that is no field");
    for (const char* once : {"Content-Type", "Content-Transfer-Encoding", "MIME-Version"}) {
        const auto* field = header.find(once);
        if (!field) continue;
        if (header.count(once) > 1) return fail(ErrorKind::syntax, std::string("more than one ") + once);
        if (field->name.data() + field->name.size() + 1 != field->value.data())
            return fail(ErrorKind::syntax, std::string("white space behind ") + once);
    }
    part.version_given = header.find("MIME-Version") != nullptr;
    if (const auto* field = header.find("Content-Type")) {
        auto media = parse_media_type(field->value);
        if (!media) return base::pass_on(media);
        part.media = *std::move(media);
        part.typed = true;
    }
    if (const auto* field = header.find("Content-Transfer-Encoding")) {
        part.encoding = parse_encoding(field->value);
        part.encoding_field = static_cast<std::size_t>(field->name.data() - message_.data());
        const auto value_end = static_cast<std::size_t>(field->value.data() + field->value.size() - message_.data());
        part.encoding_length = line_end(value_end) - part.encoding_field;
    }
    return {};
}

/// The innermost that fits wins. A line that only begins like one is a delimiter to some readers and none to others.
Parser::Delimiter Parser::delimiter_at(std::size_t at) const {
    const auto text = message_.substr(at);
    if (open_.empty() || !text.starts_with("--")) return {};
    Delimiter result;
    for (std::size_t level = open_.size(); level-- > 0;) {
        if (!text.starts_with(open_[level].delimiter)) continue;
        auto rest = text.substr(open_[level].delimiter.size());
        rest = rest.substr(0, rest.find("\r\n"));
        const bool close = rest.starts_with("--");
        if (close) rest.remove_prefix(2);
        if (std::ranges::all_of(rest, is_blank)) return {.found = close ? Found::close : Found::delimiter, .level = level};
        result = {.found = Found::unsure, .level = level};
    }
    return result;
}

/// To the next delimiter, or the end.
base::Result<void> Parser::read_body() {
    const auto no_more = [this] {
        position_ = message_.size();
        return base::Result<void>();
    };
    if (open_.empty()) return no_more();
    for (std::size_t at = position_; at < message_.size();) {
        if (const auto delimiter = delimiter_at(at); delimiter.found != Found::none) {
            const bool sure = at == position_ || message_.substr(at - 2, 2) == "\r\n";
            if (!sure) return fail(ErrorKind::syntax, "a boundary behind a bare CR or LF");
            return pass(delimiter, at);
        }
        // Also behind a bare CR or LF, where some see a line begin.
        at = message_.find("--", at + 1);
        while (at != std::string_view::npos && message_[at - 1] != '\n' && message_[at - 1] != '\r') at = message_.find("--", at + 1);
    }
    return no_more();
}

void Parser::end_leaf(std::size_t at) {
    if (!std::exchange(in_leaf_, false)) return;
    auto& part = parts_.back();
    part.end = std::max(part.body, at < 2 ? 0 : at - 2);  // the CRLF before it is the delimiter's
}

base::Result<void> Parser::pass(const Delimiter& delimiter, std::size_t at) {
    if (delimiter.found == Found::unsure) return fail(ErrorKind::syntax, "a boundary with something behind it");
    end_leaf(at);
    const auto level = open_[delimiter.level];
    position_ = line_end(at);
    if (delimiter.found == Found::close) {
        open_.resize(delimiter.level);
        return {};
    }
    open_.resize(delimiter.level + 1);
    const auto& container = parts_[level.part];
    depth_ = level.depth + 1;
    signed_ = container.within_signed || container.media.subtype == "signed";
    in_digest_ = container.media.subtype == "digest";
    return enter(position_);
}

}  // namespace

base::Result<std::vector<MimePart>> parse_mime(std::string_view message, const MimeLimits& limits) { return Parser(message, limits).run(); }

}  // namespace thurn::mail
