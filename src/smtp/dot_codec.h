#pragma once

#include "smtp/line_scan.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace thurn::smtp {

/// What is wrong with a content as a whole.
/// `nul`: RFC 5321 §4.5.2 wants only what 7BIT and 8BITMIME allow, and neither allows NUL (RFC 6152 §3); readers in C stop at it.
enum class ContentFault { none, bare_cr, bare_lf, nul, line_too_long };

/// `stuffed`: content follows DATA. `plain`: it comes in the counted chunks of BDAT, where a dot is only a dot (RFC 3030 §2).
enum class Dots { stuffed, plain };

/// Takes the dots out of what follows DATA and finds its end (RFC 5321 §4.5.2).
///
/// Shape   Only CRLF ends a line, only CRLF.CRLF the content (`.CRLF` at once is an empty content). A fault's step still gives
///         what was before it, then no more content comes out, but the end is still looked for in the same way, so nothing behind a bare CR or LF can be taken for a command.
///         With plain dots there is no end to be found: the caller knows it, and calls finish().
/// Loop    step() until it has consumed all, or ended().
/// Limits  Holds no octets. One pass; views are as long as the input and its dots allow.
class DotDecoder {
public:
    DotDecoder() = default;
    /// `line_limit`: octets of a content line with its CRLF; 0 for none.
    explicit DotDecoder(std::size_t line_limit, Dots dots = Dots::stuffed) : line_limit_(line_limit), dots_(dots) {}

    struct Step {
        std::string_view content;  // into `wire`, or a constant
        std::size_t consumed = 0;
    };
    /// Precondition: not ended(), `wire` not empty.
    [[nodiscard]] Step step(std::string_view wire);
    /// The content with plain dots is over: gives what its last line lacks. May find a last fault. Precondition: no fault yet.
    [[nodiscard]] std::string_view finish();
    [[nodiscard]] bool ended() const { return place_ == Place::ended; }
    [[nodiscard]] ContentFault fault() const { return fault_; }

private:
    enum class Place { line_start, inside, cr, dot, dot_cr, ended };  // `cr`, `dot_cr`: the CR is consumed, not yet judged

    Step read_text(std::string_view wire);
    Step judge(char irregular, std::size_t regular, std::string_view wire);
    Step skip_text(std::string_view wire);
    Step after_cr(char octet);
    Step after_dot_cr(char octet);
    std::size_t measure_lines(std::string_view content);
    void set_fault(ContentFault fault);

    std::size_t line_limit_ = 0;
    Dots dots_ = Dots::stuffed;
    std::size_t line_length_ = 0;
    Place place_ = Place::line_start;
    ContentFault fault_ = ContentFault::none;
};

/// Makes any text fit to follow DATA, or with plain dots BDAT: dots doubled, bare CR and bare LF made CRLF, the last line ended, then the dot (RFC 5321 §4.5.2).
///
/// Shape    The output holds CR and LF only as CRLF, and `CRLF.CRLF` only at its end: no peer, however lax, can see an early one.
///          The ends of both kinds of content: finish() adds the final dot to the stuffed one, the missing CRLF to both.
class DotEncoder {
public:
    DotEncoder() = default;
    explicit DotEncoder(Dots dots) : dots_(dots) {}
    /// Appends to `out`.
    void encode(std::string_view content, std::string& out);
    /// Appends what ends the content; then the encoder is as new, for stuffed dots.
    void finish(std::string& out);

private:
    Dots dots_ = Dots::stuffed;
    LinePlace place_ = LinePlace::start;
    bool after_cr_ = false;  // the last octet was a CR, not yet written
};

}  // namespace thurn::smtp
