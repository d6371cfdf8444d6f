#pragma once

#include "spool/message.h"
#include "spool/record.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace thurn::spool {

/// Appends numbers (little endian) and texts (32 bits of length, then the octets) to a string.
class Writer {
public:
    explicit Writer(std::string& out) : out_(out) {}
    void u8(std::uint8_t number) { out_.push_back(static_cast<char>(number)); }
    void u32(std::uint32_t number) { put(number, 4); }
    void u64(std::uint64_t number) { put(number, 8); }
    void time(base::Time moment) { u64(static_cast<std::uint64_t>(moment.time_since_epoch().count())); }
    void text(std::string_view octets);

private:
    void put(std::uint64_t number, int octets);
    std::string& out_;
};

/// Reads what Writer wrote. Total: past the end, or after a length that does not fit, everything reads as zero and ok() is false.
class Reader {
public:
    explicit Reader(std::string_view octets) : rest_(octets) {}
    [[nodiscard]] std::uint8_t u8() { return static_cast<std::uint8_t>(take(1)); }
    [[nodiscard]] std::uint32_t u32() { return static_cast<std::uint32_t>(take(4)); }
    [[nodiscard]] std::uint64_t u64() { return take(8); }
    [[nodiscard]] base::Time time() { return base::Time(base::Duration(static_cast<std::int64_t>(u64()))); }
    [[nodiscard]] std::string text();
    [[nodiscard]] std::size_t left() const { return rest_.size(); }
    [[nodiscard]] bool ok() const { return ok_; }
    /// Everything was read, and all of it was there.
    [[nodiscard]] bool done() const { return ok_ && rest_.empty(); }
    void spoil() { ok_ = false, rest_ = {}; }

private:
    [[nodiscard]] std::uint64_t take(std::size_t octets);
    std::string_view rest_;
    bool ok_ = true;
};

void write_state(Writer& out, const RecipientState& state);
void write_recipient(Writer& out, const Recipient& recipient);
/// The envelope without its recipients.
void write_envelope_head(Writer& out, const Envelope& envelope);
void write_recipients(Writer& out, const std::vector<Recipient>& recipients);

[[nodiscard]] Place read_place(Reader& in);
[[nodiscard]] RecipientState read_state(Reader& in);
[[nodiscard]] Recipient read_recipient(Reader& in);
[[nodiscard]] Envelope read_envelope_head(Reader& in);
[[nodiscard]] std::vector<Recipient> read_recipients(Reader& in);

}  // namespace thurn::spool
