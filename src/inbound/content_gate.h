#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace thurn::inbound {

/// Holds arriving content back until its header section is whole: then it is known what it says, what goes out of it, and who signs or
/// checks it. Content with its header in the first chunk, which is nearly all, is not copied.
///
/// Removed  Authentication-Results that claim to be ours are forged, or from a time before the message was elsewhere (RFC 8601 §5).
/// Limits   A header of more octets than `max_header` sets overflowed(); nothing is let through any more.
class ContentGate {
public:
    /// `header`: to be stored. `original`: the same as it came. Both are empty but once, when the gate opens; with the empty line, where there
    /// is one. Views into the chunk, or into this object, valid until the next call.
    struct Passed {
        std::string_view header{};
        std::string_view original{};
        std::string_view body{};
    };
    struct Options {
        std::size_t max_header = std::size_t{256} << 10;
        std::string own_id{};  // whose Authentication-Results are removed; empty: none are
    };
    ContentGate() = default;
    explicit ContentGate(Options options) : options_(std::move(options)) {}

    [[nodiscard]] Passed feed(std::string_view chunk);
    /// The content is at its end: what was still held back.
    [[nodiscard]] Passed finish();
    /// Whether the header was seen; from then on the facts below hold.
    [[nodiscard]] bool opened() const { return opened_; }
    [[nodiscard]] bool overflowed() const { return overflowed_; }
    [[nodiscard]] std::size_t received_fields() const { return received_fields_; }
    [[nodiscard]] bool has_date() const { return has_date_; }
    [[nodiscard]] bool has_message_id() const { return has_message_id_; }
    /// `TLS-Required: No` (RFC 8689 §3).
    [[nodiscard]] bool tls_not_required() const { return tls_not_required_; }
    [[nodiscard]] bool eight_bit() const { return eight_bit_; }
    [[nodiscard]] bool eight_bit_header() const { return eight_bit_header_; }
    /// Octets that go into the message beside those that came.
    void look_for_eight_bit(std::string_view octets);

private:
    Passed open(std::string_view content, std::size_t header_size);
    Passed overflow();

    Options options_;
    std::string held_;
    std::string kept_;  // the header without what was removed
    bool opened_ = false;
    bool overflowed_ = false;
    bool has_date_ = false;
    bool has_message_id_ = false;
    bool tls_not_required_ = false;
    bool eight_bit_ = false;
    bool eight_bit_header_ = false;
    std::size_t received_fields_ = 0;
};

}  // namespace thurn::inbound
