#include "mailauth/srs.h"
#include "require.h"

using namespace thurn;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const auto us = mail::parse_domain("us.example").value();
    static const auto srs = mailauth::Srs::make({.domain = us, .keys = {"key"}}).value();
    constexpr base::Time kNow{std::chrono::days(20000)};
    const auto text = fuzz::as_text(data, size);
    const auto sender = mail::parse_mailbox(text, mail::Charset::utf8);
    if (!sender) return 0;
    const bool restored = srs.restore(*sender, kNow).has_value();
    require(!restored || sender->domain == us, "only addresses of ours are restored");
    const auto rewritten = srs.rewrite(*sender, kNow);
    if (!rewritten) {
        require(rewritten.error().kind == base::ErrorKind::too_long, "only length hinders");
        return 0;
    }
    require(rewritten->domain == us || sender->domain.empty(), "a sender of ours");
    if (sender->domain == us || sender->domain.empty()) return 0;
    require(rewritten->local.size() <= 64, "addresses are as long as they may be");
    const auto back = srs.restore(*rewritten, kNow);
    require(back.has_value(), "there is a way back");
    if (rewritten->local.starts_with("SRS0=")) require(back == sender, "and it leads to the sender");
    return 0;
}
