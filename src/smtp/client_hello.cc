// From the greeting to Ready: EHLO, STARTTLS, AUTH.
#include "base/base64.h"
#include "smtp/client_state.h"
#include "smtp/wipe.h"

#include <algorithm>

namespace thurn::smtp {

void ClientSession::State::on_greeting(Reply reply) {
    if (reply.code == 220) return say_hello(hello_verb(), Awaiting::ehlo);
    if (reply.transient() || reply.permanent()) return fail_refused("the server refused the connection", std::move(reply));
    fail_unexpected(std::move(reply));
}

void ClientSession::State::say_hello(std::string_view verb, Awaiting reply) {
    output.append(verb).append(" ").append(options.hello_name).append("\r\n");
    awaiting = reply;
}

void ClientSession::State::on_ehlo(Reply reply) {
    if (reply.positive()) {
        extensions = parse_extensions(reply);
        return after_hello();
    }
    if (reply.permanent() && !is_lmtp()) return say_hello("HELO", Awaiting::helo);  // RFC 5321 §3.2
    if (reply.transient() || reply.permanent()) return fail_refused("the server refused EHLO", std::move(reply));
    fail_unexpected(std::move(reply));
}

void ClientSession::State::on_helo(Reply reply) {
    extensions = Extensions{};
    if (reply.positive()) return after_hello();
    if (reply.transient() || reply.permanent()) return fail_refused("the server refused HELO", std::move(reply));
    fail_unexpected(std::move(reply));
}

void ClientSession::State::after_hello() {
    if (!under_tls && options.starttls != StartTls::never) {
        if (extensions.starttls) {
            output += "STARTTLS\r\n";
            awaiting = Awaiting::starttls;
            return;
        }
        if (options.starttls == StartTls::must) return fail(ErrorKind::refused, "the server does not offer STARTTLS");
    }
    if (options.credentials) return log_in(*options.credentials);
    become_ready();
}

/// Octets behind the 220 came in clear and could be anyone's (CVE-2021-38371).
void ClientSession::State::on_starttls(Reply reply) {
    if (reply.code == 220) {
        if (reader.has_leftover()) return fail(ErrorKind::invalid, "plaintext behind the answer to STARTTLS");
        awaiting = Awaiting::handshake;
        return yield(ClientTlsWanted{});
    }
    if (!reply.transient() && !reply.permanent()) return fail_unexpected(std::move(reply));
    if (options.starttls == StartTls::must) return fail_refused("the server refused STARTTLS", std::move(reply));
    if (options.credentials) return log_in(*options.credentials);
    become_ready();
}

void ClientSession::State::log_in(const ClientCredentials& credentials) {
    if (!under_tls) return fail(ErrorKind::refused, "a password is sent under TLS only");
    sasl::ClientContext context{
        .login = credentials.login, .password = credentials.password, .random = options.random, .bindings = bindings};
    const auto chosen = std::ranges::find_if(sasl::kClientMechanisms, [&](std::string_view name) {
        return std::ranges::find(extensions.auth, name) != extensions.auth.end() && sasl::is_possible(name, context);
    });
    if (chosen == sasl::kClientMechanisms.end()) return fail(ErrorKind::refused, "the server offers no AUTH mechanism that we have");
    mechanism = sasl::make_client_mechanism(*chosen, context);
    wipe(context.password);
    if (!mechanism) return fail(ErrorKind::invalid, "these credentials cannot be sent");
    output.append("AUTH ").append(*chosen);
    if (auto initial = mechanism->initial()) {
        output.append(" ").append(initial->empty() ? "=" : base::encode_base64(*initial));
        wipe(*initial);
    }
    output += "\r\n";
    awaiting = Awaiting::auth;
}

void ClientSession::State::on_auth(Reply reply) {
    if (reply.code == 334) return answer_challenge(reply);
    const auto spoken = std::exchange(mechanism, nullptr);
    if (auth_problem) return fail(auth_problem->kind, auth_problem->detail, std::move(reply));
    if (reply.positive() && !spoken->complete())
        return fail(ErrorKind::refused, "the server has not proved that it knows the password", std::move(reply));
    if (reply.positive()) return become_ready();
    if (reply.transient() || reply.permanent()) return fail_refused("the server refused the login", std::move(reply));
    fail_unexpected(std::move(reply));
}

/// A challenge that nobody can answer is cancelled; its refusal ends the session (RFC 4954 §4).
void ClientSession::State::answer_challenge(const Reply& reply) {
    if (auth_problem) return fail_unexpected(reply);  // cancelled already, and it goes on
    auto challenge = base::decode_base64(reply.lines.front());
    auto response = challenge ? mechanism->respond(*challenge) : base::fail(ErrorKind::syntax, "a challenge is not base64");
    if (response) {
        output += base::encode_base64(*response);
        wipe(*response);
    } else {
        output += '*';
        auth_problem = std::move(response).error();
    }
    output += "\r\n";
}

void ClientSession::State::become_ready() {
    awaiting = Awaiting::nothing;
    if (options.credentials) wipe(options.credentials->password);
    yield(Ready{extensions});
}

}  // namespace thurn::smtp
