// The first octet chooses the type asked for; the rest is the packet. The name asked for is the one in the packet's question, where there
// is one.
#include "dns/dns.h"
#include "dns/name.h"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

using namespace thurn;

constexpr dns::Type kTypes[] = {dns::Type::a,  dns::Type::ns,  dns::Type::cname, dns::Type::soa, dns::Type::ptr,
                                dns::Type::mx, dns::Type::txt, dns::Type::aaaa,  dns::Type::tlsa};

void require(bool truth) {
    if (!truth) std::abort();
}

/// A name we give out can be read back, is lower case, and holds nothing that could harm a log or a header.
void check_name(const std::string& text) {
    for (const char octet : text)
        require((octet >= 'a' && octet <= 'z') || (octet >= '0' && octet <= '9') ||
                std::string_view("-_*/.\\").find(octet) != std::string_view::npos);
    const auto name = dns::parse_name(text);
    require(name.has_value() && name->labels.size() <= 254 && dns::render_name(*name) == text);
}

void check_record(const dns::Record& record, std::size_t packet) {
    if (const auto* mx = std::get_if<dns::Mx>(&record)) check_name(mx->exchange);
    if (const auto* name = std::get_if<dns::NameRecord>(&record)) check_name(name->target);
    if (const auto* text = std::get_if<dns::Text>(&record)) require(text->octets.size() < packet);
    if (const auto* rest = std::get_if<dns::Opaque>(&record)) require(rest->octets.size() < packet);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const dns::Type type = kTypes[data[0] % std::size(kTypes)];
    const std::string packet(reinterpret_cast<const char*>(data) + 1, size - 1);
    dns::Question question{"a.example", type};
    std::size_t at = 12;
    if (packet.size() > at) {
        if (const auto asked = dns::take_name(packet, at)) question.name = dns::render_name(*asked);
    }
    const auto answer = dns::parse_answer(packet, question);
    if (!answer) return 0;
    require((answer->status == dns::Status::ok) == !answer->records.empty());
    require(answer->ttl.count() >= 0 && answer->ttl.count() <= 0x7fffffff);
    require((answer->status == dns::Status::failed) == !answer->detail.empty());
    check_name(answer->canonical_name);
    for (const auto& record : answer->records) check_record(record, packet.size());
    return 0;
}
