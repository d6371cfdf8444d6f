#include "smtp/offered_parameters.h"

#include "base/xtext.h"
#include "mail/date.h"
#include "smtp/words.h"

namespace thurn::smtp {

namespace {

std::string_view body_name(mail::BodyType body) {
    switch (body) {
        case mail::BodyType::eight_bit:
            return " BODY=8BITMIME";
        case mail::BodyType::binary:
            return " BODY=BINARYMIME";
        case mail::BodyType::seven_bit:
            break;
    }
    return {};
}

void append_dsn(const MailParameters& given, std::string& to) {
    if (given.ret == mail::ReturnContent::full) to += " RET=FULL";
    if (given.ret == mail::ReturnContent::headers) to += " RET=HDRS";
    if (!given.envid.empty()) to.append(" ENVID=").append(base::encode_xtext(given.envid));
}

void append_hold(const MailParameters& given, std::string& to) {
    if (given.hold_for) to.append(" HOLDFOR=").append(std::to_string(given.hold_for->count()));
    if (given.hold_until) to.append(" HOLDUNTIL=").append(mail::render_timestamp(*given.hold_until), 0, 19).append("Z");
}

void append_deliver_by(const DeliverBy& by, std::string& to) {
    to.append(" BY=").append(std::to_string(by.within.count())).append(by.mode == ByMode::notify ? ";N" : ";R");
    if (by.trace) to += 'T';
}

/// RFC 4954 §5.
void append_auth(const mail::ReversePath& auth, std::string& to) {
    to.append(" AUTH=").append(auth.is_null() ? "<>" : base::encode_xtext(mail::render_path(auth)));
}

void append_notify(const mail::Notify& notify, std::string& to) {
    if (!notify.given) return;
    to += " NOTIFY=";
    const auto before = to.size();
    const auto add = [&](bool wanted, std::string_view word) {
        if (!wanted) return;
        if (to.size() > before) to += ',';
        to += word;
    };
    add(notify.success, "SUCCESS");
    add(notify.failure, "FAILURE");
    add(notify.delay, "DELAY");
    add(to.size() == before, "NEVER");
}

}  // namespace

void append_parameters(const MailParameters& given, const Extensions& offered, std::string& to) {
    if (offered.size && given.size && given.size->count != 0) to.append(" SIZE=").append(std::to_string(given.size->count));
    if (given.body == mail::BodyType::binary ? offered.binary_mime : offered.eight_bit_mime) to += body_name(given.body);
    if (offered.smtputf8 && given.smtputf8) to += " SMTPUTF8";
    if (offered.dsn) append_dsn(given, to);
    if (offered.require_tls && given.require_tls) to += " REQUIRETLS";
    if (offered.future_release) append_hold(given, to);
    if (offered.deliver_by && given.deliver_by) append_deliver_by(*given.deliver_by, to);
    if (offered.mt_priority && given.priority) to.append(" MT-PRIORITY=").append(std::to_string(*given.priority));
    if (!offered.auth.empty() && given.auth && (offered.smtputf8 || !beyond_ascii(mail::render_path(*given.auth))))
        append_auth(*given.auth, to);
}

/// A `utf-8` address goes encoded, whatever the server takes: RFC 6533 §3 lets everyone read that form.
void append_parameters(const RcptParameters& given, const Extensions& offered, std::string& to) {
    if (!offered.dsn) return;
    append_notify(given.notify, to);
    if (!given.original_recipient) return;
    const auto& [type, address] = *given.original_recipient;
    to.append(" ORCPT=").append(type).append(";").append(type == "utf-8" ? base::encode_utf8_xtext(address) : base::encode_xtext(address));
}

}  // namespace thurn::smtp
