#include "policy/advice.h"

#include "base/ascii.h"
#include "mail/mailbox.h"
#include "policy/rule.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

namespace thurn::policy {

namespace {

constexpr std::size_t kMostOfWords = 300;
constexpr std::size_t kMostOfATag = 100;

bool is_mailbox(std::string_view text) { return mail::parse_mailbox(text, mail::Charset::utf8).has_value(); }

bool can_be_done(const Advice& advice, Stage stage) {
    if (!advice.bcc.empty() && (stage < Stage::mail || !is_mailbox(advice.bcc))) return false;
    if (is_of_message(advice.action)) return stage >= Stage::mail;
    if (advice.action != Action::redirect) return true;
    return stage == Stage::rcpt && is_mailbox(advice.to);
}

}  // namespace

std::string tame(std::string_view words) {
    std::string tamed(words.substr(0, kMostOfWords));
    std::ranges::replace_if(tamed, [](char c) { return !base::is_printable(c); }, '?');
    return tamed;
}

Advice advice_to_wait(std::string why) {
    Advice advice{.action = Action::defer, .code = 451, .status = mail::EnhancedStatus{4, 3, 5}};
    advice.text = "this server cannot decide about it at the moment, please try again later";
    advice.said = tame(why);
    return advice;
}

Advice fit_to_stage(Advice advice, Stage stage) {
    if (!can_be_done(advice, stage))
        return advice_to_wait(
            fmt::format("{}, which cannot be done at {}", advice.said.empty() ? name_of(advice.action) : advice.said, name_of(stage)));
    if (!std::isfinite(advice.score)) advice.score = 0;
    if (!advice.header.empty() && !check_header(advice.header)) {
        advice.header.clear();
        advice.said += ", left out: no header field";
    }
    advice.tag = tame(advice.tag).substr(0, kMostOfATag);
    advice.text = tame(advice.text);
    advice.said = tame(advice.said);
    return advice;
}

std::optional<mail::EnhancedStatus> take_status(std::string_view& text, unsigned code_class) {
    auto status = mail::leading_status(text);
    if (!status) return std::nullopt;
    text.remove_prefix(std::min(text.find(' '), text.size()));
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    status->status_class = static_cast<std::uint16_t>(code_class);
    return status;
}

}  // namespace thurn::policy
