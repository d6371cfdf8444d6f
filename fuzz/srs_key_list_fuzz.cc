#include "mailauth/srs_key_list.h"
#include "require.h"

using namespace thurn;
using namespace thurn::mailauth;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = fuzz::as_text(data, size);
    const auto secrets = parse_srs_secrets(text);
    if (!secrets) {
        require(secrets.error().detail.size() < 128, "an error tells no secret");
        return 0;
    }
    for (const auto& secret : *secrets) require(secret.secret.size() >= 16, "no secret is short");
    const auto useful = useful_secrets(*secrets, base::Time(std::chrono::days(20000)), std::chrono::days(21));
    require(useful.empty() == secrets->empty(), "the newest secret stays");
    if (text.contains("9999-12-31T23:59:60")) return 0;  // the year 10000, which has no timestamp
    require(parse_srs_secrets(render_srs_secrets(*secrets)) == *secrets, "what was read can be written");
    return 0;
}
