#include "smtp/dot_codec.h"

#include <algorithm>

namespace thurn::smtp {

DotDecoder::Step DotDecoder::step(std::string_view wire) {
    switch (place_) {
        case Place::line_start:
        case Place::inside:
            return fault_ == ContentFault::none ? read_text(wire) : skip_text(wire);
        case Place::cr:
            return after_cr(wire.front());
        case Place::dot:
            place_ = wire.front() == '\r' ? Place::dot_cr : Place::inside;  // any other octet: the dot was stuffing
            return {.content = {}, .consumed = place_ == Place::dot_cr ? 1U : 0U};
        case Place::dot_cr:
            return after_dot_cr(wire.front());
        case Place::ended:
            break;
    }
    return {.content = {}, .consumed = 0};
}

DotDecoder::Step DotDecoder::read_text(std::string_view wire) {
    const auto regular = regular_prefix(wire, place_ == Place::line_start ? LinePlace::start : LinePlace::inside);
    if (regular > 0) {
        place_ = wire[regular - 1] == '\n' ? Place::line_start : Place::inside;
        const auto fitting = line_limit_ == 0 ? regular : measure_lines(wire.substr(0, regular));
        if (fault_ != ContentFault::none) return {.content = wire.substr(0, fitting), .consumed = regular};
    }
    if (regular == wire.size()) return {.content = wire, .consumed = regular};
    return judge(wire[regular], regular, wire);
}

/// The octet behind the regular ones: a dot at the start of a line, a CR, a bare LF or a NUL.
DotDecoder::Step DotDecoder::judge(char irregular, std::size_t regular, std::string_view wire) {
    if (irregular == '.' && dots_ == Dots::plain) {
        place_ = Place::inside;
        if (line_limit_ != 0) measure_lines(".");
        return {.content = wire.substr(0, regular + 1), .consumed = regular + 1};
    }
    if (irregular == '.') {
        place_ = Place::dot;
    } else if (irregular == '\r' && regular + 1 == wire.size()) {
        place_ = Place::cr;
    } else {
        set_fault(irregular == '\r' ? ContentFault::bare_cr : irregular == '\n' ? ContentFault::bare_lf : ContentFault::nul);
        place_ = Place::inside;
    }
    return {.content = wire.substr(0, regular), .consumed = regular + 1};
}

/// Looks for the next line that starts with a dot. A line starts behind CRLF only, whatever else the content holds.
DotDecoder::Step DotDecoder::skip_text(std::string_view wire) {
    if (place_ == Place::line_start && wire.front() == '.') {
        place_ = Place::dot;
        return {.content = {}, .consumed = 1};
    }
    if (const auto found = wire.find("\r\n."); found != std::string_view::npos) {
        place_ = Place::dot;
        return {.content = {}, .consumed = found + 3};
    }
    place_ = wire.ends_with("\r\n") ? Place::line_start : wire.ends_with('\r') ? Place::cr : Place::inside;
    return {.content = {}, .consumed = wire.size()};
}

DotDecoder::Step DotDecoder::after_cr(char octet) {
    if (octet != '\n') {
        set_fault(ContentFault::bare_cr);
        place_ = Place::inside;
        return {.content = {}, .consumed = 0};
    }
    place_ = Place::line_start;
    if (line_limit_ != 0) measure_lines("\r\n");
    return {.content = fault_ == ContentFault::none ? std::string_view("\r\n") : std::string_view(), .consumed = 1};
}

DotDecoder::Step DotDecoder::after_dot_cr(char octet) {
    if (octet == '\n') {
        place_ = Place::ended;
        return {.content = {}, .consumed = 1};
    }
    set_fault(ContentFault::bare_cr);
    place_ = Place::inside;
    return {.content = {}, .consumed = 0};
}

std::string_view DotDecoder::finish() {
    if (place_ == Place::cr) set_fault(ContentFault::bare_cr);
    const bool lacks_end = place_ == Place::inside;
    place_ = Place::ended;
    return lacks_end ? "\r\n" : "";
}

/// How many of the octets come before the one that makes a line too long; a CRLF comes as one.
std::size_t DotDecoder::measure_lines(std::string_view content) {
    std::size_t fitting = 0;
    while (fitting < content.size()) {
        const auto rest = content.substr(fitting);
        const auto end = rest.find('\n');
        const bool ends = end != std::string_view::npos;
        const auto length = ends ? end + 1 : rest.size();
        if (line_length_ + length > line_limit_) {
            set_fault(ContentFault::line_too_long);
            return fitting + std::min(line_limit_ - line_length_, ends ? length - 2 : length);
        }
        line_length_ = ends ? 0 : line_length_ + length;
        fitting += length;
    }
    return fitting;
}

/// The first fault is the one told.
void DotDecoder::set_fault(ContentFault fault) {
    if (fault_ == ContentFault::none) fault_ = fault;
}

void DotEncoder::encode(std::string_view content, std::string& out) {
    out.reserve(out.size() + content.size() + 64);  // a few dots and the end: no second copy for them
    while (!content.empty()) {
        if (after_cr_) {  // CRLF over two pieces, or a bare CR: both become CRLF
            after_cr_ = false;
            if (content.front() == '\n') content.remove_prefix(1);
            out += "\r\n";
            place_ = LinePlace::start;
            continue;
        }
        const auto regular = regular_prefix(content, place_);
        out.append(content.substr(0, regular));
        if (regular > 0) place_ = content[regular - 1] == '\n' ? LinePlace::start : LinePlace::inside;
        content.remove_prefix(regular);
        if (content.empty()) return;
        const char octet = content.front();
        content.remove_prefix(1);
        if (octet == '\r') {
            after_cr_ = true;
        } else if (octet == '\n') {
            out += "\r\n";
            place_ = LinePlace::start;
        } else {
            if (octet == '.' && place_ == LinePlace::start && dots_ == Dots::stuffed) out += '.';
            out += octet;
            place_ = LinePlace::inside;
        }
    }
}

void DotEncoder::finish(std::string& out) {
    if (after_cr_ || place_ == LinePlace::inside) out += "\r\n";
    if (dots_ == Dots::stuffed) out += ".\r\n";
    *this = DotEncoder();
}

}  // namespace thurn::smtp
