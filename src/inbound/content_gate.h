#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace thurn::inbound {

/// Holds arriving content back until its header section is whole, so that fields can be put on top and loops be counted
/// before anything is stored. Content with its header in the first chunk, which is nearly all, is not copied.
///
/// Limits   A header beyond 64 KiB is passed on as far as it came; what is counted and completed is what was seen.
class ContentGate {
public:
    /// Takes a chunk; gives what can be stored now: a view into the chunk, or into this object, valid until the next call.
    [[nodiscard]] std::string_view feed(std::string_view chunk);
    /// The content is at its end: what was still held back.
    [[nodiscard]] std::string_view finish();
    /// Whether the header was seen; from then on the facts below hold.
    [[nodiscard]] bool opened() const { return opened_; }
    [[nodiscard]] std::size_t received_fields() const { return received_fields_; }
    [[nodiscard]] bool has_date() const { return has_date_; }
    [[nodiscard]] bool has_message_id() const { return has_message_id_; }
    /// `TLS-Required: No` (RFC 8689 §5).
    [[nodiscard]] bool tls_not_required() const { return tls_not_required_; }
    [[nodiscard]] bool eight_bit() const { return eight_bit_; }
    [[nodiscard]] bool eight_bit_header() const { return eight_bit_header_; }

private:
    std::string_view open(std::string_view content);
    void look_for_eight_bit(std::string_view octets);

    std::string held_;
    bool opened_ = false;
    bool has_date_ = false;
    bool has_message_id_ = false;
    bool tls_not_required_ = false;
    bool eight_bit_ = false;
    bool eight_bit_header_ = false;
    std::size_t received_fields_ = 0;
};

}  // namespace thurn::inbound
