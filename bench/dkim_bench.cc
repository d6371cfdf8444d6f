// What it costs to verify and to sign a message of 10 KiB. Prints microseconds of CPU for each.
//     dkim_bench [ROUNDS [NAME]]
// With a name, that one alone, as callgrind wants it:
//     valgrind --tool=callgrind --toggle-collect='*::verify(*' dkim_bench 20 'verify, both'
#include "mailauth/dkim_key.h"
#include "mailauth/dkim_sign.h"
#include "mailauth/dkim_verify.h"
#include "support/dkim_example.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <string_view>

using namespace thurn;
using namespace thurn::mailauth;

namespace {

constexpr std::chrono::seconds kNow{1528637909};

std::string prose(std::size_t size) {
    std::string text;
    while (text.size() < size) text += "The quick brown fox jumps over the lazy dog, and then some more of it.\r\n";
    return text;
}

const std::string kHeader =
    "Received: from a.example (a.example [192.0.2.1]) by b.example with ESMTPS id 0123456789abc\r\n\tfor <anna@b.example>; Sun, 22 Nov "
    "2026 "
    "01:37:22 +0000\r\nFrom: Joe <joe@football.example.com>\r\nTo: Anna <anna@b.example>\r\nSubject: dinner\r\nDate: Sun, 22 Nov 2026 "
    "01:37:22 "
    "+0000\r\nMessage-ID: <1@football.example.com>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n";

struct Signer {
    PrivateKey key;
    std::string selector;
};

std::string sign(const std::string& octets, const std::string& body, const Signer& with) {
    const MessageHeader header(octets);
    BodyHasher hasher;
    const DkimSigner signer(header, with.key, hasher, {.domain = "football.example.com", .selector = with.selector, .now = kNow});
    hasher.feed(body);
    hasher.finish();
    return *signer.sign() + octets;
}

void verify(const std::string& octets, const std::string& body, const test::TextZone& zone) {
    const MessageHeader header(octets);
    BodyHasher hasher;
    DkimVerifier verifier(header, hasher, {.now = kNow});
    test::answer_all(verifier, zone);
    hasher.feed(body);
    hasher.finish();
    for (const auto& verdict : verifier.take())
        if (verdict.result != DkimResult::pass) std::abort();
}

struct Measure {
    int rounds = 2000;
    std::string_view only{};

    template <class Work>
    void operator()(std::string_view what, Work work) const {
        if (!only.empty() && only != what) return;
        const auto begin = std::clock();
        for (int round = 0; round < rounds; ++round) work();
        std::printf("%-32s %7.1f us\n", what.data(), static_cast<double>(std::clock() - begin) * 1e6 / CLOCKS_PER_SEC / rounds);
    }
};

}  // namespace

int main(int argc, char** argv) {
    const Measure measure{.rounds = argc > 1 ? std::max(std::atoi(argv[1]), 1) : 2000, .only = argc > 2 ? argv[2] : ""};
    const std::string body = prose(10 * 1024);
    const Signer rsa{PrivateKey::generate(KeyType::rsa), "rsa"};
    const Signer ed25519{PrivateKey::generate(KeyType::ed25519), "ed"};
    test::TextZone zone;
    for (const auto* each : {&rsa, &ed25519})
        zone.add(each->selector + "._domainkey.football.example.com", render_dkim_key_record(each->key));
    const auto with_rsa = sign(kHeader, body, rsa);
    const auto with_ed25519 = sign(kHeader, body, ed25519);
    const auto with_both = sign(with_rsa, body, ed25519);
    measure("verify, unsigned", [&] { verify(kHeader, body, zone); });
    measure("verify, rsa-sha256 2048", [&] { verify(with_rsa, body, zone); });
    measure("verify, ed25519-sha256", [&] { verify(with_ed25519, body, zone); });
    measure("verify, both", [&] { verify(with_both, body, zone); });
    measure("hash the body, relaxed", [&] {
        BodyHasher hasher;
        hasher.want({Canonicalization::relaxed});
        hasher.feed(body);
        hasher.finish();
    });
    measure("hash the body, simple", [&] {
        BodyHasher hasher;
        hasher.want({Canonicalization::simple});
        hasher.feed(body);
        hasher.finish();
    });
    measure("SHA-256 alone", [&] { (void)sha256(body); });
    measure("sign, rsa-sha256 2048", [&] { (void)sign(kHeader, body, rsa); });
    measure("sign, ed25519-sha256", [&] { (void)sign(kHeader, body, ed25519); });
    return 0;
}
