// What policy servers and web hooks answer, and what becomes of it at each stage.
#include "mail/mailbox.h"
#include "policy/delegation.h"
#include "policy/rule.h"
#include "policy/web_hook.h"
#include "require.h"

#include <cmath>

using namespace thurn;
using fuzz::require;
using policy::Action;

namespace {

void require_printable(std::string_view text) {
    for (const char c : text) require(c >= ' ' && c <= '~', "what is shown is printable");
}

void require_fit(const policy::Advice& given) {
    for (const auto stage : policy::kStages) {
        const auto advice = policy::fit_to_stage(given, stage);
        require_printable(advice.text);
        require_printable(advice.said);
        require_printable(advice.tag);
        require(advice.header.empty() || policy::check_header(advice.header).has_value(), "a header field is one");
        require(std::isfinite(advice.score), "a score is a number");
        require(!policy::is_of_message(advice.action) || stage >= policy::Stage::mail, "without a message nothing becomes of it");
        if (advice.action == Action::redirect)
            require(mail::parse_mailbox(advice.to, mail::Charset::utf8).has_value(), "a redirection leads to an address");
        const int code_class = advice.action == Action::reject ? 5 : 4;
        require(advice.code == 0 || (policy::refuses(advice.action) && advice.code / 100 == code_class), "a code is of its class");
        require(!advice.status || advice.reserve != policy::Advice::Reserve::none || advice.status->status_class == code_class,
                "a status is of its class");
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto octets = fuzz::as_text(data, size);
    if (const auto reply = policy::parse_delegation_reply(octets); reply && *reply) {
        require_fit(**reply);
        require(!policy::parse_delegation_reply(std::string(octets) + "x").has_value(), "nothing may follow an answer");
    }
    require_fit(policy::parse_access_action(octets));
    if (const auto answer = policy::parse_hook_answer(octets)) require_fit(*answer);
    return 0;
}
