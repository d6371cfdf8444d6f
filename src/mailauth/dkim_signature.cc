#include "mailauth/dkim_signature.h"

#include "base/ascii.h"
#include "mail/mailbox.h"
#include "mailauth/dkim_tag_list.h"

#include <algorithm>
#include <charconv>
#include <map>

namespace thurn::mailauth {
namespace {

using base::ErrorKind;

constexpr std::size_t kTimeDigits = 12;     // RFC 6376 §3.5, t=
constexpr std::size_t kLengthDigits = 18;   // §3.5, l=, allows 76; no message has a size of more
constexpr std::uint64_t kMaxInstance = 50;  // RFC 8617 §4.2.1
constexpr std::size_t kMaxName = 253;       // RFC 1035 §2.3.4, without the root
constexpr std::size_t kMaxFields = 1000;    // named by h=
constexpr std::size_t kNoField = static_cast<std::size_t>(-1);

std::string lower(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(), base::to_lower);
    return result;
}

std::unexpected<base::Error> bad(std::string_view tag, std::string_view why) {
    return base::fail(ErrorKind::syntax, std::string(tag) + "= " + std::string(why));
}

/// A domain name, or a selector, which is one too (RFC 6376 §3.1), as A-labels (RFC 8616 §4).
base::Result<std::string> parse_name(std::string_view tag, std::string_view value) {
    const auto domain = mail::parse_domain(value, mail::Charset::utf8);
    if (!domain || domain->is_literal() || domain->empty()) return bad(tag, "is no domain name");
    return domain->text();
}

base::Result<std::string> parse_base64(std::string_view tag, std::string_view value) {
    auto octets = decode_tag_base64(value);
    if (!octets || octets->empty()) return bad(tag, "is not base64");
    return octets;
}

std::optional<Algorithm> parse_algorithm(std::string_view value) {
    for (const auto known : {Algorithm::rsa_sha256, Algorithm::ed25519_sha256, Algorithm::rsa_sha1})
        if (value == name_of(known)) return known;
    return std::nullopt;
}

std::optional<Canonicalization> parse_form(std::string_view value) {
    if (value == "simple") return Canonicalization::simple;
    if (value == "relaxed") return Canonicalization::relaxed;
    return std::nullopt;
}

/// Fills a Signature from its tags, one by one; the first that is wrong ends it.
class Reader {
public:
    Reader(const TagList& tags, SignatureField field) : tags_(tags), field_(field) {}

    base::Result<Signature> read() {
        for (const auto step :
             {&Reader::version, &Reader::instance, &Reader::algorithm, &Reader::signature, &Reader::names, &Reader::times})
            if (auto well = (this->*step)(); !well) return base::pass_on(well);
        if (field_ == SignatureField::arc_seal) {
            if (auto well = seal(); !well) return base::pass_on(well);
            return std::move(result_);
        }
        for (const auto step : {&Reader::body_hash, &Reader::forms, &Reader::length, &Reader::fields, &Reader::query, &Reader::identity})
            if (auto well = (this->*step)(); !well) return base::pass_on(well);
        return std::move(result_);
    }

private:
    using Step = base::Result<void>;

    base::Result<std::string_view> required(std::string_view tag) const {
        const auto value = tags_.value(tag);
        if (!value) return bad(tag, "is missing");
        if (value->empty()) return bad(tag, "is empty");
        return *value;
    }

    Step version() {
        if (field_ != SignatureField::dkim_signature) return {};  // RFC 8617 §4.1.2: they have none
        const auto value = required("v");
        if (!value) return base::fail(ErrorKind::syntax, value.error().detail);
        if (*value != "1") return bad("v", "is not 1");
        return {};
    }
    Step instance() {
        if (field_ == SignatureField::dkim_signature) return {};
        const auto number = parse_digits(tags_.value("i").value_or(""), 2);
        if (!number || *number == 0 || *number > kMaxInstance) return bad("i", "is no number from 1 to 50");
        result_.instance = static_cast<unsigned>(*number);
        return {};
    }
    Step algorithm() {
        const auto value = required("a");
        if (!value) return base::fail(ErrorKind::syntax, value.error().detail);
        const auto known = parse_algorithm(*value);
        if (!known) return bad("a", "is an unknown algorithm");
        result_.algorithm = *known;
        return {};
    }
    Step signature() {
        const auto value = required("b");
        if (!value) return base::fail(ErrorKind::syntax, value.error().detail);
        auto octets = parse_base64("b", *value);
        if (!octets) return base::pass_on(octets);
        result_.signature = *std::move(octets);
        return {};
    }
    Step names() {
        for (const auto& [tag, into] : {std::pair{"d", &result_.domain}, std::pair{"s", &result_.selector}}) {
            const auto value = required(tag);
            if (!value) return base::fail(ErrorKind::syntax, value.error().detail);
            auto name = parse_name(tag, *value);
            if (!name) return base::pass_on(name);
            *into = *std::move(name);
        }
        if (result_.key_name().size() > kMaxName) return base::fail(ErrorKind::invalid, "s= and d= together are longer than a name can be");
        return {};
    }
    Step times() {
        for (const auto& [tag, into] : {std::pair{"t", &result_.timestamp}, std::pair{"x", &result_.expiration}}) {
            const auto value = tags_.value(tag);
            if (!value) continue;
            *into = parse_digits(*value, kTimeDigits);
            if (!*into) return bad(tag, "is no time");
        }
        if (result_.timestamp && result_.expiration && *result_.expiration <= *result_.timestamp)
            return base::fail(ErrorKind::invalid, "x= is not after t=");
        return {};
    }
    Step body_hash() {
        const auto value = required("bh");
        if (!value) return base::fail(ErrorKind::syntax, value.error().detail);
        auto octets = parse_base64("bh", *value);
        if (!octets) return base::pass_on(octets);
        if (octets->size() != (result_.algorithm == Algorithm::rsa_sha1 ? 20U : 32U)) return bad("bh", "is no hash of that algorithm");
        result_.body_hash = *std::move(octets);
        return {};
    }
    Step forms() {
        const auto value = tags_.value("c");
        if (!value) return simple_forms();  // RFC 6376 §3.5; RFC 8617 §4.1.2 names no other
        const auto parts = split_value(*value, '/');
        const auto first = parse_form(parts[0]);
        const auto second = parts.size() > 1 ? parse_form(parts[1]) : Canonicalization::simple;  // RFC 6376 §3.5
        if (!first || !second || parts.size() > 2) return bad("c", "is an unknown canonicalization");
        result_.header = *first;
        result_.body.canonicalization = *second;
        return {};
    }
    Step simple_forms() {
        result_.header = Canonicalization::simple;
        result_.body.canonicalization = Canonicalization::simple;
        return {};
    }
    Step length() {
        const auto value = tags_.value("l");
        if (!value) return {};
        result_.body.length = parse_digits(*value, kLengthDigits);
        if (!result_.body.length) return bad("l", "is no length");
        return {};
    }
    Step fields() {
        const bool arc = field_ == SignatureField::arc_message_signature;
        const auto value = tags_.value("h");
        if (!value) return bad("h", "is missing");
        if (value->empty() && !arc) return bad("h", "is empty");
        for (const auto name : split_value(*value, ':'))
            if (auto well = add_field(name); !well) return well;
        const auto names = [this](std::string_view name) { return std::ranges::find(result_.fields, name) != result_.fields.end(); };
        if (!arc && !names("from")) return base::fail(ErrorKind::invalid, "From is not signed");   // RFC 6376 §5.4, §6.1.1
        if (arc && names("arc-seal")) return base::fail(ErrorKind::invalid, "h= names ARC-Seal");  // RFC 8617 §4.1.2
        return {};
    }
    Step add_field(std::string_view name) {
        // The published ARC test suite passes message signatures whose h= is empty or has an empty name: who seals vouches, not who wrote.
        if (name.empty() && field_ == SignatureField::arc_message_signature) return {};
        if (name.empty() || !std::ranges::all_of(name, [](char c) { return c > ' ' && c <= '~' && c != ';'; }))
            return bad("h", "has no proper field name");
        if (result_.fields.size() == kMaxFields) return base::fail(ErrorKind::too_long, "h= names too many fields");
        result_.fields.push_back(lower(name));
        return {};
    }
    Step query() {
        const auto value = tags_.value("q");
        if (!value) return {};
        const auto methods = split_value(*value, ':');
        if (std::ranges::find(methods, "dns/txt") == methods.end()) return bad("q", "has no known way to get the key");
        return {};
    }
    Step identity() {
        if (field_ != SignatureField::dkim_signature) return {};
        const auto value = tags_.value("i");
        result_.identity = value ? without_space(*value) : "@" + result_.domain;
        const std::size_t at = result_.identity.rfind('@');
        if (at == std::string::npos) return bad("i", "has no domain");
        auto domain = parse_name("i", std::string_view(result_.identity).substr(at + 1));
        if (!domain) return base::pass_on(domain);
        result_.identity_domain = *std::move(domain);
        if (result_.identity_domain != result_.domain && !result_.identity_domain.ends_with("." + result_.domain))
            return base::fail(ErrorKind::invalid, "i= is not within d=");
        return {};
    }
    Step seal() {
        // RFC 8617 §4.1.3: what it covers is fixed, so h= must not be there; nor has it any use for a body hash.
        if (tags_.find("h") != nullptr) return base::fail(ErrorKind::invalid, "an ARC-Seal with h=");
        const auto value = required("cv");
        if (!value) return base::fail(ErrorKind::syntax, value.error().detail);
        if (*value != "none" && *value != "pass" && *value != "fail") return bad("cv", "is not none, pass or fail");
        result_.chain_validation = *value;
        result_.header = Canonicalization::relaxed;
        return {};
    }

    const TagList& tags_;
    SignatureField field_;
    Signature result_;
};

/// Numbers of the fields a signature covers, in the order they are hashed in.
std::vector<std::size_t> select(const MessageHeader& header, std::size_t own, const std::vector<std::string>& names) {
    std::vector<std::size_t> selected;
    std::map<std::string_view, std::size_t> left;  // of each name, those above the last selected
    for (const auto& name : names) {
        const auto& all = header.named(name);
        auto& above = left.try_emplace(name, all.size()).first->second;
        if (above > 0 && all[above - 1] == own) --above;  // RFC 6376 §3.5, h=: never itself
        if (above > 0) selected.push_back(all[--above]);
    }
    return selected;
}

Sha256 hash_fields(const MessageHeader& header, std::size_t own, const Signature& signature) {
    Sha256 hash;
    std::string canonical;
    for (const std::size_t field : select(header, own, signature.fields)) {
        canonical.clear();
        append_canonical_field(canonical, header.raw(field), signature.header);
        canonical += "\r\n";
        hash.update(canonical);
    }
    return hash;
}

}  // namespace

std::string_view name_of(Algorithm algorithm) {
    switch (algorithm) {
        case Algorithm::rsa_sha256:
            return "rsa-sha256";
        case Algorithm::ed25519_sha256:
            return "ed25519-sha256";
        case Algorithm::rsa_sha1:
            break;
    }
    return "rsa-sha1";
}

base::Result<Signature> parse_signature(std::string_view value, SignatureField field) {
    const auto tags = parse_tag_list(value);
    if (!tags) return std::unexpected(tags.error());
    return Reader(*tags, field).read();
}

SignatureClaim read_claim(std::string_view value) {
    SignatureClaim claim;
    const auto tags = parse_tag_list(value);
    if (!tags) return claim;
    if (auto domain = parse_name("d", tags->value("d").value_or(""))) claim.domain = *std::move(domain);
    if (auto selector = parse_name("s", tags->value("s").value_or(""))) claim.selector = *std::move(selector);
    if (const auto algorithm = parse_algorithm(tags->value("a").value_or(""))) claim.algorithm = name_of(*algorithm);
    return claim;
}

void append_unsigned_field(std::string& to, std::string_view raw, Canonicalization canonicalization) {
    std::string emptied;
    std::size_t at = raw.find(':') + 1;
    emptied.append(raw.substr(0, at));
    while (at < raw.size()) {
        const std::size_t end = std::min(raw.find(';', at), raw.size());
        const std::string_view part = raw.substr(at, end - at);
        const std::size_t equals = part.find('=');
        const bool is_signature = equals != std::string_view::npos && without_space(part.substr(0, equals)) == "b";
        emptied.append(is_signature ? part.substr(0, equals + 1) : part);
        if (end < raw.size()) emptied += ';';
        at = end + 1;
    }
    append_canonical_field(to, emptied, canonicalization);
}

std::string header_digest(const MessageHeader& header, std::size_t own, const Signature& signature) {
    Sha256 hash = hash_fields(header, own, signature);
    std::string canonical;
    append_unsigned_field(canonical, header.raw(own), signature.header);
    hash.update(canonical);
    return hash.finish();
}

std::string new_header_digest(const MessageHeader& header, std::string_view unsigned_field, const Signature& signature) {
    Sha256 hash = hash_fields(header, kNoField, signature);
    std::string canonical;
    append_canonical_field(canonical, unsigned_field, signature.header);
    hash.update(canonical);
    return hash.finish();
}

}  // namespace thurn::mailauth
