#include "smtp/server_extensions.h"

#include "mail/date.h"
#include "smtp/proxy_attributes.h"

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

std::string render_limits(const AnnouncedLimits& limits) {
    std::string text;
    if (limits.messages != 0) text.append(" MAILMAX=").append(std::to_string(limits.messages));
    if (limits.recipients != 0) text.append(" RCPTMAX=").append(std::to_string(limits.recipients));
    return text;
}

}  // namespace

void append_extensions(const ServerExtensions& extensions, const AnnouncedLimits& limits, Transport transport,
                       std::vector<std::string>& lines) {
    if (extensions.pipelining) lines.emplace_back("PIPELINING");
    if (extensions.size) lines.push_back("SIZE " + std::to_string(limits.message_size.count));
    if (extensions.eight_bit_mime) lines.emplace_back("8BITMIME");
    if (extensions.chunking) lines.emplace_back("CHUNKING");
    if (takes_binary(extensions)) lines.emplace_back("BINARYMIME");
    if (extensions.smtputf8) lines.emplace_back("SMTPUTF8");
    if (const auto line = render_limits(limits); extensions.limits && !line.empty()) lines.push_back("LIMITS" + line);
    if (extensions.dsn) lines.emplace_back("DSN");
    if (extensions.require_tls && transport == Transport::tls) lines.emplace_back("REQUIRETLS");  // RFC 8689 §2
    if (extensions.future_release) lines.push_back(render_future_release(*extensions.future_release));
    if (extensions.deliver_by) lines.push_back(render_deliver_by(*extensions.deliver_by));
    if (extensions.mt_priority) lines.push_back(with_value("MT-PRIORITY", *extensions.mt_priority));
    if (extensions.vrfy) lines.emplace_back("VRFY");  // RFC 5321 §3.5.2
    if (extensions.expn) lines.emplace_back("EXPN");
    if (extensions.etrn) lines.emplace_back("ETRN");
    if (extensions.xclient) lines.push_back("XCLIENT" + render_attribute_names(ProxyCommand::xclient));
    if (extensions.xforward) lines.push_back("XFORWARD" + render_attribute_names(ProxyCommand::xforward));
}

}  // namespace thurn::smtp
