#include "require.h"
#include "scan/archive_listing.h"

#include <string>

using namespace thurn;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = fuzz::as_text(data, size);
    for (const auto& input : {std::string(text), std::string(scan::kListingHead) + std::string(text) + std::string(scan::kListingEnd)}) {
        const auto listing = scan::parse_listing(input);
        if (!listing) continue;
        require(listing->members.size() + listing->broken.size() + listing->excess.size() <= input.size(), "no more than was said");
        std::string again(scan::kListingHead);
        for (const auto& member : listing->members) again += scan::render_member(member);
        again += scan::kListingEnd;
        const auto read = scan::parse_listing(again);
        require(read.has_value() && read->members.size() == listing->members.size(), "what was read can be written and read again");
    }
    return 0;
}
