// The fast decoder against one so slow and plain that it can be seen to be right, in every way to cut the input.
#include "require.h"
#include "smtp/dot_codec.h"

#include <string>

using namespace thurn;
using fuzz::require;

namespace {

struct Decoded {
    std::string content;
    std::size_t consumed = 0;
    bool ended = false;
    bool faulty = false;
    friend bool operator==(const Decoded&, const Decoded&) = default;
};

/// RFC 5321 §4.5.2 by the letter: cut into lines at CRLF, take a leading dot off each, stop at a line that is a dot. Content ends with the first
/// octet that may not be there.
Decoded decode_slowly(std::string_view wire) {
    Decoded result;
    while (true) {
        const auto end = wire.find("\r\n", result.consumed);
        const bool whole = end != std::string_view::npos;
        auto line = wire.substr(result.consumed, whole ? end - result.consumed : std::string_view::npos);
        if (!whole && (line == "." || line == ".\r")) line = {};  // not known yet what it will be
        result.consumed = whole ? end + 2 : wire.size();
        if (whole && line == ".") {
            result.ended = true;
            break;
        }
        if (line.starts_with('.')) line.remove_prefix(1);
        if (!whole && line.ends_with('\r')) line.remove_suffix(1);
        const auto fault = line.find_first_of(std::string_view("\r\n\0", 3));
        if (!result.faulty) result.content.append(line.substr(0, fault));
        result.faulty = result.faulty || fault != std::string_view::npos;
        if (!whole) break;
        if (!result.faulty) result.content += "\r\n";
    }
    return result;
}

Decoded decode(std::string_view wire, std::size_t piece) {
    smtp::DotDecoder decoder;
    Decoded result;
    while (result.consumed < wire.size() && !decoder.ended()) {
        auto rest = wire.substr(result.consumed, piece);
        while (!rest.empty() && !decoder.ended()) {
            const bool faulty = decoder.fault() != smtp::ContentFault::none;
            const auto step = decoder.step(rest);
            result.content += step.content;
            result.consumed += step.consumed;
            rest.remove_prefix(step.consumed);
            require(!faulty || step.content.empty(), "no content after a fault");
        }
    }
    result.ended = decoder.ended();
    result.faulty = decoder.fault() != smtp::ContentFault::none;
    return result;
}

void check_encoder(std::string_view content, std::size_t piece) {
    smtp::DotEncoder encoder;
    std::string wire;
    for (std::size_t at = 0; at < content.size(); at += piece) encoder.encode(content.substr(at, piece), wire);
    encoder.finish(wire);
    for (std::size_t at = 0; at < wire.size(); ++at) {
        require(wire[at] != '\n' || (at > 0 && wire[at - 1] == '\r'), "no bare LF");
        require(wire[at] != '\r' || (at + 1 < wire.size() && wire[at + 1] == '\n'), "no bare CR");
    }
    require(wire == ".\r\n" || wire.find("\r\n.\r\n") == wire.size() - 5, "one end, at the end");
    if (content.find('\0') != std::string_view::npos) return;
    const auto decoded = decode(wire, wire.size());
    require(decoded.ended && !decoded.faulty && decoded.consumed == wire.size(), "what we encode can be decoded");
    smtp::DotEncoder again;
    std::string second;
    again.encode(decoded.content, second);
    again.finish(second);
    require(second == wire, "encoding what was decoded changes nothing");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const auto wire = fuzz::as_text(data, size).substr(1);
    const std::size_t piece = data[0] % 80U + 1U;
    const auto slow = decode_slowly(wire);
    require(decode(wire, wire.size() + 1) == slow, "fast and slow agree");
    require(decode(wire, piece) == slow, "in pieces too");
    require(decode(wire, 1) == slow, "octet by octet too");
    check_encoder(wire, piece);
    return 0;
}
