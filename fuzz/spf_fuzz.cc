#include "dns/name.h"
#include "mailauth/spf.h"
#include "require.h"

#include <algorithm>
#include <string>

using namespace thurn;
using fuzz::require;

namespace {

/// Answers each TXT with the record, each address with one that may match, every third question with nothing.
dns::Answer answer_to(const dns::Question& question, std::string_view record, std::size_t number) {
    dns::Answer answer{.status = dns::Status::ok, .records = {}, .canonical_name = question.name, .detail = {}};
    if (question.type == dns::Type::txt) answer.records.emplace_back(dns::Text{std::string(record)});
    if (question.type == dns::Type::a) answer.records.emplace_back(dns::Ipv4{{192, 0, 2, static_cast<std::uint8_t>(number)}});
    if (question.type == dns::Type::ptr) answer.records.emplace_back(dns::NameRecord{"mx.e.example"});
    if (question.type == dns::Type::mx) answer.records.emplace_back(dns::Mx{10, "mx.e.example"});
    if (number % 3 == 2) answer = {.status = dns::Status::no_name, .records = {}, .canonical_name = {}, .detail = {}};
    return answer;
}

/// The work for one message is bounded, and all that is asked can be asked.
void evaluate(std::string_view record, std::string_view sender) {
    mailauth::SpfCheck check(mailauth::spf_mail_from(dns::Ipv4{{192, 0, 2, 1}}, "helo.example", sender));
    std::size_t asked = 0;
    while (!check.done()) {
        const auto questions = check.questions();
        require(!questions.empty(), "it asks or ends");
        for (const auto& question : questions) {
            const auto name = dns::parse_name(question.name);
            require(name && dns::render_name(*name) == question.name && !question.name.empty(), "questions name what may exist");
            check.answer(question, answer_to(question, record, asked++));
        }
        require(asked < 300, "questions are bounded");
    }
    const auto verdict = check.take();
    require(std::ranges::all_of(verdict.explanation, [](char c) { return c >= ' ' && c <= '~'; }), "explanations are visible");
    require(verdict.explanation.size() <= 4096, "explanations are short");
    require(verdict.lookups <= 12, "terms are bounded");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto input = fuzz::as_text(data, size);
    const auto cut = std::min(input.find('\n'), input.size());
    const auto record = input.substr(0, cut);
    const auto sender = input.substr(std::min(cut + 1, input.size()));
    if (mailauth::is_spf_record(record))
        if (const auto parsed = mailauth::parse_spf_record(record))
            for (const auto& directive : parsed->directives) {
                require(record.contains(directive.text), "terms are told as written");
                require(directive.ipv4_bits <= 32 && directive.ipv6_bits <= 128, "prefixes are prefixes");
            }
    if (const auto spec = mailauth::parse_spf_domain_spec(record)) {
        const mailauth::SpfMacroValues values{.sender_local = std::string(sender),
                                              .sender_domain = "e.example",
                                              .domain = "e.example",
                                              .client = dns::Ipv6{},
                                              .helo = std::string(sender)};
        const auto domain = mailauth::expand_spf_domain(*spec, values);
        require(domain.size() <= 253 || !domain.contains('.'), "long domains are cut");
    }
    evaluate(record, "user@e.example");
    evaluate("v=spf1 include:%{l}.example exists:%{ir}.%{L1r+-}.%{p}.example mx ptr -all exp=x.%{d}", sender);
    return 0;
}
