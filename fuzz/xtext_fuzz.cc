#include "base/utf8.h"
#include "base/xtext.h"
#include "require.h"

#include <algorithm>

using namespace thurn;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto input = fuzz::as_text(data, size);
    const auto text = base::encode_xtext(input);
    require(text.size() <= size * 3, "at most three for one");
    require(std::ranges::all_of(text, [](char c) { return c >= '!' && c <= '~' && c != '='; }), "xtext fits into a parameter");
    require(base::decode_xtext(text) == input, "encoded and decoded");
    if (const auto octets = base::decode_xtext(input))
        require(base::decode_xtext(base::encode_xtext(*octets)) == *octets, "decoded and encoded");
    if (const auto utf8 = base::decode_utf8_xtext(input)) {
        const auto again = base::encode_utf8_xtext(*utf8);
        require(std::ranges::all_of(again, [](char c) { return c >= '!' && c <= '~' && c != '=' && c != '+'; }), "it is xtext too");
        require(base::decode_utf8_xtext(again) == *utf8, "UTF-8 decoded and encoded");
        require(base::is_utf8(*utf8), "it stays UTF-8");
    }
    return 0;
}
