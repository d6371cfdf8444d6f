#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace thurn::smtp {

/// What a client sent and nobody has read yet; finds its lines.
///
/// Lines    Only CRLF ends one (RFC 5321 §2.3.8). A line with a bare LF, and one over its limit, is dropped up to its CRLF, as it comes.
/// Limits   Beyond what one append() brought, holds no more than one unfinished line within its limit. Linear in what comes in.
/// Secrets  Any line may hold a password: each is wiped when it is taken or dropped, and no copy is left behind when the buffer grows.
class InputBuffer {
public:
    void append(std::string_view octets);
    [[nodiscard]] std::string_view unread() const { return std::string_view(octets_).substr(consumed_); }
    void consume(std::size_t count) { consumed_ += count; }
    /// Forgets everything, a line being dropped too.
    void clear();
    /// Gives the memory back if all was read.
    void release();

    enum class Found {
        line,        // see line(); take_line() before anything else
        incomplete,  // more octets are needed
        bare_lf,     // told at once; the dropping goes on behind it
        dropped,     // the end of that dropping; the next line may have another limit
        too_long,    // told when its end is there; see head()
        endless,     // 16 MiB were dropped and there is still no end
    };
    /// Looks at what comes next as a line. `limit`: octets with its CRLF.
    [[nodiscard]] Found find_line(std::size_t limit);
    /// Whether unread() begins with a line, and not with the rest of one that is dropped.
    [[nodiscard]] bool at_line_start() const { return dropping_ == Dropping::nothing; }
    /// Of bare_lf, without its LF.
    [[nodiscard]] std::string_view broken_line() const { return unread().substr(0, line_length_ - 1); }
    /// Without its CRLF.
    [[nodiscard]] std::string_view line() const { return unread().substr(0, line_length_ - 2); }
    void take_line();
    /// The first octets of the line that was too long.
    [[nodiscard]] std::string_view head() const { return head_; }

private:
    enum class Dropping { nothing, refused, untold };  // `refused`: its reply was said already

    bool drop();
    void wipe_and_consume(std::size_t count);

    std::string octets_;
    std::size_t consumed_ = 0;  // octets at the front that were read
    std::size_t scanned_ = 0;   // unread octets known to hold no LF
    std::size_t line_length_ = 0;
    Dropping dropping_ = Dropping::nothing;
    std::size_t dropped_ = 0;
    bool after_cr_ = false;  // the last octet dropped was a CR
    std::string head_;
};

}  // namespace thurn::smtp
