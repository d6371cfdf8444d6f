#pragma once

#include "base/result.h"

#include <array>
#include <chrono>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace thurn::dns {

enum class Type : std::uint16_t { a = 1, ns = 2, cname = 5, soa = 6, ptr = 12, mx = 15, txt = 16, aaaa = 28, tlsa = 52 };

/// What a core asks; the driver puts it to a Resolver and hands the Answer back.
/// Shape    `name` is in presentation form, lower case, without a trailing dot, A-labels only.
struct Question {
    std::string name;
    Type type = Type::a;
    friend auto operator<=>(const Question&, const Question&) = default;
};

struct Ipv4 {
    std::array<std::uint8_t, 4> octets{};
    friend auto operator<=>(const Ipv4&, const Ipv4&) = default;
};
struct Ipv6 {
    std::array<std::uint8_t, 16> octets{};
    friend auto operator<=>(const Ipv6&, const Ipv6&) = default;
};
struct Mx {
    std::uint16_t preference = 0;
    std::string exchange;
    friend auto operator<=>(const Mx&, const Mx&) = default;
};  // exchange empty: the root, "null MX"
struct NameRecord {
    std::string target;
    friend auto operator<=>(const NameRecord&, const NameRecord&) = default;
};  // CNAME, PTR, NS
struct Text {
    std::string octets;
    friend auto operator<=>(const Text&, const Text&) = default;
};  // TXT strings joined
struct Opaque {
    std::string octets;
    friend auto operator<=>(const Opaque&, const Opaque&) = default;
};  // any other type's RDATA

using Record = std::variant<Ipv4, Ipv6, Mx, NameRecord, Text, Opaque>;

enum class Status {
    ok,       // records of the asked type, after following CNAMEs
    no_data,  // the name exists, without such records
    no_name,  // NXDOMAIN
    failed,   // SERVFAIL, refused, malformed, time-out: ask again later
    bogus,    // DNSSEC says the answer is forged: as bad as failed, and worth telling
};

struct Answer {
    Status status = Status::failed;
    std::vector<Record> records;
    bool secure = false;  // DNSSEC-validated along the whole chain
    std::chrono::seconds ttl{0};
    std::string canonical_name;  // where CNAMEs led, or the name asked
    std::string detail;          // for people, when failed or bogus
};

/// Reads a raw answer packet. Follows CNAMEs inside it; ignores records of other names and types.
/// Names   In presentation form; octets other than letters, digits, `-`, `_`, `*` and `/` come as `\DDD` (see dns/name.h), so a name that
///         is no host name shows it.
/// Limits  Compression pointers go backwards only, at most 127 labels and 255 octets a name, 16 CNAMEs; linear.
/// Errors  `syntax`: cut short, loops, RDATA that does not fit its type; `syntax`, `too_long`: the name asked for is none. A response code
///         other than NOERROR and NXDOMAIN is no error but Status::failed.
[[nodiscard]] base::Result<Answer> parse_answer(std::string_view packet, const Question& question);

[[nodiscard]] std::string render_ipv4(const Ipv4& address);
[[nodiscard]] std::string render_ipv6(const Ipv6& address);
/// `4.3.2.1.in-addr.arpa`, nibbles under `ip6.arpa`.
[[nodiscard]] std::string reverse_name(const Ipv4& address);
[[nodiscard]] std::string reverse_name(const Ipv6& address);
[[nodiscard]] std::string_view type_name(Type type);

}  // namespace thurn::dns
