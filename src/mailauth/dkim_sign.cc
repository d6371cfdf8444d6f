#include "mailauth/dkim_sign.h"

#include "base/base64.h"
#include "mail/mailbox.h"

#include <algorithm>
#include <cassert>

namespace thurn::mailauth {
namespace {

constexpr std::size_t kMaxColumn = 76;

std::string_view name_of(Canonicalization form) { return form == Canonicalization::simple ? "simple" : "relaxed"; }

base::Result<std::string> parse_name(std::string_view text, std::string_view what) {
    const auto name = mail::parse_domain(text, mail::Charset::utf8);
    if (!name || name->is_literal() || name->empty()) return base::fail(base::ErrorKind::invalid, std::string(what) + " is no domain name");
    return name->text();
}

}  // namespace

std::vector<std::string> default_signed_fields() {
    return {"from",
            "sender",
            "reply-to",
            "subject",
            "date",
            "message-id",
            "to",
            "cc",
            "in-reply-to",
            "references",
            "mime-version",
            "content-type",
            "content-transfer-encoding",
            "content-id",
            "resent-date",
            "resent-from",
            "resent-sender",
            "resent-to",
            "resent-cc",
            "resent-message-id",
            "list-id",
            "list-help",
            "list-unsubscribe",
            "list-unsubscribe-post",
            "list-subscribe",
            "list-post",
            "list-owner",
            "list-archive",
            "feedback-id",
            "autocrypt"};
}

std::vector<std::string> default_oversigned_fields() {
    return {"from", "reply-to",    "subject",    "date",         "message-id",   "to",
            "cc",   "in-reply-to", "references", "mime-version", "content-type", "content-transfer-encoding"};
}

std::vector<std::string> choose_fields(const MessageHeader& header, const std::vector<std::string>& fields,
                                       const std::vector<std::string>& oversigned) {
    std::vector<std::string> names;
    for (const auto& name : fields) {
        const bool once_more = std::ranges::find(oversigned, name) != oversigned.end();
        names.insert(names.end(), header.named(name).size() + (once_more ? 1 : 0), name);
    }
    return names;
}

base::Result<SignerNames> parse_signer(std::string_view domain, std::string_view selector) {
    auto first = parse_name(domain, "the domain");
    if (!first) return base::pass_on(first);
    auto second = parse_name(selector, "the selector");
    if (!second) return base::pass_on(second);
    return SignerNames{.domain = *std::move(first), .selector = *std::move(second)};
}

base::Result<void> check_signable(const MessageHeader& header) {
    if (header.malformed()) return base::fail(base::ErrorKind::invalid, "the header has a line that is no field");
    if (header.named("from").empty()) return base::fail(base::ErrorKind::invalid, "a message without From cannot be signed");
    return {};
}

DkimSigner::DkimSigner(const MessageHeader& header, const PrivateKey& key, BodyHasher& hasher, DkimSignOptions options)
    : header_(header), key_(key), hasher_(hasher), options_(std::move(options)) {
    hasher.want({.canonicalization = options_.body});
}

base::Result<std::string> DkimSigner::sign() const {
    assert(hasher_.finished());
    if (auto well = check_signable(header_); !well) return base::pass_on(well);
    const auto names = parse_signer(options_.domain, options_.selector);
    if (!names) return std::unexpected(names.error());

    const Signature signature{.header = options_.header, .fields = choose_fields(header_, options_.fields, options_.oversigned)};
    TagWriter field("DKIM-Signature");
    field.put("v", "1");
    field.put("a", std::string(mailauth::name_of(key_.type())) + "-sha256");
    field.put("c", std::string(name_of(options_.header)) + "/" + std::string(name_of(options_.body)));
    field.put("d", names->domain);
    field.put("s", names->selector);
    field.put("t", std::to_string(options_.now.count()));
    if (options_.lifetime) field.put("x", std::to_string((options_.now + *options_.lifetime).count()));
    field.put_list("h", signature.fields);
    field.put_base64("bh", hasher_.digest({.canonicalization = options_.body}));
    const std::string digest = new_header_digest(header_, field.unsigned_field(), signature);
    return field.finish(key_.sign(digest));
}

void TagWriter::fold() {
    text_ += "\r\n\t";
    column_ = 8;
}

/// A piece that must not be cut.
void TagWriter::put_piece(std::string_view piece) {
    if (column_ + piece.size() > kMaxColumn) fold();
    text_ += piece;
    column_ += piece.size();
}

/// Text that may be cut anywhere.
void TagWriter::put_folded(std::string_view text) {
    while (!text.empty()) {
        if (column_ >= kMaxColumn) fold();
        const std::string_view piece = text.substr(0, kMaxColumn - column_);
        put_piece(piece);
        text.remove_prefix(piece.size());
    }
}

/// `room`: octets that should follow the `=` on the same line.
void TagWriter::begin_tag(std::string_view tag, std::size_t room) {
    if (!first_) text_ += ';';
    first_ = false;
    if (column_ + tag.size() + room + 3 > kMaxColumn) {
        fold();
    } else {
        text_ += ' ';
        ++column_;
    }
    text_.append(tag).append("=");
    column_ += tag.size() + 1;
}

void TagWriter::put(std::string_view tag, std::string_view value) {
    begin_tag(tag, value.size());
    text_ += value;
    column_ += value.size();
}

void TagWriter::put_list(std::string_view tag, const std::vector<std::string>& values) {
    begin_tag(tag, values.empty() ? 0 : values.front().size() + 1);
    for (std::size_t i = 0; i < values.size(); ++i) put_piece(i + 1 < values.size() ? values[i] + ":" : values[i]);
}

void TagWriter::put_base64(std::string_view tag, std::string_view octets) {
    const std::string value = base::encode_base64(octets);
    begin_tag(tag, std::min(value.size(), kMaxColumn / 2));
    put_folded(value);
}

std::string TagWriter::unsigned_field() {
    if (!first_) text_ += ';';
    fold();
    text_ += "b=";
    column_ += 2;
    return text_;
}

std::string TagWriter::finish(std::string_view signature) {
    put_folded(base::encode_base64(signature));
    return text_ + "\r\n";
}

}  // namespace thurn::mailauth
