// The tree walk of RFC 9989 §4.10. From a.b.example.com it asks for the records of
//     a.b.example.com   b.example.com   example.com   com
// and stops early at a record with `psd=y` or `psd=n`. Who the registrant is, the walk tells afterwards: `psd=n` says "I am", `psd=y` says
// "the one below me is", and where nobody says, the highest record found is the registrant's, because registries without `psd=y` publish
// none. Names of eight labels and more skip to the seventh, so a walk takes at most eight questions however long the name.
#include "mailauth/dmarc_tree.h"

#include <algorithm>

namespace thurn::mailauth {
namespace {

constexpr std::ptrdiff_t kMostLabelsAbove = 7;
constexpr std::size_t kLongestName = 253;  // RFC 1035 §2.3.4, without the root

std::ptrdiff_t labels_of(std::string_view domain) { return std::ranges::count(domain, '.') + 1; }

std::string_view parent_of(std::string_view domain) { return domain.substr(std::min(domain.find('.'), domain.size() - 1) + 1); }

std::string_view last_labels(std::string_view domain, std::ptrdiff_t count) {
    while (labels_of(domain) > count) domain = parent_of(domain);
    return domain;
}

bool ends_walk(const DmarcRecord& record) { return record.psd != DmarcRecord::PublicSuffix::unknown; }

/// RFC 9989 §4.10.2; `found` in the order of the walk.
std::string organizational_domain(const std::string& start, const std::vector<PublishedDmarcRecord>& found) {
    if (found.empty()) return start;
    const auto& [domain, record] = found.back();  // a `psd` ended the walk, so no other record but the last has one
    if (record.psd == DmarcRecord::PublicSuffix::yes && domain != start) return std::string(last_labels(start, labels_of(domain) + 1));
    return domain;
}

/// RFC 9989 §4.10: what is no DMARC record is not counted, and of several, none.
std::optional<DmarcRecord> only_record_in(const dns::Answer& answer) {
    std::optional<DmarcRecord> only;
    for (const auto& each : answer.records) {
        const auto* text = std::get_if<dns::Text>(&each);
        auto record = text != nullptr ? parse_dmarc_record(text->octets) : std::nullopt;
        if (record && only) return std::nullopt;
        if (record) only = std::move(record);
    }
    return only;
}

}  // namespace

std::optional<std::string_view> next_of_dmarc_walk(std::string_view domain) {
    if (!domain.contains('.')) return std::nullopt;
    return labels_of(domain) > kMostLabelsAbove ? last_labels(domain, kMostLabelsAbove) : parent_of(domain);
}

const DmarcRecord* DmarcWalk::record_of(std::string_view domain) const {
    const auto at = std::ranges::find(found, domain, &PublishedDmarcRecord::domain);
    return at == found.end() ? nullptr : &at->record;
}

Evaluation<DmarcTree::Looked> DmarcTree::look_at(std::string domain) {
    if (const auto known = known_.find(domain); known != known_.end()) co_return known->second;
    const std::string name = "_dmarc." + domain;
    // A domain may be so long that no name stands below it: there is no record then, and nothing to ask.
    if (name.size() > kLongestName) co_return Looked{.record = std::nullopt, .status = dns::Status::no_name, .trouble = {}};
    const dns::Answer answer = co_await dns_.ask({name, dns::Type::txt});
    Looked looked{.record = only_record_in(answer), .status = answer.status, .trouble = {}};
    if (answer.status == dns::Status::failed || answer.status == dns::Status::bogus)
        looked.trouble = "the TXT of " + name + " cannot be looked up" + (answer.detail.empty() ? "" : ": " + answer.detail);
    known_.emplace(domain, looked);
    co_return looked;
}

Evaluation<DmarcWalk> DmarcTree::walk_from(std::string domain) {
    if (suffixes_ != nullptr) co_return co_await look_at_registrable_domain(domain);
    co_return co_await walk_up(domain);
}

Evaluation<DmarcWalk> DmarcTree::walk_up(const std::string& domain) {
    DmarcWalk walk;
    for (std::optional<std::string_view> at = domain; at; at = next_of_dmarc_walk(*at)) {
        const std::string here(*at);
        Looked looked = co_await look_at(here);
        const bool matters = here.contains('.') || walk.found.empty();
        if (!looked.trouble.empty() && matters) walk.trouble = looked.trouble;
        if (!looked.record) continue;
        walk.found.push_back({here, *looked.record});
        if (ends_walk(*looked.record)) break;
    }
    walk.organizational_domain = organizational_domain(domain, walk.found);
    co_return walk;
}

Evaluation<DmarcWalk> DmarcTree::look_at_registrable_domain(const std::string& domain) {
    DmarcWalk walk;
    walk.organizational_domain = suffixes_->registrable_domain(domain).value_or(domain);
    for (const std::string& at : {domain, walk.organizational_domain}) {
        if (walk.record_of(at) != nullptr) continue;
        Looked looked = co_await look_at(at);
        if (!looked.trouble.empty()) walk.trouble = looked.trouble;
        if (looked.record) walk.found.push_back({at, *looked.record});
    }
    co_return walk;
}

}  // namespace thurn::mailauth
