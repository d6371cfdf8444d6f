#pragma once

#include "dns/dns.h"
#include "mailauth/dkim_crypto.h"

#include <string>
#include <string_view>

namespace thurn::mailauth {

/// What DNS has under a key's name.
enum class Publication {
    published,  // this key
    missing,    // no record
    different,  // another key
    revoked,    // p= is empty
    malformed,  // a record that receivers cannot use
    several,    // more records than one: which a receiver takes is undefined (RFC 6376 §3.6.2.2)
    unknown,    // DNS did not answer
};
[[nodiscard]] std::string_view name_of(Publication publication);

/// `detail`: for people, perhaps empty.
struct PublicationReport {
    Publication what = Publication::unknown;
    std::string detail{};
};
/// `answer`: to the TXT question of the key's name.
[[nodiscard]] PublicationReport compare_publication(const PrivateKey& key, const dns::Answer& answer);

}  // namespace thurn::mailauth
