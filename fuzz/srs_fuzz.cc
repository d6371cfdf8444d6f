#include "mailauth/sender_rewriting.h"
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
    static const mailauth::SenderRewriting rewriting({"key"}, std::chrono::days(21));
    const bool ours = rewriting.is_rewritten(*sender);  // as a recipient: any domain, literals too
    require(!ours || !sender->domain.is_literal(), "nothing is rewritten for an address literal");
    require(ours || !rewriting.restore(*sender, kNow), "only what looks rewritten is restored");
    require(!sender->domain.is_literal() || !rewriting.rewrite(*sender, sender->domain, kNow), "a literal forwards in nobody's name");
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
