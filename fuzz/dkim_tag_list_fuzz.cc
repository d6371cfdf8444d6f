#include "mailauth/dkim_tag_list.h"
#include "require.h"

#include <set>
#include <string>

using namespace thurn;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto list = mailauth::parse_tag_list(fuzz::as_text(data, size));
    if (!list) return 0;
    require(!list->tags.empty() && list->tags.size() <= 100, "tags are bounded");
    std::set<std::string_view> names;
    std::string again;
    for (const auto& [name, value] : list->tags) {
        require(names.insert(name).second, "no name stands twice");
        require(!value.contains(';') && !value.contains('\0'), "values end at semicolons");
        require(list->value(name) == value, "each tag is found");
        again.append(again.empty() ? "" : ";").append(name).append("=").append(value);
    }
    const auto second = mailauth::parse_tag_list(again);
    require(second && second->tags.size() == list->tags.size(), "what was read can be written and read");
    for (std::size_t i = 0; i < list->tags.size(); ++i)
        require(second->tags[i].name == list->tags[i].name && second->tags[i].value == list->tags[i].value, "and is the same");
    return 0;
}
