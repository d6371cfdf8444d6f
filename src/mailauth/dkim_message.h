#pragma once

#include "mail/header.h"

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace thurn::mailauth {

/// A message's header section, as all that signs and verifies looks at it.
///
/// Shape    Lines end with CRLF; the empty line behind the last field may be there or not. Numbers of fields count from 0 at the top.
/// Threads  Made once, read by many. Does not copy or move: verifiers and signers refer to it, and its views into itself.
class MessageHeader {
public:
    explicit MessageHeader(std::string octets);
    MessageHeader(const MessageHeader&) = delete;
    MessageHeader& operator=(const MessageHeader&) = delete;

    [[nodiscard]] std::string_view octets() const { return octets_; }
    [[nodiscard]] const std::vector<mail::HeaderField>& fields() const { return parsed_.fields; }
    /// `Name: value` as it stands, without the last CRLF.
    [[nodiscard]] std::string_view raw(std::size_t field) const;
    /// Where that begins.
    [[nodiscard]] std::size_t offset(std::size_t field) const { return static_cast<std::size_t>(raw(field).data() - octets_.data()); }
    /// The fields of that name, top to bottom. `name` in lower case.
    [[nodiscard]] const std::vector<std::size_t>& named(std::string_view name) const;
    /// A line in it is no field, so readers may disagree about where the header ends: no signature can vouch for what they show.
    [[nodiscard]] bool malformed() const { return malformed_; }

private:
    std::string octets_;
    mail::Header parsed_;
    std::map<std::string, std::vector<std::size_t>, std::less<>> by_name_;
    bool malformed_ = false;
};

/// Takes the header section off the front of a message that arrives in chunks.
///
/// Loop     feed() each chunk; what it gives back belongs to the body. At the end of the message a header without an empty line has ended too.
/// Limits   A header of over `max_size` octets sets overflowed(): nothing is kept any more, and all further octets are swallowed.
class HeaderCollector {
public:
    static constexpr std::size_t kMaxSize = 1U << 20U;

    explicit HeaderCollector(std::size_t max_size = kMaxSize) : max_size_(max_size) {}
    [[nodiscard]] std::string_view feed(std::string_view chunk);
    [[nodiscard]] bool ended() const { return ended_; }
    [[nodiscard]] bool overflowed() const { return overflowed_; }
    /// The header with its empty line; the collector is done then.
    [[nodiscard]] std::string take() { return std::move(octets_); }

private:
    std::size_t max_size_;
    std::string octets_;
    bool ended_ = false;
    bool overflowed_ = false;
};

}  // namespace thurn::mailauth
