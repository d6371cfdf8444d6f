// The message is copied from front to back, part by part; what is not copied octet by octet is the body of a leaf that does not pass, and
// the field that says how a part is encoded. Everything copied is looked at first: the result holds nothing that does not pass.
#include "mail/convert.h"

#include "base/ascii.h"
#include "base/base64.h"
#include "base/quoted_printable.h"
#include "base/utf8.h"
#include "mail/mime.h"

#include <algorithm>
#include <utility>

namespace thurn::mail {
namespace {

using base::ErrorKind;
using base::fail;
using Kind = MimePart::Kind;

constexpr std::size_t kLongestLine = 998;  // RFC 5321 §4.5.3.1.6, without CRLF
constexpr std::size_t kBase64Octets = 57;  // to a line of 76, RFC 2045 §6.8

bool line_passes(std::string_view line, Passage passage) {
    if (line.size() > kLongestLine) return false;
    return std::ranges::none_of(
        line, [passage](char c) { return c == '\0' || c == '\r' || c == '\n' || (passage == Passage::seven_bit && !base::is_ascii(c)); });
}

bool passes(std::string_view octets, Passage passage) {
    while (!octets.empty()) {
        const auto end = octets.find("\r\n");
        if (!line_passes(octets.substr(0, end), passage)) return false;
        octets.remove_prefix(end == std::string_view::npos ? octets.size() : end + 2);
    }
    return true;
}

/// Lines of 76, without an end behind the last.
void append_base64(std::string& out, std::string_view octets) {
    while (!octets.empty()) {
        out += base::encode_base64(octets.substr(0, kBase64Octets));
        octets.remove_prefix(std::min(kBase64Octets, octets.size()));
        if (!octets.empty()) out += "\r\n";
    }
}

bool is_text(const MediaType& media) { return media.type == "text" || media.type == "message"; }

/// RFC 2046 §5.2.2, §5.2.3: 7-bit, always.
bool must_not_be_encoded(const MediaType& media) {
    return media.type == "multipart" || (media.type == "message" && (media.subtype == "rfc822" || media.subtype == "news" ||
                                                                     media.subtype == "partial" || media.subtype == "external-body"));
}

std::string_view name_of(TransferEncoding encoding) {
    switch (encoding) {
        case TransferEncoding::eight_bit:
            return "8bit";
        case TransferEncoding::quoted_printable:
            return "quoted-printable";
        case TransferEncoding::base64:
            return "base64";
        default:
            return "7bit";
    }
}

class Converter {
public:
    Converter(std::string_view message, Passage passage) : message_(message), passage_(passage) {}

    base::Result<std::string> run(const std::vector<MimePart>& parts);

private:
    base::Result<void> add_part(const MimePart& part);
    base::Result<void> copy_to(std::size_t end, const char* what);
    [[nodiscard]] base::Result<TransferEncoding> encoding_for(const MimePart& part) const;
    [[nodiscard]] bool is_cut(const MimePart& part) const;
    base::Result<void> add_header(const MimePart& part, TransferEncoding encoding);
    void add_missing_fields(const MimePart& part, TransferEncoding encoding);
    void add_body(const MimePart& part, TransferEncoding encoding);
    [[nodiscard]] std::string_view body_of(const MimePart& part) const { return message_.substr(part.body, part.end - part.body); }

    std::string_view message_;
    Passage passage_;
    std::string out_;
    std::size_t done_ = 0;  // of message_
};

base::Result<std::string> Converter::run(const std::vector<MimePart>& parts) {
    out_.reserve(message_.size() + message_.size() / 4);
    for (const MimePart& part : parts)
        if (auto added = add_part(part); !added) return base::pass_on(added);
    if (auto copied = copy_to(message_.size(), "text between the parts"); !copied) return base::pass_on(copied);
    if (!out_.ends_with("\r\n")) out_ += "\r\n";
    return std::move(out_);
}

base::Result<void> Converter::copy_to(std::size_t end, const char* what) {
    const auto octets = message_.substr(done_, end - done_);
    if (!passes(octets, passage_)) return fail(ErrorKind::invalid, std::string(what) + " cannot be converted");
    out_ += octets;
    done_ = end;
    return {};
}

base::Result<void> Converter::add_part(const MimePart& part) {
    if (auto copied = copy_to(part.begin, "text between the parts"); !copied) return copied;
    const auto encoding = encoding_for(part);
    if (!encoding) return std::unexpected(encoding.error());
    if (auto added = add_header(part, *encoding); !added) return added;
    if (part.kind == Kind::leaf) add_body(part, *encoding);
    return {};
}

/// At the very end of the message, what has no line end gets one.
bool Converter::is_cut(const MimePart& part) const {
    const auto body = body_of(part);
    return part.end == message_.size() && !body.empty() && !body.ends_with("\r\n");
}

/// `TransferEncoding::unknown`: as it is.
base::Result<TransferEncoding> Converter::encoding_for(const MimePart& part) const {
    constexpr auto kAsItIs = TransferEncoding::unknown;
    const bool encoded = part.encoding > TransferEncoding::binary;
    const bool says_too_much =
        !encoded && part.encoding > (passage_ == Passage::seven_bit ? TransferEncoding::seven_bit : TransferEncoding::eight_bit);
    const auto plain = passage_ == Passage::seven_bit ? TransferEncoding::seven_bit : TransferEncoding::eight_bit;
    if (part.kind != Kind::leaf || (!is_cut(part) && passes(body_of(part), passage_)))
        return says_too_much && !part.within_signed ? plain : kAsItIs;
    if (part.within_signed) return fail(ErrorKind::invalid, "a signed part must not be changed");
    if (encoded) return fail(ErrorKind::invalid, "a part is not what its Content-Transfer-Encoding says");
    if (must_not_be_encoded(part.media)) return fail(ErrorKind::invalid, "a part of its type must not be encoded");
    return is_text(part.media) && !is_cut(part) ? TransferEncoding::quoted_printable : TransferEncoding::base64;
}

base::Result<void> Converter::add_header(const MimePart& part, TransferEncoding encoding) {
    if (encoding != TransferEncoding::unknown && part.encoding_length > 0) {
        if (auto copied = copy_to(part.encoding_field, "a header"); !copied) return copied;
        out_.append("Content-Transfer-Encoding: ").append(name_of(encoding)).append("\r\n");
        done_ = part.encoding_field + part.encoding_length;
    }
    if (!part.header_ended) {
        if (part.within_signed && part.body == message_.size() && !message_.ends_with("\r\n"))
            return fail(ErrorKind::invalid, "a signed part must not be changed");
        return copy_to(part.body, "a header");
    }
    if (auto copied = copy_to(part.body - 2, "a header"); !copied) return copied;
    if (encoding == TransferEncoding::quoted_printable || encoding == TransferEncoding::base64) add_missing_fields(part, encoding);
    return copy_to(part.body, "a header");
}

/// What the part must say, now that it is encoded.
void Converter::add_missing_fields(const MimePart& part, TransferEncoding encoding) {
    if (part.is_message && !part.version_given) {
        out_ += "MIME-Version: 1.0\r\n";
        if (!part.typed)
            out_.append("Content-Type: text/plain; charset=")
                .append(base::is_utf8(body_of(part)) ? "utf-8" : "unknown-8bit")
                .append("\r\n");
    }
    if (part.encoding_length == 0) out_.append("Content-Transfer-Encoding: ").append(name_of(encoding)).append("\r\n");
}

void Converter::add_body(const MimePart& part, TransferEncoding encoding) {
    const auto body = body_of(part);
    done_ = part.end;
    if (encoding == TransferEncoding::quoted_printable)
        out_ += base::encode_quoted_printable(body);
    else if (encoding == TransferEncoding::base64)
        append_base64(out_, body);
    else
        out_ += body;
}

}  // namespace

base::Result<std::string> convert(std::string_view message, Passage passage) {
    auto parts = parse_mime(message);
    if (!parts) return base::pass_on(parts);
    return Converter(message, passage).run(*parts);
}

}  // namespace thurn::mail
