#include "smtp/help.h"

#include <string>

namespace thurn::smtp {

namespace {

constexpr std::size_t kLine = 60;  // columns

constexpr std::array<std::string_view, kVerbs> kSyntax{
    "HELO host",
    "EHLO host | [address]",
    "LHLO host | [address]",
    "MAIL FROM:<address> [parameters]",
    "RCPT TO:<address> [parameters]",
    "DATA",
    "BDAT size [LAST]",
    "RSET",
    "NOOP [text]",
    "QUIT",
    "VRFY address",
    "EXPN list",
    "HELP [command]",
    "ETRN domain | @domain | #queue",
    "STARTTLS",
    "AUTH mechanism [initial-response]",
    "XCLIENT name=value ...",
    "XFORWARD name=value ...",
    "",
};

}  // namespace

Reply help(std::string_view topic, const Provided& provided) {
    Reply reply{.code = 214, .status = mail::EnhancedStatus{2, 0, 0}, .lines = {}};
    const auto asked = static_cast<std::size_t>(split_command(topic).verb);
    if (provided[asked]) {
        reply.lines.emplace_back(kSyntax[asked]);
        return reply;
    }
    std::string line = "Commands:";
    for (std::size_t verb = 0; verb + 1 < kVerbs; ++verb) {
        if (!provided[verb]) continue;
        const auto name = verb_name(static_cast<Verb>(verb));
        if (line.size() + name.size() > kLine) reply.lines.push_back(std::exchange(line, " "));
        line.append(" ").append(name);
    }
    reply.lines.push_back(std::move(line));
    reply.lines.emplace_back("HELP command tells its syntax");
    return reply;
}

}  // namespace thurn::smtp
