#include "mailauth/dkim_message.h"

#include "base/ascii.h"

#include <algorithm>

namespace thurn::mailauth {
namespace {

std::string lower(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(), base::to_lower);
    return result;
}

/// Where the empty line ends that is not before `from`; npos without one. The octets before `from` hold none.
std::size_t find_body(std::string_view text, std::size_t from) {
    if (text.starts_with("\r\n")) return 2;
    const std::size_t found = text.find("\r\n\r\n", from);
    return found == std::string_view::npos ? found : found + 4;
}

}  // namespace

MessageHeader::MessageHeader(std::string octets) : octets_(std::move(octets)), parsed_(mail::parse_header(octets_)) {
    for (std::size_t i = 0; i < parsed_.fields.size(); ++i) by_name_[lower(parsed_.fields[i].name)].push_back(i);
    malformed_ = parsed_.size != octets_.size();
}

std::string_view MessageHeader::raw(std::size_t field) const {
    const auto& [name, value] = parsed_.fields[field];
    return {name.data(), static_cast<std::size_t>(value.data() + value.size() - name.data())};
}

const std::vector<std::size_t>& MessageHeader::named(std::string_view name) const {
    static const std::vector<std::size_t> none;
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? none : found->second;
}

std::string_view HeaderCollector::feed(std::string_view chunk) {
    if (ended_) return chunk;
    if (overflowed_) return {};
    const std::size_t before = octets_.size();
    octets_.append(chunk);
    const std::size_t end = find_body(octets_, before < 3 ? 0 : before - 3);  // the empty line may have begun in an earlier chunk
    if (std::min(end, octets_.size()) > max_size_) {
        overflowed_ = true;
        octets_ = {};
        return {};
    }
    if (end == std::string_view::npos) return {};
    ended_ = true;
    octets_.resize(end);
    return chunk.substr(end - before);
}

}  // namespace thurn::mailauth
