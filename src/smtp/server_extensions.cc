#include "smtp/server_extensions.h"

#include "mail/date.h"

namespace thurn::smtp {

namespace {

/// `2026-11-22T01:37:22Z`: RFC 4865 §3 shows no fraction.
std::string render_to_the_second(base::Time time) { return mail::render_timestamp(time).substr(0, 19) + 'Z'; }

std::string render_future_release(const FutureRelease& offered) {
    return "FUTURERELEASE " + std::to_string(offered.interval.count()) + ' ' + render_to_the_second(offered.until);
}

std::string with_value(std::string keyword, const std::string& value) {
    if (!value.empty()) keyword.append(" ").append(value);
    return keyword;
}

std::string render_deliver_by(std::chrono::seconds least) {
    return with_value("DELIVERBY", least.count() > 0 ? std::to_string(least.count()) : std::string());
}

}  // namespace

void append_extensions(const ServerExtensions& extensions, base::Octets message_size, Transport transport,
                       std::vector<std::string>& lines) {
    if (extensions.pipelining) lines.emplace_back("PIPELINING");
    if (extensions.size) lines.push_back("SIZE " + std::to_string(message_size.count));
    if (extensions.eight_bit_mime) lines.emplace_back("8BITMIME");
    if (extensions.smtputf8) lines.emplace_back("SMTPUTF8");
    if (extensions.dsn) lines.emplace_back("DSN");
    if (extensions.require_tls && transport == Transport::tls) lines.emplace_back("REQUIRETLS");  // RFC 8689 §2
    if (extensions.future_release) lines.push_back(render_future_release(*extensions.future_release));
    if (extensions.deliver_by) lines.push_back(render_deliver_by(*extensions.deliver_by));
    if (extensions.mt_priority) lines.push_back(with_value("MT-PRIORITY", *extensions.mt_priority));
}

}  // namespace thurn::smtp
