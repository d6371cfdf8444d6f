#pragma once

#include "trace/event.h"

namespace thurn::trace {

/// The one description of each body, from which JSON and the journal's binary form are made. visit() calls `visitor(name, field)` in order.
///
/// Shape  Fields are `std::string`, `std::vector<std::string>`, `std::uint64_t` or `base::Time`. A new field goes to the end, a new body to
///        the end of `Body`: stored journals stay readable.
template <class Body>
struct Fields;

template <>
struct Fields<Parties> {
    template <class Value, class Visitor>
    static void visit(Value& body, Visitor&& visitor) {
        visitor("listener", body.listener);
        visitor("client", body.client);
        visitor("client_name", body.client_name);
        visitor("helo", body.helo);
        visitor("tls", body.tls);
        visitor("login", body.login);
        visitor("sender", body.sender);
        visitor("recipients", body.recipients);
        visitor("size", body.size);
    }
};

template <>
struct Fields<Accepted> : Fields<Parties> {
    static constexpr const char* kName = "accepted";
};

template <>
struct Fields<Refused> : Fields<Parties> {
    static constexpr const char* kName = "refused";
};

template <>
struct Fields<Decided> {
    static constexpr const char* kName = "decided";
    template <class Value, class Visitor>
    static void visit(Value& body, Visitor&& visitor) {
        visitor("stage", body.stage);
        visitor("subject", body.subject);
        visitor("decision", body.decision);
        visitor("rule", body.rule);
        visitor("reason", body.reason);
        visitor("left", body.left);
    }
};

template <>
struct Fields<Routed> {
    static constexpr const char* kName = "routed";
    template <class Value, class Visitor>
    static void visit(Value& body, Visitor&& visitor) {
        visitor("recipient", body.recipient);
        visitor("next_hop", body.next_hop);
        visitor("reason", body.reason);
    }
};

template <>
struct Fields<Attempted> {
    static constexpr const char* kName = "attempted";
    template <class Value, class Visitor>
    static void visit(Value& body, Visitor&& visitor) {
        visitor("recipients", body.recipients);
        visitor("host", body.host);
        visitor("tls", body.tls);
        visitor("result", body.result);
        visitor("replies", body.replies);
        visitor("milliseconds", body.milliseconds);
        visitor("remark", body.remark);
    }
};

template <>
struct Fields<Settled> {
    static constexpr const char* kName = "settled";
    template <class Value, class Visitor>
    static void visit(Value& body, Visitor&& visitor) {
        visitor("recipient", body.recipient);
        visitor("outcome", body.outcome);
        visitor("status", body.status);
        visitor("next_attempt", body.next_attempt);
    }
};

template <>
struct Fields<Noted> {
    static constexpr const char* kName = "noted";
    template <class Value, class Visitor>
    static void visit(Value& body, Visitor&& visitor) {
        visitor("what", body.what);
        visitor("detail", body.detail);
    }
};

template <>
struct Fields<Found> {
    static constexpr const char* kName = "found";
    template <class Value, class Visitor>
    static void visit(Value& body, Visitor&& visitor) {
        visitor("recipient", body.recipient);
        visitor("facts", body.facts);
    }
};

}  // namespace thurn::trace
