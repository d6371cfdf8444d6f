#include "app/alarm_text.h"

#include "mail/date.h"

#include <algorithm>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

namespace thurn::app {

namespace {

using policy::AlarmKind;
using policy::name_of;

/// Only US-ASCII in the header and the body: what a client chose may hold anything.
std::string plain(std::string_view text) {
    std::string result(text);
    std::ranges::replace_if(result, [](char c) { return static_cast<unsigned char>(c) < 32 || static_cast<unsigned char>(c) > 126; }, '?');
    return result;
}

std::string advice(const policy::Alarm& alarm) {
    if (alarm.kind != AlarmKind::account) return {};
    const auto login = plain(alarm.login);
    return fmt::format(
        "  If its password was stolen:   thurn account suspend {0}\r\n"
        "                                thurn quarantine delete --login {0}\r\n"
        "  If all is as it should be:    thurn account release {0}\r\n"
        "                                thurn quarantine release --login {0}\r\n",
        login);
}

std::string paragraph(const policy::AlarmBook::Entry& entry) {
    const auto& alarm = entry.alarm;
    auto text = fmt::format("{}  {}: {}\r\n", mail::render_timestamp(entry.first), name_of(alarm.kind), plain(alarm.subject));
    for (const auto& [name, value] :
         {std::pair{"what", &alarm.detail}, {"login", &alarm.login}, {"client", &alarm.client}, {"message", &alarm.message}})
        if (!value->empty()) text += fmt::format("  {}: {}\r\n", name, plain(*value));
    return text + advice(alarm);
}

void gauge(std::string& text, std::string_view name, std::string_view help, std::uint64_t value) {
    text += fmt::format("# HELP {0} {1}\n# TYPE {0} gauge\n{0} {2}\n", name, help, value);
}

}  // namespace

std::string render_alarm_mail(const AlarmMail& mail) {
    const auto& first = mail.entries.front().alarm;
    const auto more = mail.entries.size() > 1 ? fmt::format(", and {} more", mail.entries.size() - 1) : std::string();
    auto text = fmt::format(
        "From: thurn on {0} <{1}>\r\nTo: <{2}>\r\nSubject: Alarm on {0}: {3} {4}{5}\r\nDate: {6}\r\nMessage-ID: <{7}@{0}>\r\n"
        "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n",
        mail.hostname, mail.from, mail.to, name_of(first.kind), plain(first.subject).substr(0, 100), more, mail::render_date(mail.now),
        mail.message_id);
    for (const auto& entry : mail.entries) text += paragraph(entry) + "\r\n";
    return text + "All of the last: thurn alarms\r\n";
}

std::string render_alarm_json(const policy::AlarmBook::Entry& entry, const std::string& hostname) {
    const auto& alarm = entry.alarm;
    return boost::json::serialize(boost::json::object{{"host", hostname},
                                                      {"kind", name_of(alarm.kind)},
                                                      {"subject", plain(alarm.subject)},
                                                      {"client", plain(alarm.client)},
                                                      {"login", plain(alarm.login)},
                                                      {"message", plain(alarm.message)},
                                                      {"detail", plain(alarm.detail)},
                                                      {"time", mail::render_timestamp(entry.first)}});
}

std::string render_metrics(const Metrics& metrics) {
    std::string text = "# HELP thurn_alarms_total Alarms, those of the same thing too.\n# TYPE thurn_alarms_total counter\n";
    for (std::size_t kind = 0; kind < metrics.alarms.size(); ++kind)
        text += fmt::format("thurn_alarms_total{{kind=\"{}\"}} {}\n", policy::kAlarmKindNames[kind], metrics.alarms[kind]);
    gauge(text, "thurn_queue_messages", "Messages with a recipient that waits or is held.", metrics.spool.messages);
    gauge(text, "thurn_spool_disk_octets", "Disk space that the spool uses.", metrics.spool.disk_octets);
    gauge(text, "thurn_spool_free_octets", "Free space of the spool's disk.", metrics.spool.free_octets);
    gauge(text, "thurn_written_seconds", "When this was written, in seconds since 1970: it gets old when the server is gone.",
          static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(metrics.now.time_since_epoch()).count()));
    return text;
}

}  // namespace thurn::app
