#include "app/command.h"
#include "mail/mailbox.h"

#include <iostream>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <fmt/format.h>

namespace thurn::app {

namespace json = boost::json;

namespace {

/// Why it is none; of one that SMTPUTF8 (RFC 6531) would make one, that.
std::string reason_of(std::string_view address, mail::Charset charset, const base::Error& error) {
    if (charset == mail::Charset::ascii && mail::parse_mailbox(address, mail::Charset::utf8))
        return "letters beyond US-ASCII, which only SMTPUTF8 allows";
    return error.detail;
}

json::object judge(const json::object& question) {
    json::object answer;
    if (const auto* id = question.if_contains("id")) answer["id"] = *id;
    const auto* utf8 = question.if_contains("smtputf8");
    const auto charset = utf8 && utf8->is_bool() && utf8->as_bool() ? mail::Charset::utf8 : mail::Charset::ascii;
    const auto* address = question.if_contains("address");
    const bool asked = address && address->is_string();
    const std::string_view text = asked ? std::string_view(address->as_string()) : std::string_view();
    const auto mailbox = asked ? mail::parse_mailbox(text, charset)
                               : base::Result<mail::Mailbox>(base::fail(base::ErrorKind::syntax, "no \"address\" in the question"));
    answer["valid"] = mailbox.has_value();
    answer["local"] = mailbox ? json::value(mailbox->local) : json::value(nullptr);
    answer["domain"] = mailbox ? json::value(mailbox->domain.text()) : json::value(nullptr);
    answer["reason"] = mailbox ? "" : reason_of(text, charset, mailbox.error());
    return answer;
}

/// One line that cannot be read does not cost the others their answers.
json::object judge_line(const std::string& line, std::size_t number) {
    boost::system::error_code error;
    const auto question = json::parse(line, error);
    if (!error && question.is_object()) return judge(question.as_object());
    return {{"id", nullptr},
            {"valid", false},
            {"local", nullptr},
            {"domain", nullptr},
            {"reason", fmt::format("line {} is no JSON object", number)}};
}

}  // namespace

/// JSON lines in, one JSON line out for each.
int tool_address() {
    std::string line;
    std::size_t number = 0;
    while (std::getline(std::cin, line)) {
        ++number;
        if (!line.empty()) print_json(judge_line(line, number));
    }
    return exit_ok;
}

}  // namespace thurn::app
