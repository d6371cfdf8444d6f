#include "mailauth/dkim_sign.h"
#include "mailauth/dkim_verify.h"
#include "require.h"
#include "support/dkim_example.h"

#include <array>
#include <string>

using namespace thurn;
using namespace thurn::mailauth;
using fuzz::require;

namespace {

constexpr std::chrono::seconds kNow{1528637909};
constexpr std::array kForms{Canonicalization::simple, Canonicalization::relaxed};

/// Canonical form the slow way: lines first.
std::string canonical(std::string_view body, Canonicalization form) {
    std::string text;
    for (std::size_t at = 0; at < body.size();) {
        const std::size_t end = std::min(body.find("\r\n", at), body.size());
        std::string line;
        for (const char c : body.substr(at, end - at)) {
            const bool blank = form == Canonicalization::relaxed && (c == ' ' || c == '\t');
            if (!blank) line += c;
            if (blank && !line.ends_with(' ')) line += ' ';
        }
        if (form == Canonicalization::relaxed && line.ends_with(' ')) line.pop_back();
        text += line + "\r\n";
        at = end + 2;
    }
    while (text.ends_with("\r\n\r\n")) text.resize(text.size() - 2);
    if (text == "\r\n" && form == Canonicalization::relaxed) text.clear();
    return text.empty() && form == Canonicalization::simple ? "\r\n" : text;
}

void check_body(std::string_view body, std::size_t step, std::uint64_t length) {
    BodyHasher hasher;
    for (const auto form : kForms) {
        hasher.want({form});
        hasher.want({form, length});
    }
    for (std::size_t at = 0; at < body.size(); at += step) hasher.feed(body.substr(at, step));
    hasher.finish();
    for (const auto form : kForms) {
        const auto slow = canonical(body, form);
        require(hasher.digest({form}) == sha256(slow), "chunks and lines give the same");
        require(hasher.digest({form, length}) == sha256(std::string_view(slow).substr(0, length)), "and with l=");
        require(hasher.size(form) == slow.size(), "and as many octets");
    }
}

void check_signing(std::string_view octets, std::string_view body, Canonicalization form) {
    static const auto key = PrivateKey::read(test::kBrisbaneKey);
    const MessageHeader header{std::string(octets)};
    BodyHasher hasher;
    const DkimSigner signer(header, *key, hasher,
                            {.domain = "football.example.com", .selector = "brisbane", .now = kNow, .header = form, .body = form});
    hasher.feed(body);
    hasher.finish();
    const auto field = signer.sign();
    if (!field) return;
    const MessageHeader whole(*field + std::string(octets));
    BodyHasher second;
    DkimVerifier verifier(whole, second, {.now = kNow});
    test::answer_all(verifier, test::football_zone());
    second.feed(body);
    second.finish();
    const auto verdicts = verifier.take();
    require(verdicts.size() <= 11 && verdicts.at(0).result == DkimResult::pass, "what is signed verifies");
}

}  // namespace

/// A step, a length, a message.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const std::size_t step = 1U + data[0];
    const std::uint64_t length = data[1];
    const auto message = fuzz::as_text(data + 2, size - 2);
    HeaderCollector collector;
    std::string body;
    for (std::size_t at = 0; at < message.size(); at += step) body += collector.feed(message.substr(at, step));
    check_body(message, step, length);
    const std::string header = collector.take();
    require(header + body == message, "nothing is lost between header and body");
    for (const auto form : kForms) check_signing(header, body, form);
    return 0;
}
