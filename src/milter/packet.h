#pragma once

#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace thurn::milter {

/// One packet: its first octet and the rest. A view, valid until the reader is called again.
struct Packet {
    char word = 0;
    std::string_view payload;
};

/// Cuts a stream into packets: a length of four octets, high ones first, then as many octets.
///
/// Errors   `syntax`: a packet without its first octet; `too_long`: one over the limit, before it is there. The reader is dead then.
class PacketReader {
public:
    explicit PacketReader(std::size_t most_octets) : most_octets_(most_octets) {}
    void receive(std::string_view octets) { input_ += octets; }
    /// Nothing when more octets are needed.
    [[nodiscard]] base::Result<std::optional<Packet>> next();
    [[nodiscard]] bool has_leftover() const { return consumed_ < input_.size(); }

private:
    std::size_t most_octets_;
    std::string input_;
    std::size_t consumed_ = 0;
    std::optional<base::Error> error_;
};

/// Makes packets, one after the other, in one string for the wire.
class PacketWriter {
public:
    void begin(char word);
    void number(std::uint32_t value);
    void port(std::uint16_t value);
    void octet(char value) { output_ += value; }
    void octets(std::string_view value) { output_ += value; }
    /// With a NUL behind it; NULs in it are left out.
    void text(std::string_view value);
    void end();
    [[nodiscard]] bool empty() const { return output_.empty(); }
    [[nodiscard]] std::size_t size() const { return output_.size(); }
    [[nodiscard]] std::string take() { return std::exchange(output_, {}); }

private:
    std::string output_;
    std::size_t begun_ = 0;
};

/// Takes values off the front of a payload. What is not there sets failed() and reads as empty.
class PayloadReader {
public:
    explicit PayloadReader(std::string_view payload) : rest_(payload) {}
    [[nodiscard]] std::uint32_t number();
    /// Up to a NUL.
    [[nodiscard]] std::string_view text();
    [[nodiscard]] bool at_end() const { return rest_.empty(); }
    [[nodiscard]] bool failed() const { return failed_; }
    /// Everything was there, and nothing is left.
    [[nodiscard]] bool complete() const { return !failed_ && rest_.empty(); }

private:
    std::string_view rest_;
    bool failed_ = false;
};

}  // namespace thurn::milter
