#include "mailauth/dkim_key_list.h"
#include "require.h"

using namespace thurn;
using namespace thurn::mailauth;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = fuzz::as_text(data, size);
    const auto list = parse_key_list(text);
    for (const auto& key : list.keys) {
        require(key.from <= key.until && key.until <= key.record_until, "times are in order");
        require((key.domain + key.selector).find('/') == std::string::npos && !key.selector.contains('.'), "names are no paths");
        require(phase_at(key, base::Time::max()).state != KeyState::prepublished || key.from == base::Time::max(), "a key's time comes");
    }
    if (text.contains("9999-12-31T23:59:60")) return 0;  // the year 10000, which has no timestamp
    const auto rendered = render_key_list(list.keys);
    const auto again = parse_key_list(rendered);
    require(again.problems.empty() && again.keys.size() == list.keys.size(), "what was read can be written");
    require(render_key_list(again.keys) == rendered, "and is the same again");
    return 0;
}
