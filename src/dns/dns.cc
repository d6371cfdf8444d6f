#include "dns/dns.h"

#include "dns/name.h"

#include <algorithm>
#include <optional>
#include <string>

namespace thurn::dns {

namespace {

using base::ErrorKind;

constexpr std::size_t kHeader = 12;     // octets, RFC 1035 §4.1.1
constexpr std::uint16_t kInternet = 1;  // class IN
constexpr std::size_t kMostAliases = 16;

struct Header {
    std::uint16_t flags;
    std::uint16_t questions;
    std::uint16_t answers;
    std::uint16_t authorities;
    [[nodiscard]] bool is_answer() const { return (flags & 0x8000U) != 0; }
    [[nodiscard]] bool truncated() const { return (flags & 0x0200U) != 0; }
    [[nodiscard]] unsigned code() const { return flags & 0x000fU; }
};

/// A resource record whose RDATA has not been read yet; it stays in the packet because names in it may point anywhere before.
struct RawRecord {
    WireName owner;
    std::uint16_t type;
    std::uint16_t record_class;
    std::uint32_t ttl;
    std::size_t begin;  // of the RDATA
    std::size_t end;
};

std::unexpected<base::Error> cut_short() { return base::fail(ErrorKind::syntax, "DNS answer is cut short"); }

std::unexpected<base::Error> bad_rdata(Type type) {
    return base::fail(ErrorKind::syntax, "DNS answer with a malformed " + std::string(type_name(type)) + " record");
}

std::uint16_t u16(std::string_view packet, std::size_t at) {
    return static_cast<std::uint16_t>((static_cast<std::uint8_t>(packet[at]) << 8U) | static_cast<std::uint8_t>(packet[at + 1]));
}

std::uint32_t u32(std::string_view packet, std::size_t at) {
    return (static_cast<std::uint32_t>(u16(packet, at)) << 16U) | u16(packet, at + 2);
}

base::Result<Header> parse_header(std::string_view packet) {
    if (packet.size() < kHeader) return cut_short();
    const Header header{u16(packet, 2), u16(packet, 4), u16(packet, 6), u16(packet, 8)};
    if (!header.is_answer()) return base::fail(ErrorKind::syntax, "DNS packet is no answer");
    return header;
}

base::Result<void> skip_questions(std::string_view packet, std::size_t& at, std::uint16_t count) {
    for (std::uint16_t seen = 0; seen < count; ++seen) {
        if (auto name = take_name(packet, at); !name) return base::pass_on(name);
        if (packet.size() - at < 4) return cut_short();
        at += 4;
    }
    return {};
}

base::Result<RawRecord> take_record(std::string_view packet, std::size_t& at) {
    auto owner = take_name(packet, at);
    if (!owner) return base::pass_on(owner);
    if (packet.size() - at < 10) return cut_short();
    std::uint32_t ttl = u32(packet, at + 4);
    if (ttl > 0x7fffffffU) ttl = 0;  // RFC 2181 §8
    const std::size_t size = u16(packet, at + 8);
    const RawRecord record{*std::move(owner), u16(packet, at), u16(packet, at + 2), ttl, at + 10, at + 10 + size};
    if (record.end > packet.size()) return cut_short();
    at = record.end;
    return record;
}

base::Result<std::vector<RawRecord>> take_records(std::string_view packet, std::size_t& at, std::uint16_t count) {
    std::vector<RawRecord> records;
    for (std::uint16_t seen = 0; seen < count; ++seen) {
        auto record = take_record(packet, at);
        if (!record) return base::pass_on(record);
        if (record->record_class == kInternet) records.push_back(*std::move(record));
    }
    return records;
}

/// The name that is all the RDATA behind `at`.
base::Result<std::string> read_target(std::string_view packet, std::size_t at, std::size_t end, Type type) {
    // A pointer needs two octets, so a name that ends where the RDATA does was not read beyond it.
    auto name = take_name(packet.substr(0, end), at);
    if (!name || at != end) return bad_rdata(type);
    return render_name(*name);
}

template <class Address>
base::Result<Record> read_address(std::string_view octets, Type type) {
    Address address;
    if (octets.size() != address.octets.size()) return bad_rdata(type);
    std::ranges::transform(octets, address.octets.begin(), [](char octet) { return static_cast<std::uint8_t>(octet); });
    return address;
}

base::Result<Record> read_mx(std::string_view packet, const RawRecord& raw) {
    if (raw.end - raw.begin < 3) return bad_rdata(Type::mx);
    auto exchange = read_target(packet, raw.begin + 2, raw.end, Type::mx);
    if (!exchange) return base::pass_on(exchange);
    return Mx{u16(packet, raw.begin), *std::move(exchange)};
}

/// RFC 1035 §3.3.14: one or more strings, each behind its length. Servers with none are borne: one odd record must not hide those beside it.
base::Result<Record> read_text(std::string_view rdata) {
    Text text;
    while (!rdata.empty()) {
        const std::size_t size = static_cast<std::uint8_t>(rdata.front());
        if (rdata.size() - 1 < size) return bad_rdata(Type::txt);
        text.octets.append(rdata.substr(1, size));
        rdata.remove_prefix(1 + size);
    }
    return text;
}

base::Result<Record> read_name_record(std::string_view packet, const RawRecord& raw, Type type) {
    auto target = read_target(packet, raw.begin, raw.end, type);
    if (!target) return base::pass_on(target);
    return NameRecord{*std::move(target)};
}

base::Result<Record> read_record(std::string_view packet, const RawRecord& raw, Type type) {
    const std::string_view rdata = packet.substr(raw.begin, raw.end - raw.begin);
    switch (type) {
        case Type::a:
            return read_address<Ipv4>(rdata, type);
        case Type::aaaa:
            return read_address<Ipv6>(rdata, type);
        case Type::mx:
            return read_mx(packet, raw);
        case Type::txt:
            return read_text(rdata);
        case Type::ns:
        case Type::cname:
        case Type::ptr:
            return read_name_record(packet, raw, type);
        case Type::soa:
        case Type::tlsa:
            break;
    }
    return Opaque{std::string(rdata)};
}

const RawRecord* find_alias(const std::vector<RawRecord>& records, const WireName& owner) {
    const auto alias = std::ranges::find_if(records, [&owner](const RawRecord& record) {
        return record.type == static_cast<std::uint16_t>(Type::cname) && record.owner == owner;
    });
    return alias == records.end() ? nullptr : &*alias;
}

/// Puts `name` where its CNAMEs lead within the answer, and takes their lifetimes into account.
base::Result<void> follow_aliases(std::string_view packet, const std::vector<RawRecord>& records, WireName& name, std::uint32_t& ttl) {
    for (std::size_t steps = 0; const RawRecord* const alias = find_alias(records, name); ++steps) {
        if (steps == kMostAliases) return base::fail(ErrorKind::syntax, "DNS answer with a loop or too long a chain of CNAMEs");
        std::size_t at = alias->begin;
        auto target = take_name(packet.substr(0, alias->end), at);
        if (!target || at != alias->end) return bad_rdata(Type::cname);
        name = *std::move(target);
        ttl = std::min(ttl, alias->ttl);
    }
    return {};
}

/// How long an empty answer holds: RFC 2308 §5, the lesser of the SOA's TTL and its last field.
std::uint32_t negative_ttl(std::string_view packet, const std::vector<RawRecord>& authority) {
    for (const auto& record : authority) {
        if (record.type == static_cast<std::uint16_t>(Type::soa) && record.end - record.begin >= 22)
            return std::min(record.ttl, u32(packet, record.end - 4));
    }
    return 0;
}

std::string_view code_name(unsigned code) {
    switch (code) {
        case 1:
            return "FORMERR";
        case 2:
            return "SERVFAIL";
        case 4:
            return "NOTIMP";
        case 5:
            return "REFUSED";
        default:
            return "an unusual response code";
    }
}

/// Fills in the records of the asked type at `owner`.
base::Result<void> collect(std::string_view packet, const std::vector<RawRecord>& records, const WireName& owner, Type type, Answer& answer,
                           std::uint32_t& ttl) {
    for (const auto& raw : records) {
        if (raw.type != static_cast<std::uint16_t>(type) || raw.owner != owner) continue;
        auto record = read_record(packet, raw, type);
        if (!record) return base::pass_on(record);
        answer.records.push_back(*std::move(record));
        ttl = std::min(ttl, raw.ttl);
    }
    return {};
}

base::Result<Answer> read_sections(std::string_view packet, const Header& header, WireName name, Type type) {
    std::size_t at = kHeader;
    if (auto skipped = skip_questions(packet, at, header.questions); !skipped) return base::pass_on(skipped);
    auto records = take_records(packet, at, header.answers);
    if (!records) return base::pass_on(records);
    auto authority = take_records(packet, at, header.authorities);
    if (!authority) return base::pass_on(authority);

    Answer answer;
    std::uint32_t ttl = 0x7fffffffU;
    if (type != Type::cname) {
        if (auto followed = follow_aliases(packet, *records, name, ttl); !followed) return base::pass_on(followed);
    }
    if (header.code() == 0) {
        if (auto collected = collect(packet, *records, name, type, answer, ttl); !collected) return base::pass_on(collected);
    }
    answer.canonical_name = render_name(name);
    answer.status = header.code() == 3 ? Status::no_name : answer.records.empty() ? Status::no_data : Status::ok;
    if (answer.status != Status::ok) ttl = std::min(ttl, negative_ttl(packet, *authority));
    answer.ttl = std::chrono::seconds(ttl);
    return answer;
}

}  // namespace

base::Result<Answer> parse_answer(std::string_view packet, const Question& question) {
    auto name = parse_name(question.name);
    if (!name) return base::pass_on(name);
    const auto header = parse_header(packet);
    if (!header) return std::unexpected(header.error());
    Answer failed{.status = Status::failed, .records = {}, .secure = false, .ttl = {}, .canonical_name = question.name, .detail = {}};
    if (header->code() != 0 && header->code() != 3) {
        failed.detail = "the server answered " + std::string(code_name(header->code()));
        return failed;
    }
    if (header->truncated()) {
        failed.detail = "the answer is truncated";
        return failed;
    }
    return read_sections(packet, *header, *std::move(name), question.type);
}

std::string_view type_name(Type type) {
    switch (type) {
        case Type::a:
            return "A";
        case Type::ns:
            return "NS";
        case Type::cname:
            return "CNAME";
        case Type::soa:
            return "SOA";
        case Type::ptr:
            return "PTR";
        case Type::mx:
            return "MX";
        case Type::txt:
            return "TXT";
        case Type::aaaa:
            return "AAAA";
        case Type::tlsa:
            return "TLSA";
    }
    return "unknown type";
}

}  // namespace thurn::dns
