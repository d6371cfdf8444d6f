// The arithmetic (RFC 5802 §3), H the hash and AuthMessage all that was said up to the proof, with commas between:
//
//   SaltedPassword := Hi(password, salt, i)           ClientKey := HMAC(SaltedPassword, "Client Key")
//   StoredKey      := H(ClientKey)                    ServerKey := HMAC(SaltedPassword, "Server Key")
//   ClientProof    := ClientKey XOR HMAC(StoredKey, AuthMessage)
//   ServerSignature := HMAC(ServerKey, AuthMessage)
//
// The server has StoredKey only: it gets ClientKey back out of the proof and looks whether H of it is StoredKey.
#include "sasl/scram.h"

#include "base/base64.h"
#include "sasl/claims.h"
#include "sasl/saslprep.h"
#include "sasl/scram_message.h"

#include <utility>

namespace thurn::sasl {
namespace {

using base::ErrorKind;
using base::fail;
using base::Result;

std::string exclusive_or(std::string a, std::string_view b) {
    for (std::size_t at = 0; at < a.size(); ++at) a[at] = static_cast<char>(a[at] ^ b[at]);
    return a;
}

std::string auth_message(std::string_view client_first_bare, std::string_view server_first, std::string_view client_final_without_proof) {
    return std::string(client_first_bare).append(",").append(server_first).append(",").append(client_final_without_proof);
}

/// What `c=` must hold, or why this client cannot be served (RFC 5802 §6).
Result<std::string> expected_binding(const Gs2Header& header, const ScramServer::Options& options) {
    const bool plus = options.variant == ScramServer::Variant::plus;
    if (plus != (header.binding == Gs2Header::Binding::used))
        return fail(ErrorKind::refused, "SCRAM: -PLUS and only -PLUS binds the channel");
    if (header.binding == Gs2Header::Binding::thought_absent && options.bindings.any())
        return fail(ErrorKind::refused, "SCRAM: somebody kept our -PLUS from the client");
    std::string expected(header.text);
    if (!plus) return expected;
    const auto* data = options.bindings.find(header.binding_name);
    if (!data) return fail(ErrorKind::refused, "SCRAM: a channel binding that we do not have");
    return expected.append(*data);
}

std::string client_header(const ScramClient::Options& options) {
    if (!options.binding_name.empty()) return "p=" + options.binding_name + ",,";
    return options.binding_possible ? "y,," : "n,,";
}

}  // namespace

// ---- Server

Result<ServerStep> ScramServer::start() {
    if (stage_ != Stage::fresh) return fail(ErrorKind::invalid, "SCRAM was started before");
    stage_ = Stage::first_next;
    return Challenge{};
}

Result<ServerStep> ScramServer::step(std::string_view response) {
    switch (std::exchange(stage_, Stage::spent)) {
        case Stage::fresh:
        case Stage::first_next:
            return take_first(response);
        case Stage::final_next:
            return take_final(response);
        case Stage::confirmation_next:
            return take_confirmation(response);
        case Stage::secret_next:
        case Stage::spent:
            break;
    }
    return fail(ErrorKind::invalid, "SCRAM takes no response here");
}

Result<ServerStep> ScramServer::take_first(std::string_view message) {
    auto first = parse_client_first(message);
    if (!first) return base::pass_on(first);
    if (auto fine = check_login(first->login); !fine) return base::pass_on(fine);
    if (!first->header.authorization.empty()) {
        if (auto fine = check_login(first->header.authorization); !fine) return base::pass_on(fine);
    }
    auto binding = expected_binding(first->header, options_);
    if (!binding) return base::pass_on(binding);
    expected_binding_ = *std::move(binding);
    authorization_ = std::move(first->header.authorization);
    login_ = std::move(first->login);
    client_first_bare_ = first->bare;
    nonce_.assign(first->nonce).append(options_.nonce);
    stage_ = Stage::secret_next;
    return ScramSecretWanted{.hash = options_.hash, .login = login_};
}

Result<ServerStep> ScramServer::give(Secret secret) {
    auto* known = std::get_if<ScramSecret>(&secret);
    if (std::exchange(stage_, Stage::spent) != Stage::secret_next || !known || known->hash != options_.hash)
        return fail(ErrorKind::invalid, "SCRAM did not ask for that");
    secret_ = std::move(*known);
    server_first_ = "r=" + nonce_ + ",s=" + base::encode_base64(secret_.salt) + ",i=" + std::to_string(secret_.iterations);
    stage_ = Stage::final_next;
    return Challenge{server_first_};
}

Result<ServerStep> ScramServer::take_final(std::string_view message) {
    const auto last = parse_client_final(message);
    if (!last) return std::unexpected(last.error());
    if (!equal_in_constant_time(last->binding, expected_binding_))
        return fail(ErrorKind::refused, "SCRAM: another channel, or another header");
    if (!equal_in_constant_time(last->nonce, nonce_)) return fail(ErrorKind::refused, "SCRAM: another nonce");
    const auto all_said = auth_message(client_first_bare_, server_first_, last->without_proof);
    const auto signature = hmac(secret_.hash, secret_.stored_key, all_said);
    if (last->proof.size() != signature.size()) return fail(ErrorKind::refused, "SCRAM: the proof is wrong");
    auto client_key = exclusive_or(last->proof, signature);
    const bool right = equal_in_constant_time(digest(secret_.hash, client_key), secret_.stored_key);
    wipe(client_key);
    if (!right) return fail(ErrorKind::refused, "SCRAM: the proof is wrong");
    stage_ = Stage::confirmation_next;
    return Challenge{"v=" + base::encode_base64(hmac(secret_.hash, secret_.server_key, all_said))};
}

/// The client has nothing to add to the server's signature.
Result<ServerStep> ScramServer::take_confirmation(std::string_view message) {
    if (!message.empty()) return fail(ErrorKind::syntax, "SCRAM: nothing is left to say");
    return IdentityProven{.authorization = std::move(authorization_), .login = std::move(login_)};
}

// ---- Client

ScramClient::ScramClient(Options options)
    : options_(std::move(options)),
      gs2_header_(client_header(options_)),
      client_first_bare_("n=" + encode_saslname(options_.login) + ",r=" + options_.nonce) {}

std::optional<std::string> ScramClient::initial() {
    stage_ = Stage::server_first_next;
    return gs2_header_ + client_first_bare_;
}

Result<std::string> ScramClient::respond(std::string_view challenge) {
    switch (std::exchange(stage_, Stage::spent)) {
        case Stage::first_next:  // the server took no initial response
            return *initial();
        case Stage::server_first_next:
            return on_server_first(challenge);
        case Stage::server_final_next:
            return on_server_final(challenge);
        case Stage::complete:
        case Stage::spent:
            break;
    }
    return fail(ErrorKind::invalid, "SCRAM has three messages only");
}

Result<std::string> ScramClient::on_server_first(std::string_view message) {
    auto first = parse_server_first(message);
    if (!first) return base::pass_on(first);
    if (first->nonce.size() <= options_.nonce.size() || !first->nonce.starts_with(options_.nonce))
        return fail(ErrorKind::refused, "SCRAM: the server's nonce does not go on from ours");
    if (first->iterations < kMinIterations) return fail(ErrorKind::refused, "SCRAM: the server asks for too few iterations");
    if (first->iterations > kMaxIterations) return fail(ErrorKind::refused, "SCRAM: the server asks for too many iterations");
    if (first->salt.size() > kMaxSalt) return fail(ErrorKind::refused, "SCRAM: the server's salt is too long");

    const auto without_proof = "c=" + base::encode_base64(gs2_header_ + options_.binding_data) + ",r=" + std::string(first->nonce);
    const auto all_said = auth_message(client_first_bare_, message, without_proof);
    auto prepared = prepare_password(options_.password);
    auto salted = stretch(options_.hash, prepared, first->salt, first->iterations);
    auto client_key = hmac(options_.hash, salted, "Client Key");
    const auto proof = exclusive_or(client_key, hmac(options_.hash, digest(options_.hash, client_key), all_said));
    signature_ = hmac(options_.hash, hmac(options_.hash, salted, "Server Key"), all_said);
    wipe(prepared);
    wipe(salted);
    wipe(client_key);
    wipe(options_.password);
    stage_ = Stage::server_final_next;
    return without_proof + ",p=" + base::encode_base64(proof);
}

Result<std::string> ScramClient::on_server_final(std::string_view message) {
    const auto signature = parse_server_final(message);
    if (!signature) return std::unexpected(signature.error());
    if (!equal_in_constant_time(*signature, signature_)) return fail(ErrorKind::refused, "SCRAM: the server does not know the password");
    stage_ = Stage::complete;
    return std::string();
}

}  // namespace thurn::sasl
