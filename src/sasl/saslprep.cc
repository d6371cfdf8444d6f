#include "sasl/saslprep.h"

#include "base/ascii.h"
#include "base/utf8.h"
#include "sasl/hash.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include <stringprep.h>

namespace thurn::sasl {

std::string prepare_password(std::string_view password) {
    std::string as_given(password);
    if (std::ranges::all_of(password, base::is_printable)) return as_given;
    if (password.contains('\0') || !base::is_utf8(password)) return as_given;  // the library takes C strings of UTF-8
    char* prepared = nullptr;
    const int outcome = ::stringprep_profile(as_given.c_str(), &prepared, "SASLprep", static_cast<Stringprep_profile_flags>(0));
    if (outcome != STRINGPREP_OK || prepared == nullptr) return as_given;
    std::string result(prepared);
    std::fill_n(static_cast<volatile char*>(prepared), std::strlen(prepared), '\0');
    std::free(prepared);
    if (result.empty()) return as_given;  // all of it was invisible
    wipe(as_given);
    return result;
}

}  // namespace thurn::sasl
