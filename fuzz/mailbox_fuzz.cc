#include "mail/mailbox.h"
#include "require.h"

#include <string>

using namespace thurn;
using fuzz::require;

namespace {

constexpr std::size_t kMaxPath = 256;

void check_mailbox(const mail::Mailbox& mailbox, mail::Charset charset) {
    require(!mailbox.local.empty() && mailbox.local.size() <= 64, "local part of 1..64 octets");
    require(mailbox.local.find_first_of(std::string("\r\n\0", 3)) == std::string::npos, "no line end or NUL");
    const std::string text = mail::render_mailbox(mailbox);
    require(text.find_first_of(std::string("\r\n\0", 3)) == std::string::npos, "no line end or NUL when rendered");
    require(mail::parse_mailbox(text, charset) == mailbox, "rendered and read again");
    const std::string bracketed = "<" + text + "> X";
    const auto path = mail::take_forward_path(bracketed, charset);
    if (text.size() + 2 <= kMaxPath) require(path && path->path == mailbox && path->rest == " X", "read again as a path");
}

void check_parse(std::string_view text, mail::Charset charset) {
    const auto mailbox = mail::parse_mailbox(text, charset);
    if (!mailbox) return require(mailbox.error().detail.size() < 80, "errors are short");
    require(!mailbox->domain.empty(), "a mailbox has a domain");
    check_mailbox(*mailbox, charset);
}

template <class Taken>
void check_rest(std::string_view text, const Taken& taken) {
    require(text.ends_with(taken.rest), "the rest is the end of the input");
    require(text.size() - taken.rest.size() <= kMaxPath, "a path is within its limit");
    require(text[text.size() - taken.rest.size() - 1] == '>', "a path ends with its bracket");
}

void check_paths(std::string_view text, mail::Charset charset) {
    if (const auto forward = mail::take_forward_path(text, charset)) {
        check_rest(text, *forward);
        if (!forward->path.domain.empty()) check_mailbox(forward->path, charset);
    }
    if (const auto reverse = mail::take_reverse_path(text, charset)) {
        check_rest(text, *reverse);
        if (reverse->path.mailbox) check_mailbox(*reverse->path.mailbox, charset);
        require(reverse->path.is_null() == mail::render_path(reverse->path).empty(), "only the null path is empty");
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = fuzz::as_text(data, size);
    for (const auto charset : {mail::Charset::ascii, mail::Charset::utf8}) {
        check_parse(text, charset);
        check_paths(text, charset);
    }
    const auto ascii = mail::parse_mailbox(text, mail::Charset::ascii);
    if (ascii) require(mail::parse_mailbox(text, mail::Charset::utf8) == *ascii, "what is ASCII means the same in UTF-8");
    return 0;
}
