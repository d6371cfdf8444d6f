#include "mail/header.h"
#include "mail/mailbox.h"
#include "require.h"

#include <algorithm>
#include <string>

using namespace thurn;
using fuzz::require;

namespace {

std::string joined(const std::vector<std::string>& addresses) {
    std::string list;
    for (const auto& address : addresses) list.append(list.empty() ? "" : ", ").append("\"A, (B\" <").append(address).append("> (c)");
    return list;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto value = fuzz::as_text(data, size);
    const auto list = mail::parse_address_list(value);
    for (const auto& address : list.addresses) {
        const auto mailbox = mail::parse_mailbox(address, mail::Charset::utf8);
        require(mailbox && mail::render_mailbox(*mailbox) == address, "each address is in its normal form");
    }
    for (const auto& local : list.unqualified) {
        const auto mailbox = mail::parse_mailbox(local + "@localhost", mail::Charset::utf8);
        require(mailbox && mail::render_mailbox({mailbox->local, {}}) == local, "each local part is in its normal form");
    }
    const auto separators = static_cast<std::size_t>(std::ranges::count_if(value, [](char c) { return c == ',' || c == ';'; }));
    require(list.addresses.size() + list.unqualified.size() <= separators + 1, "no more addresses than elements");
    const auto again = mail::parse_address_list(joined(list.addresses));
    require(again.complete && again.addresses == list.addresses && again.unqualified.empty(), "addresses survive being listed");
    return 0;
}
