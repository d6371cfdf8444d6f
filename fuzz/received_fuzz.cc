// The input is cut at each 0x1f into what a peer has a say in; whatever it says, there is one field.

#include "mail/header.h"
#include "require.h"

#include <algorithm>
#include <string>

using namespace thurn;
using fuzz::require;

namespace {

std::string take_part(std::string_view& input) {
    const std::size_t end = std::min(input.find('\x1f'), input.size());
    std::string part(input.substr(0, end));
    input.remove_prefix(std::min(end + 1, input.size()));
    return part;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    auto input = fuzz::as_text(data, size);
    mail::ReceivedOptions options{.helo = {},
                                  .client_name = {},
                                  .client_address = {},
                                  .by = "mx1.example.com",
                                  .protocol = "ESMTP",
                                  .id = "01ABCDEFGHJKM",
                                  .tls = {},
                                  .recipient = {},
                                  .date = "Sun, 22 Nov 2026 01:37:22 +0000"};
    for (auto* part : {&options.helo, &options.client_name, &options.client_address, &options.tls, &options.recipient})
        *part = take_part(input);
    const auto field = mail::render_received(options);
    const auto header = mail::parse_header(field);
    require(header.fields.size() == 1 && header.size == field.size() && header.fields[0].name == "Received", "one field");
    require(field.find('\0') == std::string::npos, "no NUL");
    const auto text = mail::unfold(header.fields[0].value);
    require(text.ends_with("; Sun, 22 Nov 2026 01:37:22 +0000"), "the date is the end");
    require(text.starts_with("from ") || text.starts_with("by mx1.example.com with ESMTP "), "the clauses begin it");
    return 0;
}
