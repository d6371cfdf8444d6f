#include "mailauth/lookup.h"

#include <fmt/format.h>

namespace thurn::mailauth {
namespace {

constexpr std::size_t kMostLookups = 200;
constexpr std::size_t kLongestAnswer = 200;

std::string render(const dns::Record& record) {
    struct Renderer {
        std::string operator()(const dns::Ipv4& address) const { return dns::render_ipv4(address); }
        std::string operator()(const dns::Ipv6& address) const { return dns::render_ipv6(address); }
        std::string operator()(const dns::Mx& mx) const {
            return fmt::format("{} {}", mx.preference, mx.exchange.empty() ? "." : mx.exchange);
        }
        std::string operator()(const dns::NameRecord& name) const { return name.target; }
        std::string operator()(const dns::Text& text) const { return '"' + text.octets + '"'; }
        std::string operator()(const dns::Opaque&) const { return "(another record)"; }
    };
    return std::visit(Renderer{}, record);
}

}  // namespace

std::string summarize(const dns::Answer& answer) {
    switch (answer.status) {
        case dns::Status::ok:
            break;
        case dns::Status::no_data:
            return "no such record";
        case dns::Status::no_name:
            return "no such name";
        case dns::Status::failed:
            return "failed: " + answer.detail;
        case dns::Status::bogus:
            return "forged, says DNSSEC: " + answer.detail;
    }
    std::string all;
    for (const auto& record : answer.records) {
        if (!all.empty()) all += ", ";
        all += render(record);
        if (all.size() <= kLongestAnswer) continue;
        all.resize(kLongestAnswer - 3);
        return all + "...";
    }
    return all;
}

void LookupLog::note(const dns::Question& question, const dns::Answer& answer) {
    if (lookups_.size() < kMostLookups) lookups_.push_back({question, summarize(answer)});
}

}  // namespace thurn::mailauth
