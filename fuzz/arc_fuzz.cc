#include "mailauth/arc_seal.h"
#include "mailauth/arc_verify.h"
#include "require.h"
#include "support/dkim_example.h"

#include <string>

using namespace thurn;
using namespace thurn::mailauth;
using fuzz::require;

namespace {

constexpr std::chrono::seconds kNow{1528637909};

ArcVerdict validate(const MessageHeader& header, const test::TextZone& zone) {
    BodyHasher hasher;
    ArcVerifier verifier(header, hasher, {.now = kNow});
    require(verifier.questions().size() <= 100, "questions are bounded");
    test::answer_all(verifier, zone);
    hasher.finish();
    require(verifier.done(), "answered, it is done");
    return verifier.take();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string octets(fuzz::as_text(data, size));
    const MessageHeader header(octets);
    const auto chain = validate(header, {});
    require(chain.result != ArcResult::pass, "nothing passes without keys");
    require((chain.result == ArcResult::none) == chain.reason.empty() && chain.instance <= 50, "failures have reasons");

    static const auto key = PrivateKey::read(test::kBrisbaneKey);
    BodyHasher hasher;
    const ArcSealer sealer(header, *key, hasher, {.domain = "football.example.com", .selector = "brisbane", .now = kNow});
    hasher.finish();
    const auto set = sealer.seal(chain, "mx.football.example.com; none");
    if (!set) return 0;
    const auto after = validate(MessageHeader(*set + octets), test::football_zone());
    require(after.result == (chain.result == ArcResult::none ? ArcResult::pass : ArcResult::fail),
            "a new chain holds, a broken one stays broken");
    return 0;
}
