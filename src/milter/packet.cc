#include "milter/packet.h"

#include <fmt/format.h>

namespace thurn::milter {

namespace {

constexpr std::size_t kLength = 4;

std::uint32_t read_number(std::string_view octets) {
    std::uint32_t value = 0;
    for (const char octet : octets.substr(0, kLength)) value = value << 8 | static_cast<unsigned char>(octet);
    return value;
}

char octet_of(std::uint32_t value, unsigned shift) { return static_cast<char>(static_cast<unsigned char>(value >> shift)); }

}  // namespace

base::Result<std::optional<Packet>> PacketReader::next() {
    if (error_) return std::unexpected(*error_);
    if (consumed_ > 0) {
        input_.erase(0, consumed_);
        consumed_ = 0;
    }
    if (input_.size() < kLength) return std::nullopt;
    const std::size_t length = read_number(input_);
    if (length == 0) error_ = {base::ErrorKind::syntax, "a packet of no octets"};
    if (length > most_octets_)
        error_ = {base::ErrorKind::too_long, fmt::format("a packet of {} octets, more than {}", length, most_octets_)};
    if (error_) return std::unexpected(*error_);
    if (input_.size() - kLength < length) return std::nullopt;
    consumed_ = kLength + length;
    const std::string_view packet = std::string_view(input_).substr(kLength, length);
    return Packet{.word = packet.front(), .payload = packet.substr(1)};
}

void PacketWriter::begin(char word) {
    begun_ = output_.size();
    output_.append(kLength, '\0');
    output_ += word;
}

void PacketWriter::number(std::uint32_t value) {
    for (const unsigned shift : {24U, 16U, 8U, 0U}) output_ += octet_of(value, shift);
}

void PacketWriter::port(std::uint16_t value) {
    output_ += octet_of(value, 8);
    output_ += octet_of(value, 0);
}

void PacketWriter::text(std::string_view value) {
    for (auto end = value.find('\0'); end != std::string_view::npos; end = value.find('\0')) {
        output_ += value.substr(0, end);
        value.remove_prefix(end + 1);
    }
    output_ += value;
    output_ += '\0';
}

void PacketWriter::end() {
    const auto length = static_cast<std::uint32_t>(output_.size() - begun_ - kLength);
    for (std::size_t k = 0; k < kLength; ++k) output_[begun_ + k] = octet_of(length, 24U - 8U * static_cast<unsigned>(k));
}

std::uint32_t PayloadReader::number() {
    if (rest_.size() < kLength) {
        failed_ = true;
        rest_ = {};
        return 0;
    }
    const auto value = read_number(rest_);
    rest_.remove_prefix(kLength);
    return value;
}

std::string_view PayloadReader::text() {
    const auto end = rest_.find('\0');
    if (end == std::string_view::npos) {
        failed_ = true;
        rest_ = {};
        return {};
    }
    const auto value = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return value;
}

}  // namespace thurn::milter
