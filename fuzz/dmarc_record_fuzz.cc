#include "mailauth/dmarc_record.h"
#include "require.h"

using namespace thurn;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = fuzz::as_text(data, size);
    const auto record = mailauth::parse_dmarc_record(text);
    if (!record) return 0;
    require(text.contains("DMARC1"), "the version is there");
    require(record->wrong_policy || record->p, "a right record has a policy");
    if (const auto usable = record->usable()) require(usable->p.has_value(), "what is gone by has a policy");
    require(record->usable() || record->rua.empty(), "with somebody to report to, there is something to go by");
    for (const auto& uris : {record->rua, record->ruf})
        for (const auto& uri : uris) require(uri.contains(':') && !uri.contains('!') && !uri.contains(','), "URIs are without sizes");
    require(mailauth::parse_dmarc_record(std::string(text) + "; unknown=1;;").has_value(), "what is unknown does no harm");
    return 0;
}
