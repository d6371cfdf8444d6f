#include "mailauth/authentication_results.h"
#include "require.h"

#include <string>

using namespace thurn;
using namespace thurn::mailauth;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto value = fuzz::as_text(data, size);
    const mail::HeaderField field{"Authentication-Results", value};
    (void)claims_to_be_ours(field, "mx.a.example");
    const auto read = parse_authentication_results(value);
    if (!read) return 0;
    require(claims_to_be_ours(field, read->authserv_id), "who is named is told");
    const auto written = render_authentication_results(*read);
    for (std::size_t at = 0; (at = written.find_first_of("\r\n", at)) != std::string::npos; at += 3)
        require(written.substr(at, 3) == "\r\n\t", "nothing begins a field of its own");
    const auto again = parse_authentication_results(written);
    require(again.has_value(), "what is written can be read");
    require(render_authentication_results(*again) == written, "and is the same");
    return 0;
}
