#include "inbound/session_log.h"

namespace thurn::inbound {

void SessionLog::write(base::LogLevel level, std::string_view event, const Note& note) const {
    const auto id = note.id.value == 0 ? std::string() : note.id.text();
    const auto reply = note.reply ? smtp::describe_reply(*note.reply) : std::string();
    const auto code = note.reply ? std::optional(note.reply->code) : std::nullopt;
    const auto status = note.reply && note.reply->status ? mail::render_status(*note.reply->status) : std::string();
    const auto took = note.begun ? std::optional(milliseconds_since(*note.begun)) : std::nullopt;
    log_.write(level, event,
               {{"session", client_.session},
                {"id", id},
                {"client", client_.address},
                {"listener", client_.listener},
                {"kind", note.kind},
                {"mechanism", note.mechanism},
                {"login", note.login.empty() ? std::string_view(client_.login) : note.login},
                {"stage", note.stage},
                {"subject", note.subject},
                {"rule", note.rule},
                {"result", note.result},
                {"reason", note.reason},
                {"reply", reply},
                {"code", code},
                {"status", status},
                {"tls", client_.tls},
                {"ms", took}});
}

}  // namespace thurn::inbound
