#include "mailauth/dkim_key.h"

#include "base/base64.h"
#include "mailauth/dkim_tag_list.h"

#include <algorithm>

namespace thurn::mailauth {
namespace {

constexpr std::size_t kMaxString = 255;

bool names(std::string_view list, std::string_view word) {
    const auto words = split_value(list, ':');
    return std::ranges::find(words, word) != words.end();
}

base::Result<KeyType> parse_type(std::string_view value) {
    for (const auto type : {KeyType::rsa, KeyType::ed25519})
        if (value == name_of(type)) return type;
    return base::fail(base::ErrorKind::invalid, "a key of an unknown kind");
}

/// RFC 6376 §3.6.1: records that are not for us are as if they were not there.
base::Result<void> check_purpose(const TagList& tags) {
    const auto version = tags.value("v");
    if (version && (*version != "DKIM1" || tags.tags.front().name != "v")) return base::fail(base::ErrorKind::syntax, "no DKIM1 record");
    const auto services = tags.value("s");
    if (services && !names(*services, "*") && !names(*services, "email")) return base::fail(base::ErrorKind::invalid, "a key not for mail");
    const auto hashes = tags.value("h");
    if (hashes && !names(*hashes, "sha256")) return base::fail(base::ErrorKind::invalid, "a key not for SHA-256");
    return {};
}

}  // namespace

base::Result<DkimKeyRecord> parse_dkim_key_record(std::string_view text) {
    const auto tags = parse_tag_list(text);
    if (!tags) return std::unexpected(tags.error());
    if (auto well = check_purpose(*tags); !well) return base::pass_on(well);
    const auto type = parse_type(tags->value("k").value_or("rsa"));
    if (!type) return std::unexpected(type.error());
    const auto value = tags->value("p");
    if (!value) return base::fail(base::ErrorKind::syntax, "a record without p=");
    auto key = decode_tag_base64(*value);
    if (!key) return base::fail(base::ErrorKind::syntax, "p= is not base64");
    const auto flags = tags->value("t").value_or("");
    return DkimKeyRecord{.type = *type, .key = *std::move(key), .testing = names(flags, "y"), .strict = names(flags, "s")};
}

std::string render_dkim_key_record(const PrivateKey& key) {
    return "v=DKIM1; k=" + std::string(name_of(key.type())) + "; p=" + base::encode_base64(key.public_key());
}

std::vector<std::string_view> split_record(std::string_view text) {
    std::vector<std::string_view> strings;
    for (std::size_t at = 0; at < text.size(); at += kMaxString) strings.push_back(text.substr(at, kMaxString));
    return strings;
}

std::string render_dkim_zone_line(std::string_view name, std::string_view text) {
    std::string line = std::string(name) + ". IN TXT (";
    for (const auto string : split_record(text)) line += " \"" + std::string(string) + "\"";
    return line + " )";
}

}  // namespace thurn::mailauth
