#include "base/base64.h"
#include "base/quoted_printable.h"
#include "mail/convert.h"
#include "mail/mime.h"
#include "require.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

using namespace thurn;
using fuzz::require;
using mail::MimePart;
using mail::TransferEncoding;

namespace {

void check_passes(std::string_view message, mail::Passage passage) {
    while (!message.empty()) {
        const auto end = message.find("\r\n");
        require(end != std::string_view::npos, "the last line ends");
        require(end <= 998, "no line is too long");
        for (const char c : message.substr(0, end)) {
            require(c != '\0' && c != '\r' && c != '\n', "no octet that stands for a line end");
            require(passage == mail::Passage::eight_bit || static_cast<unsigned char>(c) < 0x80, "7-bit only");
        }
        message.remove_prefix(end + 2);
    }
}

std::string_view body_of(std::string_view message, const MimePart& part) { return message.substr(part.body, part.end - part.body); }

std::string decode(std::string_view body, TransferEncoding encoding) {
    if (encoding == TransferEncoding::quoted_printable) {
        auto decoded = base::decode_quoted_printable(body);
        require(decoded.has_value(), "what was encoded can be decoded");
        return *decoded;
    }
    std::string text(body);
    std::erase_if(text, [](char c) { return c == '\r' || c == '\n'; });
    auto decoded = base::decode_base64(text);
    require(decoded.has_value(), "what was encoded can be decoded");
    return *decoded;
}

void check_part(std::string_view before, const MimePart& was, std::string_view after, const MimePart& is) {
    require(was.kind == is.kind, "a part stays what it was");
    require(was.within_signed == is.within_signed, "within a signature or not");
    if (was.within_signed) require(before.substr(was.begin, was.end - was.begin) == after.substr(is.begin, is.end - is.begin), "unchanged");
    if (was.kind != MimePart::Kind::leaf) return;
    const bool encoded_now = is.encoding != was.encoding && is.encoding > TransferEncoding::binary;
    const auto body = encoded_now ? decode(body_of(after, is), is.encoding) : std::string(body_of(after, is));
    require(body == body_of(before, was), "the very octets come back");
}

void check(std::string_view message, mail::Passage passage) {
    const auto converted = mail::convert(message, passage);
    if (!converted) return;
    check_passes(*converted, passage);
    const auto before = mail::parse_mime(message);
    const auto after = mail::parse_mime(*converted);
    require(before && after, "what was converted can be taken apart");
    require(before->size() == after->size(), "as many parts as before");
    for (std::size_t k = 0; k < before->size(); ++k) check_part(message, (*before)[k], *converted, (*after)[k]);
    const auto again = mail::convert(*converted, passage);
    require(again && *again == *converted, "what passes is left alone");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto message = fuzz::as_text(data, size);
    check(message, mail::Passage::seven_bit);
    check(message, mail::Passage::eight_bit);
    static_cast<void>(mail::parse_media_type(message));
    const auto encoded = base::encode_quoted_printable(message);
    require(base::decode_quoted_printable(encoded) == std::string(message), "quoted-printable gives every octet back");
    static_cast<void>(base::decode_quoted_printable(message));
    return 0;
}
